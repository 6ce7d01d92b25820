"""`layerwatch-step open-pull-request`: the JSON, the commit a person reads, and a kill between any two writes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from layering.git import run_git
from layering.sample.images import push_os_image
from tests.pipeline.conftest import Ended, Release, Step
from tests.scenario import FILE, MACHINE_CONFIG, PERSON
from watcher import demo_git

BRANCH = "layerwatch/prod/worker"
REF = f"refs/heads/{BRANCH}"
DIGITS = {name: name * 64 for name in "123"}
IMAGES = {name: f"registry.example.com/acme/os@sha256:{digits}" for name, digits in DIGITS.items()}
KEYS = {"pull_request", "state", "branch", "commit", "number", "key", "reason"}


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    demo_git.make_repository(tmp_path / "forge.git", {FILE: MACHINE_CONFIG}, "begin")
    return tmp_path / "forge.git"


def words(bare: Path, image: str = IMAGES["1"], *more: object) -> Sequence[object]:
    place = ["--forge", "local", "--repository", bare, "--branch", "main", "--file", FILE]
    return ["open-pull-request", *place, "--image", image, "--cluster", "prod", "--pool", "worker", *more]


def commit_text(bare: Path) -> str:
    return run_git(bare, ["show", "-s", "--format=%an <%ae>%n%B", REF])


def test_the_outputs_of_a_life(bare: Path, step: Step, tmp_path: Path) -> None:
    made = step(*words(bare), "--results-dir", tmp_path)
    head = run_git(bare, ["rev-parse", REF]).strip()
    assert made.code == 0
    assert made.outputs == {
        "pull_request": BRANCH,
        "state": "created",
        "branch": BRANCH,
        "commit": head,
        "number": None,
        "key": DIGITS["1"],
        "reason": "AwaitingApproval",
    }
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == KEYS
    assert (tmp_path / "commit").read_text() == head
    again = step(*words(bare))
    assert (again.code, again.outputs) == (0, made.outputs | {"state": "unchanged"})
    newer = step(*words(bare, IMAGES["2"], "--key", "f" * 64)).outputs
    assert (newer["state"], newer["key"], newer["commit"] != head) == ("updated", "f" * 64, True)
    demo_git.merge(bare, BRANCH)
    merged = step(*words(bare, IMAGES["2"], "--key", "f" * 64)).outputs
    assert {key: merged[key] for key in ("state", "reason", "pull_request", "commit")} == {
        "state": "unchanged",
        "reason": "AlreadyOnBase",
        "pull_request": None,
        "commit": None,
    }


def test_what_a_person_did_is_no_error(bare: Path, step: Step) -> None:
    step(*words(bare))
    run_git(bare, ["update-ref", "-d", REF])
    refused = step(*words(bare))
    assert (refused.code, refused.outputs["state"], refused.outputs["reason"]) == (0, "ignored", "ClosedByPerson")
    step(*words(bare, IMAGES["2"]))
    tree = run_git(bare, ["rev-parse", f"{REF}^{{tree}}"]).strip()
    theirs = run_git(bare, ["commit-tree", tree, "-p", REF, "-m", "mine"], PERSON).strip()
    run_git(bare, ["update-ref", REF, theirs])
    for image in IMAGES.values():
        edited = step(*words(bare, image))
        found = edited.outputs
        assert (edited.code, found["state"], found["reason"]) == (0, "human-edited", "EditedByPerson")
        assert (found["pull_request"], found["commit"]) == (BRANCH, theirs)


def test_somebody_changed_the_line(bare: Path, step: Step, tmp_path: Path) -> None:
    step(*words(bare))
    run_git(None, ["clone", "--quiet", str(bare), str(tmp_path / "work")])
    (tmp_path / "work" / FILE).write_text(MACHINE_CONFIG.replace("''", IMAGES["3"]))
    run_git(tmp_path / "work", ["commit", "--quiet", "--all", "-m", "mine"], PERSON)
    run_git(tmp_path / "work", ["push", "--quiet"])
    before = demo_git.refs(bare)
    ended = step(*words(bare))
    assert (ended.code, ended.outputs) == (6, None)
    assert "ConflictOnBase" in ended.notes
    assert demo_git.refs(bare) == before


def test_author_title_and_trailers(bare: Path, step: Step) -> None:
    step(*words(bare, IMAGES["1"], "--author", "Ann O. Nym <ann@example.com>", "--title", "Try # the new one"))
    lines = commit_text(bare).rstrip().splitlines()
    assert lines[:2] == ["Ann O. Nym <ann@example.com>", "Try # the new one"]
    assert lines[-3:] == ["", f"Layerwatch-Key: {DIGITS['1']}", f"Layered-Image: {IMAGES['1']}"]


def test_what_was_not_remembered_is_ours_whatever_git_cuts_off_its_author(bare: Path, step: Step) -> None:
    for name, state in (("1", "created"), ("2", "updated")):
        assert step(*words(bare, IMAGES[name], "--author", "Acme, Inc. <bot@acme.example>")).outputs["state"] == state
        run_git(bare, ["update-ref", "-d", "refs/layerwatch/prod/worker"])


def test_a_file_is_made(bare: Path, step: Step) -> None:
    arguments = [word if word != FILE else "new/99-os.yaml" for word in words(bare)]
    assert step(*arguments).code == 2
    assert step(*arguments, "--create", "--name", "99-os").outputs["state"] == "created"
    assert IMAGES["1"] in demo_git.show(bare, f"{REF}:new/99-os.yaml")


@pytest.fixture
def evidence(release: Release, step: Step, tmp_path: Path) -> tuple[str, Sequence[str], dict[str, Path]]:
    """An image FROM nothing of ours, and what three steps say about it."""
    newer = push_os_image(release.client, release.repository("acme/os"), "x", version="9.6.2-0", seed="x")

    def saved(name: str, ended: Ended) -> Path:
        (tmp_path / f"{name}.json").write_text(ended.out)
        return tmp_path / f"{name}.json"

    base = ["resolve-base", "--release", release.payload, "--tag", "rhel-coreos"]
    files = {
        "resolve-base": saved("resolve-base", step(*base, *release.flags)),
        "check-image": saved(
            "check-image", step("check-image", "--image", newer, "--base", release.coreos, *release.flags)
        ),
        "compare-images": saved(
            "compare-images", step("compare-images", "--old", release.coreos, "--new", newer, *release.flags)
        ),
    }
    return str(newer), [f"--evidence={name}={path}" for name, path in files.items()], files


def test_the_text_is_made_of_what_steps_said(
    bare: Path, step: Step, release: Release, evidence: tuple[str, Sequence[str], dict[str, Path]]
) -> None:
    image, flags, files = evidence
    checked = json.loads(files["check-image"].read_text())["findings"]
    assert step(*words(bare, image), *flags).code == 0
    text = commit_text(bare)
    assert "prod/worker: OS image on 4.19.2" in text
    assert str(release.coreos.without_tag()) in text
    assert "`9.6.1-0`" in text
    assert "`9.6.2-0`" in text
    assert "A node fetches" in text
    assert checked
    assert all(finding["rule"] in text for finding in checked)


@pytest.mark.parametrize(
    ("step_name", "content", "message"),
    [
        pytest.param("compare-images", None, "it is about another image", id="another image"),
        pytest.param("check-image", "{", "this is not JSON", id="half a file"),
        pytest.param("check-image", "[]", "this is not what check-image prints", id="a list"),
        pytest.param("check-image", '{"findings": [{"rule": 1}]}', "this is not what check-image prints", id="types"),
        pytest.param("resolve-base", "{}", "this is not what resolve-base prints", id="nothing in it"),
        pytest.param("resolve-base", '{"release": null, "version": null, "base": "x:y"}', "not pinned", id="a tag"),
        pytest.param("build-image", "[" * 100_000, "this is not JSON", id="deep"),
    ],
)
def test_evidence_that_is_none(
    bare: Path,
    step: Step,
    tmp_path: Path,
    evidence: tuple[str, Sequence[str], dict[str, Path]],
    step_name: str,
    content: str | None,
    message: str,
) -> None:
    _, _, files = evidence
    file = files[step_name] if content is None else tmp_path / "evidence.json"
    if content is not None:
        file.write_text(content)
    ended = step(*words(bare), "--evidence", f"{step_name}={file}")
    assert (ended.code, message in ended.notes) == (2, True), ended.notes
    assert "layerwatch" not in demo_git.refs(bare)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(["--key", ""], id="an empty key"),
        pytest.param(["--author", ". <a@b>"], id="an author without a letter"),
        pytest.param(["--author", "a\rb <a@b>"], id="an author of two lines"),
        pytest.param(["--title", "a\nb"], id="a title of two lines"),
        pytest.param(["--evidence", "check-image="], id="no file"),
        pytest.param(["--evidence", "run=x"], id="a step that is no evidence"),
        pytest.param(["--forge", "gitlab"], id="a forge of later"),
    ],
)
def test_words_that_cannot_be(bare: Path, step: Step, more: Sequence[str]) -> None:
    assert step(*words(bare, IMAGES["1"], *more)).code == 2
    assert "layerwatch" not in demo_git.refs(bare)


SHIM = """\
#!/bin/sh
# git, but for one command: it kills who called it, before or after.
case " $* " in *" {command} "*) ;; *) exec {git} "$@";; esac
if [ {when} = after ]; then {git} "$@"; fi
kill -9 $PPID
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("command", ["hash-object", "mktree", "commit-tree", "update-ref"])
@pytest.mark.parametrize("earlier", [None, IMAGES["3"]], ids=["the first proposal", "a newer one"])
def test_killed_between_two_writes(
    bare: Path, step: Step, tmp_path: Path, earlier: str | None, command: str, when: str
) -> None:
    if earlier:
        step(*words(bare, earlier))
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text(SHIM.format(command=command, when=when, git=shutil.which("git")))
    shim.chmod(0o755)
    env = {**os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}"}
    argv = [sys.executable, "-m", "pipeline.cli", *map(str, words(bare))]
    killed = subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, check=False)
    assert killed.returncode == -signal.SIGKILL
    again: Any = step(*words(bare)).outputs
    written = command == "update-ref" and when == "after"
    assert again["state"] == ("unchanged" if written else "updated" if earlier else "created")
    assert run_git(bare, ["rev-list", f"main..{REF}"]).split() == [again["commit"]]
    assert run_git(bare, ["rev-parse", "refs/layerwatch/prod/worker"]).strip() == again["commit"]
    run_git(bare, ["fsck", "--strict"])
