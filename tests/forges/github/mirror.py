"""What an API in GitHub's manner says of commits, as a git repository: to read by git what was written by the API.

Objects are made here from what is said of them, and must get the very names they have there, which a wrong word in
any of them would change (gitformat-pack(5), gitformat-index(5): a name is the hash of what it names).
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import requests

from tests.forges.origin import MOVING, Origin, new_origin

Ask = Callable[..., requests.Response]
"""Called with a method, a path, a token, and fields by their name."""


@dataclass(kw_only=True)
class Mirror(Origin):
    """Also the clone of a person with `token`: what is looked at is taken first, and what is changed is given back."""

    name: str = ""
    token: str = field(default="", repr=False)
    ask: Ask = field(default=requests.request, repr=False)

    @classmethod
    def new(cls, path: Path, name: str, ask: Ask, token: str) -> Self:
        new_origin(path)
        return cls(path=path, name=name, ask=ask, token=token)

    def git(self, *words: str, stdin: str | None = None) -> str:
        refused = self.take(self.token)
        assert not refused, f"{self.name} cannot be read: status {refused}"
        if words[0] not in MOVING:
            return super().git(*words, stdin=stdin)
        with self.given_back(self.token):
            return super().git(*words, stdin=stdin)

    @contextmanager
    def given_back(self, token: str) -> Iterator[None]:
        """The branches that are moved within are moved there, as who has `token`."""
        before = self._refs()
        yield
        self._give(before, token)

    def take(self, token: str) -> int:
        """Everything that `token` may see. The status of a refusal, or 0."""
        answer = self.ask("GET", f"repos/{self.name}/git/matching-refs/heads/", token)
        if not answer.ok:
            return answer.status_code
        there = {each["ref"]: each["object"]["sha"] for each in answer.json()}
        for sha in there.values():
            self.take_history(sha)
        gone = (f"delete {ref}\n" for ref in self._refs() if ref not in there)
        super().git("update-ref", "--stdin", stdin="".join((*gone, *(f"update {r} {s}\n" for r, s in there.items()))))
        return 0

    def _refs(self) -> Mapping[str, str]:
        lines = super().git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads").splitlines()
        return dict(line.split() for line in lines)

    def take_history(self, tip: str) -> None:
        """What a commit has. It stands here only when all below it does."""
        if self._object(tip).exists():
            return
        found = self._told("commits", tip)
        for parent in found["parents"]:
            self.take_history(parent["sha"])
        self._take_tree(found["tree"]["sha"])
        self._keep("commit", tip, _commit(found))

    def _take_tree(self, sha: str) -> None:
        if self._object(sha).exists():
            return
        entries = self._told("trees", sha)["tree"]
        for each in entries:
            if each["type"] == "tree":
                self._take_tree(each["sha"])
            elif not self._object(each["sha"]).exists():
                told = self._told("blobs", each["sha"])
                self._keep("blob", each["sha"], base64.b64decode(told["content"]))
        self._keep("tree", sha, b"".join(_entries(entries)))

    def _told(self, kind: str, sha: str) -> Any:
        answer = self.ask("GET", f"repos/{self.name}/git/{kind}/{sha}", self.token)
        assert answer.ok, answer.text
        return answer.json()

    def _object(self, sha: str) -> Path:
        return self.path / "objects" / sha[:2] / sha[2:]

    def _keep(self, kind: str, sha: str, content: bytes) -> None:
        whole = f"{kind} {len(content)}\0".encode() + content
        made = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
        assert made == sha, f"a {kind} that is called {sha} there is {made} for git"
        if not self._object(sha).exists():
            self._object(sha).parent.mkdir(exist_ok=True)
            self._object(sha).write_bytes(zlib.compress(whole))

    def _give(self, before: Mapping[str, str], token: str) -> None:
        now = self._refs()
        for ref, sha in now.items():
            if before.get(ref) != sha:
                for commit in super().git("rev-list", "--reverse", sha, "--not", *before.values()).split():
                    self._give_commit(commit)
                if ref in before:
                    self._wrote("PATCH", ref, token, sha=sha, force=True)
                else:
                    self._wrote("POST", "refs", token, ref=ref, sha=sha)
        for ref in before.keys() - now.keys():
            self._wrote("DELETE", ref, token)

    def _give_commit(self, sha: str) -> None:
        if self.ask("GET", f"repos/{self.name}/git/commits/{sha}", self.token).ok:
            return
        entries = []
        for line in super().git("ls-tree", "-r", sha).splitlines():
            (mode, kind, blob), path = line.split("\t")[0].split(), line.split("\t")[1]
            content = super().git("cat-file", "blob", blob) + "\n"  # all files of the tests end so
            fields = {"content": base64.b64encode(content.encode()).decode(), "encoding": "base64"}
            self._wrote("POST", "blobs", self.token, **fields)
            entries.append({"path": path, "mode": mode, "type": kind, "sha": blob})
        tree = self._wrote("POST", "trees", self.token, tree=entries)["sha"]
        names = ("author", "committer")
        shown = (
            super().git("show", "--no-patch", "--format=%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B", sha).split("\0")
        )
        people = {
            who: dict(zip(("name", "email", "date"), shown[at : at + 3], strict=True))
            for who, at in zip(names, (0, 3), strict=True)
        }
        parents = super().git("show", "--no-patch", "--format=%P", sha).split()
        made = self._wrote("POST", "commits", self.token, tree=tree, parents=parents, message=shown[6], **people)["sha"]
        assert made == sha, f"git calls it {sha}, and there it is {made}"

    def _wrote(self, method: str, what: str, token: str, **fields: Any) -> Any:
        path = f"repos/{self.name}/git/{what}"
        answer = self.ask(method, path, token, **fields)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def _commit(found: Mapping[str, Any]) -> bytes:
    lines = [f"tree {found['tree']['sha']}", *(f"parent {each['sha']}" for each in found["parents"])]
    lines += [f"{role} {_person(found[role])}" for role in ("author", "committer")]
    message = str(found["message"]).removesuffix("\n")  # which it leaves out
    return "\n".join([*lines, "", message, ""]).encode()


def _person(found: Mapping[str, str]) -> str:
    moment = datetime.fromisoformat(found["date"])
    return f"{found['name']} <{found['email']}> {int(moment.timestamp())} {moment.strftime('%z')}"


def _entries(found: list[Mapping[str, str]]) -> Iterator[bytes]:
    """In git's order, which takes a directory for its name and a slash."""
    for each in sorted(found, key=lambda each: (each["path"] + "/" * (each["type"] == "tree")).encode()):
        yield f"{each['mode'].lstrip('0')} {each['path']}\0".encode() + bytes.fromhex(each["sha"])
