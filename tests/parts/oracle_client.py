"""Asks the Go oracle (tests/parts/oracle) what the originals make of a text. One process for a whole test run."""

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class OracleStage:
    """One FROM as buildkit reads it; `name` is lower-case, "" without one."""

    name: str
    base: str
    expanded: str
    platform: str
    line: int
    commands: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OracleContainerfile:
    """A whole Containerfile as buildkit reads it."""

    escape: str
    stages: tuple[OracleStage, ...]
    global_args: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, kw_only=True)
class OracleLine:
    """One instruction before buildkit makes anything of it; `text` is None where it keeps no single text."""

    keyword: str
    flags: tuple[str, ...]
    line: int
    original: str
    text: str | None
    heredocs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OracleMember:
    """One member of a tar stream as archive/tar reads it; `content` is cut at a mebibyte."""

    name: bytes
    link: bytes
    flag: str
    mode: int
    uid: int
    gid: int
    xattrs: bool
    content: bytes


class Refused(Exception):  # noqa: N818 an answer, not a fault of ours
    """The original refuses the text; the message is its own."""


class Oracle:
    """A running oracle. A context manager."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def reference(self, text: str) -> str:
        """The normalized reference. Raises Refused."""
        return str(self._ask({"op": "reference", "text": text})["value"])

    def word(self, text: str, values: Mapping[str, str], escape: str = "\\") -> str:
        """`text` expanded as buildkit expands one word. Raises Refused."""
        return str(self._ask({"op": "word", "text": text, "values": values, "escape": escape}).get("value", ""))

    def containerfile(self, text: str, build_args: Mapping[str, str] | None = None) -> OracleContainerfile:
        """Stages and global ARGs. Raises Refused."""
        answer = self._ask({"op": "dockerfile", "text": text, "values": build_args or {}})
        return OracleContainerfile(
            escape=answer["escape"],
            stages=tuple(
                OracleStage(**{**stage, "commands": tuple(stage["commands"] or ())})
                for stage in answer.get("stages", ())
            ),
            global_args=tuple((arg["name"], arg["default"]) for arg in answer.get("meta_args", ())),
        )

    def lines(self, text: str) -> tuple[str, tuple[OracleLine, ...]]:
        """The escape character, and the instructions as they stand. Raises Refused."""
        answer = self._ask({"op": "lines", "text": text})
        return answer["escape"], tuple(
            OracleLine(**{**line, "flags": tuple(line["flags"] or ()), "heredocs": tuple(line["heredocs"] or ())})
            for line in answer["lines"]
        )

    def places(self, reference: str, registries_conf: str, drop_in: str = "") -> tuple[tuple[str, bool], ...]:
        """Where container tools would read it, in order, and whether without verification. Raises Refused."""
        values = {"conf": registries_conf, "drop_in": drop_in}
        answer = self._ask({"op": "places", "text": reference, "values": values})
        return tuple((one["reference"], one["insecure"]) for one in answer["places"] if not one["blocked"])

    def runs(self, image: str, policy: str, lookaside: str) -> None:
        """Whether a node with this policy.json and file of registries.d runs an image. Raises Refused."""
        self._ask({"op": "runs", "text": image, "values": {"policy": policy, "lookaside": lookaside}})

    def signature(self, name: str, manifest: str, signature: bytes, keyring: bytes) -> str:
        """The name that was signed for an image called `name` with this manifest, by this keyring. Raises Refused."""
        encoded = {"signature": b64encode(signature).decode(), "keyring": b64encode(keyring).decode()}
        asked = {"op": "signature", "text": name, "values": {"manifest": manifest, **encoded}}
        return str(self._ask(asked)["value"])

    def members(self, tar: bytes) -> tuple[OracleMember, ...]:
        """What is in a tar stream. Raises Refused."""
        members = self._ask({"op": "tar", "text": b64encode(tar).decode()}).get("members", ())
        return tuple(
            OracleMember(**{**one, **{key: b64decode(one[key]) for key in ("name", "link", "content")}})
            for one in members
        )

    def challenges(self, header: str) -> tuple[tuple[str, dict[str, str]], ...]:
        """What one WWW-Authenticate header asks for, by scheme."""
        found = self._ask({"op": "challenges", "text": header}).get("challenges", ())
        return tuple((one["scheme"], one["parameters"]) for one in found)

    def manifest(self, raw: bytes, media_type: str) -> tuple[str, ...]:
        """`TYPE DIGEST SIZE` of all that a manifest or index of this type names. Raises Refused."""
        asked = {"op": "manifest", "text": b64encode(raw).decode(), "values": {"type": media_type}}
        return tuple(self._ask(asked).get("blobs", ()))

    def credential(self, repository: str, auth_file: str) -> tuple[str, ...]:
        """User, password and identity token of a repository, each perhaps empty. Raises Refused."""
        return tuple(self._ask({"op": "credential", "text": repository, "values": {"file": auth_file}})["credential"])

    def _ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("the oracle was started without pipes")
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if not answer["ok"]:
            raise Refused(answer.get("error", ""))
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()  # closes its input, which ends it
