"""Which repositories and targets the local forge takes, what it leaves alone in them, and what can be in its way."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layering.errors import ConflictError, InputError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.forge.forge import State
from layering.git import run_git
from tests.forge.test_local import BRANCH, COMMIT, NAME, SECOND, bare, propose
from tests.scenario import MACHINE_CONFIG, PERSON
from watcher import demo_git

__all__ = ["bare"]  # the fixture


def repository(path: Path, *options: str, content: bytes = MACHINE_CONFIG.encode(), mode: int = 0o644) -> Path:
    """A repository with a working tree and one commit of mc.yaml."""
    run_git(None, ["init", "--quiet", "--initial-branch=main", *options, str(path)])
    (path / "mc.yaml").write_bytes(content)
    (path / "mc.yaml").chmod(mode)
    for command in COMMIT:
        run_git(path, command, PERSON)
    return path


def test_modes_and_line_ends_survive(tmp_path: Path) -> None:
    work = repository(tmp_path / "work", content=MACHINE_CONFIG.replace("\n", "\r\n").encode(), mode=0o755)
    propose(work, file="mc.yaml")
    assert run_git(work, ["ls-tree", BRANCH, "mc.yaml"]).startswith("100755 ")
    text = run_git(work, ["cat-file", "blob", f"{BRANCH}:mc.yaml"])
    assert text.count("\r\n") == text.count("\n") == MACHINE_CONFIG.count("\n")
    assert run_git(work, ["status", "--porcelain"]) == ""


def test_a_branch_that_somebody_has_checked_out_is_not_moved(tmp_path: Path, bare: Path) -> None:
    propose(bare)
    run_git(bare, ["worktree", "add", "--quiet", str(tmp_path / "tree"), NAME])
    with pytest.raises(ConflictError, match="is checked out in"):
        propose(bare, SECOND)


def test_a_file_is_made_when_that_is_allowed(bare: Path) -> None:
    with pytest.raises(InputError, match=r"there is no new/mc\.yaml on main"):
        propose(bare, file="new/mc.yaml")
    assert propose(bare, file="new/mc.yaml", create=True).state is State.CREATED
    assert "99-worker-osimageurl" in demo_git.show(bare, f"{BRANCH}:new/mc.yaml")
    assert demo_git.show(bare, f"{BRANCH}:README.md") == "x\n"


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        pytest.param({"branch": "nope"}, InputError, id="no such branch"),
        pytest.param({"branch": "main~0"}, InputError, id="a revision, not a branch"),
        pytest.param({"branch": "*"}, InputError, id="a pattern"),
        pytest.param({"branch": "-x"}, InputError, id="an option"),
        pytest.param({"branch": NAME}, InputError, id="the proposal's own branch"),
        pytest.param({"file": "README.md/mc.yaml", "create": True}, InputError, id="below a file"),
        pytest.param({"file": "clusters", "create": True}, InputError, id="a directory"),
        pytest.param({"name": "other"}, InputError, id="no such MachineConfig"),
        pytest.param({"pool": "infra"}, InputError, id="no such pool"),
    ],
)
def test_a_target_that_cannot_be(bare: Path, keys: dict[str, Any], error: type[Exception]) -> None:
    propose(bare)
    before = demo_git.refs(bare)
    with pytest.raises(error):
        propose(bare, SECOND, **keys)
    assert demo_git.refs(bare) == before


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.touch()])
def test_what_is_no_repository(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "x")
    with pytest.raises((NotFoundError, RefusedError)):
        propose(tmp_path / "x")


def test_a_file_behind_a_link_is_refused(tmp_path: Path) -> None:
    work = repository(tmp_path / "work")
    (work / "link").symlink_to("mc.yaml")
    for command in COMMIT:
        run_git(work, command, PERSON)
    with pytest.raises(InputError):
        propose(work, file="link", create=True)
    assert "layerwatch" not in demo_git.refs(work)


@pytest.mark.parametrize("options", [[], ["--object-format=sha256"]], ids=["SHA-1", "SHA-256"])
def test_a_repository_with_a_working_tree(tmp_path: Path, options: list[str]) -> None:
    work = repository(tmp_path / "work", *options)
    assert propose(work, file="mc.yaml").state is State.CREATED
    assert propose(work, SECOND, file="mc.yaml").state is State.UPDATED
    assert run_git(work, ["status", "--porcelain"]) == ""
    run_git(work, ["fsck", "--strict"])


def test_a_working_tree_of_another_repository_is_one_too(tmp_path: Path, bare: Path) -> None:
    run_git(bare, ["worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), "main"])
    assert propose(tmp_path / "tree").state is State.CREATED
    assert BRANCH in demo_git.refs(bare)


def test_a_directory_inside_a_repository_is_none(tmp_path: Path) -> None:
    (repository(tmp_path / "work") / "inner").mkdir()
    with pytest.raises(NotFoundError):
        propose(tmp_path / "work" / "inner", file="mc.yaml")


@pytest.mark.parametrize("make", [lambda git: git.mkdir(), lambda git: git.write_text("gitdir: /nowhere\n")])
def test_a_broken_repository_inside_another_is_not_taken_for_that(tmp_path: Path, make: Callable[[Path], None]) -> None:
    outer = repository(tmp_path / "work")
    (outer / "inner").mkdir()
    make(outer / "inner" / ".git")
    with pytest.raises(RefusedError):
        propose(outer / "inner", file="mc.yaml")
    assert "layerwatch" not in demo_git.refs(outer)


def test_a_branch_that_is_about_to_be_born_in_a_working_tree_is_not_made(tmp_path: Path) -> None:
    work = repository(tmp_path / "work")
    run_git(work, ["checkout", "--quiet", "--orphan", NAME])
    with pytest.raises(ConflictError, match="is checked out in"):
        propose(work, file="mc.yaml")


def test_hooks_do_not_run(tmp_path: Path, bare: Path) -> None:
    hook = bare / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    assert propose(bare).state is State.CREATED
    assert not (tmp_path / "ran").exists()


def blocks_the_name(bare: Path) -> None:
    run_git(bare, ["branch", "layerwatch", "main"])


def leaves_a_lock(bare: Path) -> None:
    lock = bare / f"{BRANCH}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()


def makes_refs_a_file(bare: Path) -> None:
    (bare / "refs" / "layerwatch").touch()


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        pytest.param(blocks_the_name, ConflictError, "rename or delete that branch", id="a branch layerwatch"),
        pytest.param(leaves_a_lock, UnavailableError, "worker.lock\n  next: try again; when no git", id="a stale lock"),
        pytest.param(makes_refs_a_file, RefusedError, "git update-ref: ", id="a broken repository"),
    ],
)
def test_what_is_in_the_way(
    bare: Path, act: Callable[[Path], None], error: type[LayerwatchError], message: str
) -> None:
    act(bare)
    before = demo_git.refs(bare)
    with pytest.raises(error) as caught:
        propose(bare)
    assert message in str(caught.value)
    assert demo_git.refs(bare) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_repository_that_may_not_be_written(bare: Path) -> None:
    for directory in (bare / "objects", bare / "refs" / "heads"):
        directory.chmod(0o555)
    with pytest.raises(RefusedError):
        propose(bare)
