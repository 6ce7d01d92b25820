"""git over HTTP as a forge serves it: what is asked, how often, how much of the repository travels, what is written."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from layering.errors import ConflictError, InputError, UnavailableError
from layering.forge.forge import Author
from layering.forge.remotegit import RemoteGit
from layering.forge.treechange import TreeChange
from layering.reasons import Reason
from tests.forges.origin import BRANCH, FILE, Origin, origin_at
from tests.git_http import Asked, Served

WHEN = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
BY = Author(name="Bot", email="bot@example.com")
LOOK = ["GET refs to read", "POST fetch or list"]
PUSH = ["GET refs to push", "POST push"]


@pytest.fixture(params=[True, False], ids=["the server leaves files out", "the server sends all files"])
def origin(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Origin]:
    with origin_at(tmp_path / "forge.git", filters=request.param) as made:
        yield made


def tip(origin: Origin) -> str:
    head = origin.head("main")
    assert head is not None
    return head


def make(git: RemoteGit, parent: str, text: str = "new\n") -> str:
    return git.add_commit(parent, {FILE: text.encode()}, f"Layer it\n\nLayerwatch-Key: {text}", BY, WHEN)


def fetched_bytes(git: RemoteGit) -> int:
    return sum(file.stat().st_size for file in git._directory.rglob("*") if file.is_file())


# Reading


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param(["main"], {"main"}, id="one"),
        pytest.param(["main", "nope"], {"main"}, id="one is not there"),
        pytest.param(["main", "layerwatch/*"], {"main", "layerwatch/a/b", "layerwatch/a/c"}, id="all below"),
        pytest.param(["layerwatch/a"], set(), id="a prefix is no branch"),
        pytest.param(["b"], set(), id="an end is no branch"),
        pytest.param(["nope/*"], set(), id="nothing below"),
    ],
)
def test_refs_are_two_requests(origin: Origin, git: RemoteGit, asked: list[str], found: set[str]) -> None:
    for name in ("layerwatch/a/b", "layerwatch/a/c", "other/main", "b/refs/heads/main"):
        origin.git("update-ref", f"refs/heads/{name}", "main")
    origin.git("tag", "main", "main~")
    assert git.refs(asked) == dict.fromkeys(found, tip(origin))
    assert origin.kinds == LOOK


def test_branches_are_asked_for_without_the_pull_requests_refs(origin: Origin, git: RemoteGit) -> None:
    bodies = []

    def between(asked: Asked, serve: Callable[[], Served]) -> Served:
        served = serve()
        bodies.append(served.body)
        return served

    for number in (1, 2, 12):
        origin.git("update-ref", f"refs/pull/{number}/head", "main")
    origin.between = between
    git.refs(["main"])
    assert not any(b"refs/pull" in body for body in bodies)
    origin.git("update-ref", "refs/pull/x/head", "main")
    branches, pulls = git.refs_and_pulls(["main"])
    assert branches == {"main": tip(origin)}
    assert pulls == dict.fromkeys((1, 2, 12), tip(origin))


def test_a_file_and_no_other_ones_bytes(origin: Origin, git: RemoteGit) -> None:
    filters = origin.git("config", "uploadpack.allowFilter") == "true"
    assert git.file(tip(origin), FILE) == b"old\n"
    assert origin.kinds == LOOK * (2 if filters else 1)
    assert git.file(tip(origin), FILE) == b"old\n"
    assert git.file(tip(origin), "nope") is None
    assert git.file(tip(origin), "clusters") is None
    assert git.file(tip(origin), f"{FILE}/below") is None
    assert origin.kinds == []
    here = git._repository
    assert here is not None
    missing = origin.git("rev-parse", "main:big/one")
    present = subprocess.run(["git", "-C", here.path, "cat-file", "-e", missing], capture_output=True).returncode == 0
    assert present is not filters
    assert git.file(tip(origin), "big/one") == b"3" * 50_000
    history = subprocess.run(["git", "-C", here.path, "rev-list", "--all"], capture_output=True, check=True).stdout
    assert history.decode().split() == [tip(origin)]


def test_a_large_repository_is_fetched_in_part(tmp_path: Path) -> None:
    with origin_at(tmp_path / "forge.git") as origin, origin.opened() as git:
        for number in range(4):
            origin.commit({f"images/{number}-{each}": os.urandom(200_000).hex() for each in range(5)})
        assert git.file(tip(origin), FILE) == b"old\n"
        commit = make(git, tip(origin))
        assert git.push(commit, BRANCH, None)
        assert fetched_bytes(git) < 100_000
        assert origin.show(BRANCH, FILE) == "new"
        origin.git("fsck", "--strict")


def test_a_tip_that_moved_is_fetched_as_a_difference(origin: Origin, git: RemoteGit) -> None:
    for number in range(300):
        origin.git("update-ref", f"refs/heads/other/{number}", "main")
    origin.commit({f"many/{number // 10}/{number}": str(number) for number in range(300)})
    git.file(tip(origin), FILE)
    before = fetched_bytes(git)
    origin.commit({FILE: "newer\n"})
    origin.asked.clear()
    assert git.file(tip(origin), FILE) == b"newer\n"
    assert len(origin.kinds) <= 6
    assert fetched_bytes(git) - before < 6_000


def test_a_commits_facts_and_changes(origin: Origin, git: RemoteGit) -> None:
    git.file(tip(origin), FILE)  # without its parent
    commit = origin.commit({FILE: "by hand\n", "new": "too\n"}, branch=BRANCH, on="main")
    origin.asked.clear()
    found = git.commit(commit)
    assert (found.parents, found.author.name, found.committer.email) == ((tip(origin),), "Joe", "joe@example.com")
    assert git.changed_files(commit) == [FILE, "new"]
    assert len(origin.kinds) <= 3
    assert git.file(tip(origin), FILE) == b"old\n"
    assert git.changed_files(tip(origin)) == ["big/one"]  # it was here already, but not its parent
    first = origin.git("rev-parse", "main~")
    assert (git.commit(first).parents, git.changed_files(first)) == ((), [])


def test_what_is_not_a_file(origin: Origin, git: RemoteGit) -> None:
    link = origin.git("hash-object", "-w", "--stdin", stdin="elsewhere")
    tree = origin.git("mktree", stdin=f"120000 blob {link}\tlink\n040000 tree {origin.git('rev-parse', 'main:big')}\tb")
    commit = origin.git("commit-tree", tree, "-m", "odd")
    origin.git("update-ref", "refs/heads/odd", commit)
    with pytest.raises(InputError, match="'link' is a link there"):
        git.file(commit, "link")
    for path, what in (("link", "'link' in it is a link"), ("b", "'b' in it is a tree"), ("b/one/x", "'one' in it is")):
        with pytest.raises(InputError, match=what):
            git.add_commit(commit, {path: b"x"}, "no", BY, WHEN)


def test_another_hash(tmp_path: Path) -> None:
    with origin_at(tmp_path / "forge.git", hashes="sha256") as origin, origin.opened() as git:
        found = git.refs(["main"])["main"]
        assert len(found) == 64
        commit = make(git, found)
        assert git.push(commit, BRANCH, None)
        assert (origin.head(BRANCH), git.file(found, FILE)) == (commit, b"old\n")


# Writing


def test_a_commit_is_one_change(origin: Origin, git: RemoteGit) -> None:
    origin.git("update-index", "--add", "--cacheinfo", f"100755,{origin.git('rev-parse', f'main:{FILE}')},run.sh")
    parent = origin.git("commit-tree", origin.git("write-tree"), "-p", "main", "-m", "a script")
    origin.git("update-ref", "refs/heads/main", parent)
    files = {"run.sh": b"more\n", "clusters/new/file": b"\xff\0\r\n"}
    commit = git.add_commit(parent, files, "Two files\n\nLayerwatch-Key: abc\n", BY, WHEN)
    assert "POST push" not in origin.kinds
    assert git.push(commit, BRANCH, None)
    assert origin.kinds == PUSH
    assert origin.git("diff-tree", "-r", "--name-status", parent, BRANCH).split() == [
        "A",
        "clusters/new/file",
        "M",
        "run.sh",
    ]
    assert origin.git("ls-tree", BRANCH, "run.sh").startswith("100755")
    blob = subprocess.run(
        ["git", "-C", origin.path, "cat-file", "blob", f"{BRANCH}:clusters/new/file"], capture_output=True
    )
    assert blob.stdout == b"\xff\0\r\n"
    shown = origin.git("show", "-s", "--format=%an <%ae> %cn <%ce> %aI %cI|%B", BRANCH)
    assert shown == "Bot <bot@example.com> Bot <bot@example.com> {0} {0}|Two files\n\nLayerwatch-Key: abc".format(
        "2026-11-26T07:00:00+00:00"
    )
    assert (git.commit(commit).trailers, git.changed_files(commit)) == (
        (("Layerwatch-Key", "abc"),), ["clusters/new/file", "run.sh"],
    )  # fmt: skip
    assert origin.kinds == []
    assert origin.git("for-each-ref", "--format=%(refname)").split() == ["refs/heads/" + BRANCH, "refs/heads/main"]


def test_the_same_commit_twice_is_the_same(origin: Origin, git: RemoteGit) -> None:
    assert make(git, tip(origin)) == make(git, tip(origin))
    with origin.opened() as other:
        assert make(other, tip(origin)) == make(git, tip(origin))


@pytest.mark.parametrize(
    ("there", "lease", "moved"),
    [
        pytest.param(None, None, True, id="not there, as thought"),
        pytest.param(None, "first", False, id="deleted meanwhile"),
        pytest.param("first", "first", True, id="there, as thought"),
        pytest.param("first", None, False, id="made meanwhile"),
        pytest.param("person's", "first", False, id="moved meanwhile"),
        pytest.param("person's", "person's", True, id="one that was never fetched"),
        pytest.param("new", "first", True, id="moved there already"),
    ],
)
def test_the_lease(origin: Origin, git: RemoteGit, there: str | None, lease: str | None, moved: bool) -> None:
    commits: dict[str | None, str | None] = {None: None}
    commits["first"], commits["new"] = make(git, tip(origin), "first\n"), make(git, tip(origin))
    assert git.push(str(commits["first"]), BRANCH, None)
    commits["person's"] = origin.commit({"theirs": "x\n"}, branch=BRANCH)
    if there == "new":
        git.push(str(commits["new"]), BRANCH, commits["person's"])
    else:
        origin.git(
            "update-ref", *(["-d"] if there is None else []), f"refs/heads/{BRANCH}", *filter(None, [commits[there]])
        )
    origin.asked.clear()
    assert git.push(str(commits["new"]), BRANCH, commits[lease]) is moved
    assert origin.head(BRANCH) == commits["new" if moved else there]
    assert "POST fetch or list" not in origin.kinds  # nothing had to be fetched for it
    assert origin.git("fsck", "--strict", "--no-dangling") in ("", "notice: No default references")


@pytest.mark.parametrize("race", ["made", "moved", "deleted"])
def test_moved_while_we_push(origin: Origin, git: RemoteGit, race: str) -> None:
    """After the server told us what its branches hold, and before it heard what we want."""
    old = None
    if race != "made":
        old = make(git, tip(origin), "first\n")
        assert git.push(old, BRANCH, None)
    commit = make(git, tip(origin))

    def between(asked: Asked, serve: Callable[[], Served]) -> Served | None:
        if asked.kind == "POST push":
            if race == "deleted":
                origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")
            else:
                origin.commit({"theirs": "x\n"}, branch=BRANCH, on="main")
        return serve()

    origin.between = between
    assert git.push(commit, BRANCH, old) is False
    assert origin.head(BRANCH) != commit


def test_the_base_moved_since_it_was_fetched(origin: Origin, git: RemoteGit) -> None:
    commit = make(git, tip(origin))
    origin.commit({"big/two": "4" * 50_000})
    assert git.push(commit, BRANCH, None)
    assert origin.show(BRANCH, FILE) == "new"
    assert origin.show(BRANCH, "big/two").startswith("2")
    origin.git("fsck", "--strict")


@pytest.mark.parametrize("there", ["layerwatch", "layerwatch/prod", f"{BRANCH}/more"])
def test_a_branch_whose_name_is_in_the_way(origin: Origin, git: RemoteGit, there: str) -> None:
    origin.git("update-ref", f"refs/heads/{there}", "main")
    with pytest.raises(ConflictError, match=f"branch {there} has a name") as caught:
        git.push(make(git, tip(origin)), BRANCH, None)
    assert (caught.value.reason, caught.value.next_step) == (Reason.FORGE_REFUSED, f"rename or delete branch {there}")


def test_threads_share_one(origin: Origin, git: RemoteGit) -> None:
    base, done = tip(origin), []

    def propose(number: int) -> None:
        assert git.file(base, FILE) == b"old\n"
        commit = make(git, base, f"{number}\n")
        done.append((git.push(commit, f"layerwatch/prod/{number}", None), commit, number))

    threads = [threading.Thread(target=propose, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [moved for moved, _, _ in done] == [True] * 8
    assert git.refs(["layerwatch/*"]) == {f"layerwatch/prod/{number}": commit for _, commit, number in done}


def test_it_begins_anew_before_it_grows_too_large(origin: Origin) -> None:
    with origin.opened(fetches_max=3) as git:
        waiting = make(git, tip(origin), "waiting\n")
        for number in range(5):
            origin.commit({FILE: f"{number}\n"})
            assert git.file(tip(origin), FILE) == f"{number}\n".encode()
        assert git.push(waiting, BRANCH, None)  # it was kept for that
        before = fetched_bytes(git)
        origin.commit({FILE: "last\n"})
        assert git.file(tip(origin), FILE) == b"last\n"
        assert fetched_bytes(git) < before
        assert git.push(make(git, tip(origin)), BRANCH, waiting)


@pytest.mark.parametrize("fetches_max", [1, 1000], ids=["and it is time to begin anew", "at any time"])
def test_what_the_forge_makes_of_it_is_pushed_in_its_place(origin: Origin, fetches_max: int) -> None:
    def sign(change: TreeChange) -> tuple[str, tuple[str, ...]]:
        blob = origin.git("hash-object", "-w", "--stdin", stdin=change.files[FILE].decode())
        tree = origin.git("ls-tree", "-r", change.before).replace(origin.git("rev-parse", f"main:{FILE}"), blob)
        origin.git("update-index", "--index-info", stdin=f"{tree}\n")
        assert origin.git("write-tree") == change.after
        return origin.git("commit-tree", change.after, "-p", change.parent, "-m", "Signed"), ("told",)

    with origin.opened(fetches_max=fetches_max) as git:
        ours = make(git, tip(origin))
        theirs, told = git.made_there(ours, tip(origin), {FILE: b"new\n"}, sign)
        assert told == ("told",)
        assert git.push(theirs, BRANCH, None)
        assert origin.head(BRANCH) == theirs != ours


def test_what_the_forge_made_a_moment_ago_is_waited_for(origin: Origin) -> None:
    pauses: list[str] = []

    def pause() -> bool:
        pauses.append(origin.git("commit-tree", f"{tip(origin)}^{{tree}}", "-p", tip(origin), "-m", "x"))
        return True

    at = "2026-11-26T07:00:00Z"
    with pytest.MonkeyPatch.context() as patched, origin.opened(pause=pause) as git:
        patched.setenv("GIT_AUTHOR_DATE", at)
        patched.setenv("GIT_COMMITTER_DATE", at)
        pause()
        made = pauses.pop()
        (origin.path / "objects" / made[:2] / made[2:]).unlink()
        assert git.made_there(make(git, tip(origin)), tip(origin), {FILE: b"new\n"}, lambda _: (made, ()))[0] == made
        assert pauses == [made]
        assert git.push(made, BRANCH, None)


def test_a_base_that_was_written_anew_meanwhile_is_as_if_the_branch_were_moved(origin: Origin) -> None:
    with origin.opened() as git:
        ours = make(git, tip(origin))
        origin.git("update-ref", "refs/heads/main", "main~")
        assert not git.push(ours, BRANCH, None)
        assert origin.head(BRANCH) is None


def test_what_the_forge_made_and_its_git_has_not_is_told(origin: Origin) -> None:
    with origin.opened() as git:
        ours = make(git, tip(origin))
        with pytest.raises(UnavailableError, match="not our ref"):
            git.made_there(ours, tip(origin), {FILE: b"new\n"}, lambda change: ("e" * 40, ()))
        assert git.push(ours, BRANCH, None)


def test_nothing_stays_behind(origin: Origin) -> None:
    with origin.opened() as git:
        git.file(tip(origin), FILE)
        directory = git._directory
        assert directory.exists()
    assert not directory.exists()
