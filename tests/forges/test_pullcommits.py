"""Which pull requests have a commit with a trailer, as a git server tells of all of them at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from layering.errors import UnavailableError
from layering.forge.remotegit import RemoteGit
from tests.forges.origin import Origin, origin_at
from tests.git_http import Asked, Served

LINE = "prod/worker " + "a" * 64
OTHER = "prod/infra " + "b" * 64


def commit(origin: Origin, on: str, *trailers: str, more: tuple[str, ...] = ()) -> str:
    said = "\n".join(["Subject", "", *(f"Layerwatch-Line: {trailer}" for trailer in trailers)])
    parents = [word for parent in (on, *more) for word in ("-p", parent)]
    return origin.git("commit-tree", f"{on}^{{tree}}", *parents, "-m", said)


def pull(origin: Origin, number: int, head: str) -> None:
    origin.git("update-ref", f"refs/pull/{number}/head", head)


def has_it(origin: Origin) -> None:
    pull(origin, 1, commit(origin, "main", LINE))
    pull(origin, 2, commit(origin, "main", OTHER))
    pull(origin, 3, commit(origin, "main"))


def has_several(origin: Origin) -> None:
    pull(origin, 1, commit(origin, "main", OTHER, LINE))


def has_it_below_a_person_s(origin: Origin) -> None:
    head = commit(origin, "main", LINE)
    for _ in range(4):
        head = commit(origin, head)
    pull(origin, 1, head)


def has_it_too_far_below(origin: Origin) -> None:
    head = commit(origin, "main", LINE)
    for _ in range(5):
        head = commit(origin, head)
    pull(origin, 1, head)


def has_it_merged_with_the_base(origin: Origin) -> None:
    pull(origin, 1, commit(origin, commit(origin, "main", LINE), more=(commit(origin, "main"),)))


def is_merged(origin: Origin) -> None:
    ours = commit(origin, "main", LINE)
    pull(origin, 1, ours)
    merge = commit(origin, "main", more=(ours,))
    for number in (2, 3):
        pull(origin, number, commit(origin, merge))


def is_merged_after_a_person_pushed(origin: Origin) -> None:
    """Without a merge commit: what was begun since is on the person's commit."""
    theirs = commit(origin, commit(origin, "main", LINE))
    pull(origin, 1, theirs)
    pull(origin, 2, commit(origin, theirs))


def two_have_it(origin: Origin) -> None:
    ours = commit(origin, "main", LINE)
    pull(origin, 1, ours)
    pull(origin, 7, ours)


def two_commits_have_it(origin: Origin) -> None:
    pull(origin, 1, commit(origin, "main", LINE))
    pull(origin, 7, commit(origin, "main~", LINE))


def none_has_it(origin: Origin) -> None:
    """A branch is no pull request."""
    origin.git("update-ref", "refs/heads/layerwatch/prod/worker", commit(origin, "main", LINE))


Act = Callable[[Origin], None]
TOLD: list[tuple[Act, set[int]]] = [
    (has_it, {1}),
    (has_several, {1}),
    (has_it_below_a_person_s, {1}),
    (has_it_too_far_below, set()),
    (has_it_merged_with_the_base, {1}),
    (is_merged, {1}),
    (is_merged_after_a_person_pushed, {1}),
    (two_have_it, {1, 7}),
    (two_commits_have_it, {1, 7}),
    (none_has_it, set()),
]


@pytest.mark.parametrize(("act", "numbers"), TOLD)
def test_told(origin: Origin, git: RemoteGit, act: Act, numbers: set[int]) -> None:
    act(origin)
    found = git.pulls_by_trailer(origin.git("rev-parse", "main"), "Layerwatch-Line")
    assert found is not None
    assert set(found.get(LINE, ())) == numbers


def test_nothing_is_left_of_it_and_the_rest_is_read_as_before(origin: Origin, git: RemoteGit) -> None:
    has_it(origin)
    tip = origin.git("rev-parse", "main")
    before = sorted(git._directory.rglob("*"))
    assert git.pulls_by_trailer(tip, "Layerwatch-Line") == {LINE: {1}, OTHER: {2}}
    assert sorted(git._directory.rglob("*")) == before
    assert git.commit(origin.git("rev-parse", "refs/pull/1/head")).trailer("Layerwatch-Line") == LINE
    assert git.pulls_by_trailer(tip, "Layerwatch-Line") == {LINE: {1}, OTHER: {2}}


def test_a_server_that_leaves_out_no_trees_is_asked_for_one_commit_only(tmp_path: Path) -> None:
    with origin_at(tmp_path / "forge.git", filters=False) as origin, origin.opened() as git:
        has_it(origin)
        assert git.pulls_by_trailer(origin.git("rev-parse", "main"), "Layerwatch-Line") is None
        assert len(origin.kinds) <= 3


def test_a_branch_that_moved_meanwhile_tells_nothing(origin: Origin, git: RemoteGit) -> None:
    has_it(origin)
    assert git.pulls_by_trailer("e" * 40, "Layerwatch-Line") is None


def test_a_server_that_fails_is_an_error(origin: Origin, git: RemoteGit) -> None:
    def between(asked: Asked, serve: Callable[[], Served]) -> Served:
        return Served(status=503)

    has_it(origin)
    origin.between = between
    with pytest.raises(UnavailableError):
        git.pulls_by_trailer(origin.git("rev-parse", "main"), "Layerwatch-Line")
