"""What skopeo and crane do where six of the attacks are tried on them, beside what we do.

Their outcomes are recorded, not judged: a new version of theirs may do better, and then its line here is mended.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from layering.errors import ContentError, LayerwatchError, RefusedError
from layering.registry.manifest import OCI_MANIFEST, sha256
from layering.registry.server_http import Answer
from tests.parts import require
from tests.registry.hostile.attacks_addresses import a_token, challenged, led
from tests.registry.hostile.goods import LAYER, MANIFEST
from tests.registry.hostile.rows import Row, on
from tests.registry.hostile.victim import Victim
from tests.registry.hostile.world import LOGIN, Stage, World

_SECONDS = 60
_AMBIGUOUS = MANIFEST.replace(b'"layers"', b'"manifests": [], "layers"')
_TYPE = {"Content-Type": OCI_MANIFEST}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Whether the program ended in success, and whether the thief heard a password."""

    is_done: bool
    is_told: bool = False


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One attack, and what it is tried with: words of the command lines, `{at}` is the registry."""

    row: Row
    ends: type[LayerwatchError]
    skopeo: tuple[str, ...]
    crane: tuple[str, ...]
    skopeo_ends: Outcome
    crane_ends: Outcome


def _manifest(body: bytes) -> Answer:
    return Answer(status=200, headers=_TYPE, body=body)


_DIGEST = str(sha256(MANIFEST))
_RAW = ("inspect", "--raw", "--tls-verify=false", "docker://{at}/a/b:t")
_COPY = ("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://{at}/a/b:t")
TRIALS = [
    Trial(
        row=Row(name="a realm on another host", does=challenged('Bearer realm="<tls>/token",service="x"'),
                thief=a_token, is_open=True),
        ends=RefusedError,
        skopeo=_RAW, crane=("manifest", "{at}/a/b:t"),
        skopeo_ends=Outcome(is_done=True, is_told=True), crane_ends=Outcome(is_done=True, is_told=True),
    ),
    Trial(
        row=Row(name="an upload on another host", do="copy_blob", does=led("<tls>/x", 202, "/uploads/", "POST"),
                thief=lambda scene, asked: Answer(status=201)),
        ends=RefusedError,
        skopeo=(*_COPY, "docker://{at}/c/d:t"), crane=("copy", "{at}/a/b:t", "{at}/c/d:t"),
        skopeo_ends=Outcome(is_done=False, is_told=True), crane_ends=Outcome(is_done=False),
    ),
    Trial(
        row=Row(name="another manifest for a digest", do="manifest by digest",
                does=on("/manifests/", _manifest(MANIFEST + b" "))),
        ends=ContentError,
        skopeo=(*_RAW[:-1], f"docker://{{at}}/a/b@{_DIGEST}"), crane=("manifest", f"{{at}}/a/b@{_DIGEST}"),
        skopeo_ends=Outcome(is_done=True), crane_ends=Outcome(is_done=False),
    ),
    Trial(
        row=Row(name="other bytes for a blob", do="stream_blob",
                does=on(f"/blobs/{sha256(LAYER)}", Answer(status=200, body=b"x" * len(LAYER)))),
        ends=ContentError,
        skopeo=(*_COPY, "dir:{home}/copy"), crane=("blob", f"{{at}}/a/b@{sha256(LAYER)}"),
        skopeo_ends=Outcome(is_done=False), crane_ends=Outcome(is_done=False),
    ),
    Trial(
        row=Row(name="an image that is an index, too", do="manifest", does=on("/manifests/", _manifest(_AMBIGUOUS))),
        ends=ContentError,
        skopeo=_RAW, crane=("manifest", "{at}/a/b:t"),
        skopeo_ends=Outcome(is_done=True), crane_ends=Outcome(is_done=True),
    ),
    Trial(
        row=Row(name="a manifest of 60 MiB", does=on("/manifests/", Answer(
            status=200, headers={**_TYPE, "Docker-Content-Digest": _DIGEST}, body=MANIFEST.ljust(60 << 20)))),
        ends=ContentError,
        skopeo=_RAW, crane=("digest", "{at}/a/b:t"),
        skopeo_ends=Outcome(is_done=False), crane_ends=Outcome(is_done=True),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage.made(tmp_path_factory.mktemp("stage"))


def _run(program: str, words: tuple[str, ...], world: World, home: Path) -> Outcome:
    environment = {"DOCKER_CONFIG": str(home), "HOME": str(home), "PATH": os.environ["PATH"]}
    argv = [require(program), *(word.format(at=world.address, home=home) for word in words)]
    argv += ["--insecure"] if program == "crane" else []
    ended = subprocess.run(argv, env=environment, capture_output=True, timeout=_SECONDS)
    heard = "\n".join(world.heard)
    print(f"{program}: {ended.returncode} {ended.stderr[:300]!r}")
    return Outcome(is_done=ended.returncode == 0, is_told=LOGIN in heard)


@pytest.mark.parametrize("program", ["skopeo", "crane"])
@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.row.name)
def test_theirs(trial: Trial, program: str, stage: Stage, tmp_path: Path) -> None:
    with stage.world(trial.row) as world:
        auth_file = Path(world.order(trial.row, tmp_path)["auth_file"])
        auth_file.rename(tmp_path / "config.json")
        words, expected = (trial.skopeo, trial.skopeo_ends) if program == "skopeo" else (trial.crane, trial.crane_ends)
        assert _run(program, words, world, tmp_path) == expected


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.row.name)
def test_ours(trial: Trial, stage: Stage, tmp_path: Path) -> None:
    victim = Victim()
    with stage.world(trial.row) as world:
        ended = victim(world.order(trial.row, tmp_path))
        victim.end()
    assert ended.exit_code == trial.ends.exit_code, ended.said
    assert not world.heard
