"""git as a source: refs, single commits, tree ids; and errors that show no credentials."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layering import git
from layering.errors import InputError, LayerwatchError, NotFoundError, UnavailableError
from layering.source import checked_out, source_facts
from layering.sourcetree import blob_id, tree_id
from tests.scenario import PERSON
from watcher import demo_git


@pytest.fixture
def source(tmp_path: Path) -> Path:
    demo_git.make_repository(tmp_path / "source.git", {"a/Containerfile": "FROM x\n", "a/b/c": "c\n"}, "one")
    bare = tmp_path / "source.git"
    git.run_git(bare, ["tag", "light"])
    git.run_git(bare, ["tag", "-a", "-m", "x", "annotated"], PERSON)
    git.run_git(bare, ["branch", "other"])
    return bare


@pytest.mark.parametrize("ref", ["main", "HEAD", "light", "annotated", "other", "refs/heads/main", "refs/tags/light"])
@pytest.mark.parametrize("form", [str, lambda path: f"file://{path}"], ids=["path", "file URL"])
def test_a_ref_names_a_commit(source: Path, ref: str, form: Callable[[Path], str]) -> None:
    head = git.run_git(source, ["rev-parse", "main"]).strip()
    assert git.resolve_commit(form(source), ref) == head
    assert git.resolve_commit(form(source), head) == head


def test_a_ref_that_is_not_there(source: Path) -> None:
    with pytest.raises(InputError, match="no branch or tag 'mian'") as caught:
        git.resolve_commit(str(source), "mian")
    assert "annotated, light, main, other" in caught.value.next_step


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("/nowhere/at/all", NotFoundError),
        ("file:///nowhere", NotFoundError),
        ("ext::sh -c touch% /tmp/owned", LayerwatchError),
        ("--upload-pack=touch /tmp/owned", LayerwatchError),
        ("http://joe:pl4nted@127.0.0.1:1/x.git", UnavailableError),
    ],
)
def test_urls_that_lead_nowhere(url: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        git.resolve_commit(url, "main")
    assert "pl4nted" not in f"{caught.value}{caught.value!r}"
    assert not Path("/tmp/owned").exists()


@pytest.mark.parametrize("shy", [False, True], ids=["gives out commits", "gives out refs only"])
def test_one_commit_is_fetched_and_checked_out(source: Path, tmp_path: Path, shy: bool) -> None:
    first = git.resolve_commit(str(source), "main")
    work = tmp_path / "work"
    git.run_git(None, ["clone", "--quiet", str(source), str(work)])
    (work / "new").write_text("x")
    for command in (["add", "."], ["commit", "--quiet", "-m", "two"], ["push", "--quiet"]):
        git.run_git(work, command, PERSON)
    for name in ("allowAnySHA1InWant", "allowReachableSHA1InWant", "allowTipSHA1InWant"):
        git.run_git(source, ["config", f"uploadpack.{name}", str(not shy).lower()])
    facts = source_facts(f"file://{source}", first, "a", "a/Containerfile")
    assert (facts.containerfile, facts.containerfile_blob) == ("Containerfile", blob_id(b"FROM x\n"))
    with checked_out(f"file://{source}", first, "a", "a/Containerfile") as checkout:
        assert checkout.facts == facts
        assert tree_id(checkout.directory / "a") == facts.tree
        assert (checkout.directory / "a/b/c").read_text() == "c\n"
        assert not (checkout.directory / "new").exists()
        assert (checkout.directory / "a/b/c").stat().st_mode & 0o777 == 0o644
    assert not checkout.directory.exists()


def test_a_relative_path_is_relative_to_us(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)
    commit = git.resolve_commit("source.git", "main")
    with checked_out("source.git", commit, "a", "a/Containerfile") as checkout:
        assert (checkout.directory / "a/Containerfile").is_file()


@pytest.mark.parametrize(
    ("context", "containerfile"),
    [("nope", "a/Containerfile"), ("a", "nope"), ("a/Containerfile", "a/Containerfile"), ("a", "a/b")],
    ids=["no context", "no Containerfile", "context is a file", "Containerfile is a directory"],
)
def test_paths_that_are_not_in_the_source(source: Path, context: str, containerfile: str) -> None:
    commit = git.resolve_commit(str(source), "main")
    with pytest.raises(InputError, match=r"there is no (directory|file)"):
        source_facts(str(source), commit, context, containerfile)


def test_a_containerfile_beside_its_context(source: Path) -> None:
    commit = git.resolve_commit(str(source), "main")
    assert source_facts(str(source), commit, "a/b", "a/Containerfile").containerfile == "Containerfile"
    assert source_facts(str(source), commit, ".", "a/Containerfile").containerfile == "a/Containerfile"


def test_a_link_may_not_lead_out_of_the_source(tmp_path: Path) -> None:
    work = tmp_path / "work"
    git.run_git(None, ["init", "--quiet", "--initial-branch=main", str(work)])
    (work / "Containerfile").write_text("FROM x\n")
    (work / "real").mkdir()
    (work / "real/x").touch()
    (work / "Evil").symlink_to("/etc/hostname")
    for command in (["add", "."], ["commit", "--quiet", "-m", "x"]):
        git.run_git(work, command, PERSON)
    commit = git.resolve_commit(str(work), "main")
    with pytest.raises(InputError, match="leaves the source"), checked_out(str(work), commit, "real", "Evil"):
        pass


NAMES = st.text(alphabet="ab.-_é ", min_size=1, max_size=6).filter(lambda name: name.strip(". ") and name != ".git")
TREES = st.recursive(
    st.tuples(st.binary(max_size=20), st.booleans()),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=4),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict))


def write(directory: Path, tree: dict[str, Any]) -> None:
    directory.mkdir()
    for name, entry in tree.items():
        path = directory / name
        if isinstance(entry, dict):
            write(path, entry)
        else:
            content, executable = entry
            path.write_bytes(content)
            path.chmod(0o755 if executable else 0o644)
    (directory / "zz-link").symlink_to("nowhere")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=TREES)
def test_tree_ids_are_gits_own(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]) -> None:
    directory = tmp_path_factory.mktemp("tree") / "work"
    write(directory, tree)
    git.run_git(directory, ["init", "--quiet"])
    git.run_git(directory, ["-c", "core.excludesFile=/dev/null", "add", "--all", "--force"])
    assert tree_id(directory) == git.run_git(directory, ["write-tree"]).strip()


def test_what_cannot_be_in_a_tree(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file"):
        tree_id(tmp_path)
