"""git does the same whatever stands around it: variables of a hook, a person's configuration, or none at all."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from layering.git import location, resolve_commit, run_git
from layering.source import source_facts
from tests.scenario import FILE, MACHINE_CONFIG, PERSON
from watcher import demo_git

IMAGE = "registry.example.com/acme/os@sha256:"
ROOT = Path(__file__).parents[2]
CHECKED_OUT = """
import sys
from layering.git import resolve_commit
from layering.source import checked_out
with checked_out(sys.argv[1], resolve_commit(sys.argv[1], "main"), "clusters", "README.md") as checkout:
    print(sorted(path.name for path in checkout.directory.iterdir()))
"""
CONFIGURATION = """\
[color]
    ui = always
[core]
    autocrlf = true
    fsmonitor = true
    hooksPath = {hooks}
[commit]
    gpgSign = true
[diff]
    noprefix = true
[fetch]
    prune = true
    recurseSubmodules = true
[i18n]
    commitEncoding = latin1
    logOutputEncoding = latin1
[init]
    templateDir = {hooks}
[log]
    showSignature = true
[notes]
    displayRef = *
[safe]
    bareRepository = explicit
[submodule]
    recurse = true
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    demo_git.make_repository(tmp_path / "forge.git", {FILE: MACHINE_CONFIG, "README.md": "x\r\n"}, "begin")
    return tmp_path / "forge.git"


def python(*words: str, env: Mapping[str, str]) -> str:
    """What a Python process of ours prints, with only these variables."""
    argv = [sys.executable, *words]
    return subprocess.run(argv, env=env, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout


def propose(bare: Path, digit: str, env: Mapping[str, str]) -> str:
    words = ["--repository", str(bare), "--file", FILE, "--image", IMAGE + digit * 64, "--cluster", "prod"]
    state = json.loads(python("-m", "pipeline.cli", "open-pull-request", *words, "--pool", "worker", env=env))["state"]
    assert isinstance(state, str)
    return state


def assert_all_works(bare: Path, env: Mapping[str, str]) -> None:
    assert [propose(bare, digit, env) for digit in "112"] == ["created", "unchanged", "updated"]
    branch = "refs/heads/layerwatch/prod/worker"
    run_git(bare, ["notes", "--ref=layerwatch", "add", "-m", "/layerwatch ignore", branch], PERSON)
    assert propose(bare, "2", env) == "ignored"
    assert python("-c", CHECKED_OUT, str(bare), env=env) == "['.git', 'README.md', 'clusters']\n"


def test_variables_of_a_hook_lead_to_no_other_repository(tmp_path: Path, bare: Path) -> None:
    """Run from a hook or `git rebase --exec`: git's variables name the repository that it works on."""
    theirs = tmp_path / "theirs"
    run_git(None, ["init", "--quiet", "--initial-branch=main", str(theirs)])
    run_git(theirs, ["commit", "--quiet", "--allow-empty", "-m", "x"], PERSON)
    before = demo_git.refs(theirs), run_git(theirs, ["count-objects", "-v"]), (theirs / ".git/HEAD").read_text()
    hook = {
        "GIT_DIR": str(theirs / ".git"),
        "GIT_WORK_TREE": str(theirs),
        "GIT_INDEX_FILE": str(theirs / ".git/index"),
        "GIT_PREFIX": "",
    }
    assert_all_works(bare, {**os.environ, **hook})
    after = demo_git.refs(theirs), run_git(theirs, ["count-objects", "-v"]), (theirs / ".git/HEAD").read_text()
    assert after == before


def test_nothing_that_git_says_belongs_to_one_repository_is_taken_along(tmp_path: Path, bare: Path) -> None:
    (tmp_path / "not-ours").write_text("nothing of git's\n")
    settings = {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}  # credentials and proxies, see below
    names = set(run_git(None, ["rev-parse", "--local-env-vars"]).split()) - settings
    assert "GIT_SHALLOW_FILE" in names
    env = {**os.environ, **dict.fromkeys(names, str(tmp_path / "not-ours"))}
    assert python("-c", CHECKED_OUT, str(bare), env=env) == "['.git', 'README.md', 'clusters']\n"


def test_a_persons_configuration_changes_nothing(tmp_path: Path, bare: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    (tmp_path / ".gitconfig").write_text(CONFIGURATION.format(hooks=hooks))
    assert_all_works(bare, {**os.environ, "HOME": str(tmp_path)})
    assert not (tmp_path / "ran").exists()


def test_nothing_needs_to_be_configured(tmp_path: Path, bare: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "nowhere"), "GIT_CONFIG_NOSYSTEM": "1"}
    run_git(None, ["clone", "--quiet", str(bare), str(tmp_path / "work")])
    assert_all_works(tmp_path / "work", env)


def test_configuration_in_variables_is_kept(bare: Path) -> None:
    """A CI system hands over credentials and proxies in this way."""
    said = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{bare}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://forge/x",
    }
    code = "from layering.git import resolve_commit; print(resolve_commit('https://forge/x', 'main'))"
    assert python("-c", code, env={**os.environ, **said}).strip() == run_git(bare, ["rev-parse", "main"]).strip()


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://example.com/x.git", True),
        ("file:///x", True),
        ("git@example.com:x.git", True),
        ("host:/x", True),
        ("/x", True),
        ("x.git", False),
        ("./a:b", False),
        ("../x/y:z", False),
    ],
)
def test_only_paths_are_made_absolute(url: str, same: bool) -> None:
    assert location(url) == (url if same else str(Path.cwd() / url))


def test_a_relative_path_is_read_from_where_we_are(bare: Path) -> None:
    relative = os.path.relpath(bare)
    commit = resolve_commit(relative, "main")
    assert source_facts(relative, commit, "clusters", "README.md") == source_facts(
        str(bare), commit, "clusters", "README.md"
    )


@pytest.mark.parametrize("ref", ["both", "refs/heads/both", "tags/v1", "refs/tags/v1", "v1"])
def test_a_branch_wins_over_a_tag_and_tags_are_peeled(bare: Path, ref: str) -> None:
    head = run_git(bare, ["rev-parse", "main"]).strip()
    run_git(bare, ["tag", "-a", "-m", "x", "v1", "main"], PERSON)
    run_git(bare, ["branch", "both", "main"])
    run_git(bare, ["tag", "-a", "-m", "x", "both", "main"], PERSON)
    assert resolve_commit(str(bare), ref) == head
