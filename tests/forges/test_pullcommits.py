"""Which pull requests have a commit of ours, as a git server tells of all of them at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from layering.errors import UnavailableError
from layering.forge.pullcommits import PullCommits
from layering.forge.remotegit import RemoteGit
from tests.forges.origin import Origin, origin_at
from tests.git_http import Asked, Served

LINE = "prod/worker " + "a" * 64
OTHER = "prod/infra " + "b" * 64


def commit(origin: Origin, on: str, *trailers: str, more: tuple[str, ...] = ()) -> str:
    said = "\n".join(["Subject", "", *(f"Layerwatch-Line: {trailer}" for trailer in trailers)])
    parents = [word for parent in (on, *more) for word in ("-p", parent)]
    return origin.git("commit-tree", f"{on}^{{tree}}", *parents, "-m", said)


def above(origin: Origin, head: str, count: int) -> str:
    """So many commits of a person later."""
    for _ in range(count):
        head = commit(origin, head)
    return head


def pull(origin: Origin, number: int, head: str) -> None:
    origin.git("update-ref", f"refs/pull/{number}/head", head)


def has_it(origin: Origin) -> None:
    pull(origin, 1, commit(origin, "main", LINE))
    pull(origin, 2, commit(origin, "main", OTHER))
    pull(origin, 3, commit(origin, "main"))


def has_several(origin: Origin) -> None:
    pull(origin, 1, commit(origin, "main", OTHER, LINE))


def has_it_below_a_person_s(origin: Origin) -> None:
    pull(origin, 1, above(origin, commit(origin, "main", LINE), 19))


def has_it_too_far_below(origin: Origin) -> None:
    pull(origin, 1, above(origin, commit(origin, "main", LINE), 20))


def has_it_and_another_is_begun_there(origin: Origin) -> None:
    """Nearer to its head than in ours, to which a person pushed."""
    ours = commit(origin, "main", LINE)
    pull(origin, 1, above(origin, ours, 2))
    pull(origin, 2, ours)


def has_it_and_many_are_begun_there(origin: Origin) -> None:
    ours = commit(origin, "main", LINE)
    pull(origin, 1, above(origin, ours, 3))
    for number in (2, 3, 4):
        pull(origin, number, commit(origin, ours))


def has_it_among_a_person_s_words(origin: Origin) -> None:
    """As a squash in their editor leaves it, with lines that end in several ways."""
    words = f"Mine\r\n\nLayerwatch-Line: {LINE} \r\nLayered-Image: x\u2028y\x0c\n\nAnd more\x85of it.\n"
    pull(origin, 1, origin.git("commit-tree", "main^{tree}", "-p", "main", "-m", words))


def has_words_that_look_like_it(origin: Origin) -> None:
    name = "Layerwatch-Line"
    words = f"See {name}: {LINE}\n\n {name}: {LINE}\n{name}: {LINE}0\n{name}:\n{LINE}\n{name}: {' ' * 100_000}x"
    pull(origin, 1, origin.git("commit-tree", "main^{tree}", "-p", "main", "-m", words))


def has_it_merged_with_the_base(origin: Origin) -> None:
    pull(origin, 1, commit(origin, commit(origin, "main", LINE), more=(commit(origin, "main"),)))


def is_merged(origin: Origin) -> None:
    ours = commit(origin, "main", LINE)
    pull(origin, 1, ours)
    move_on(origin, commit(origin, "main", more=(ours,)))


def is_merged_after_a_person_pushed(origin: Origin) -> None:
    theirs = commit(origin, commit(origin, "main", LINE))
    pull(origin, 1, theirs)
    move_on(origin, theirs)


def is_merged_after_a_person_pushed_and_an_older_one_took_the_base_in(origin: Origin) -> None:
    """Which was merged, too."""
    theirs = commit(origin, commit(origin, "main", LINE))
    pull(origin, 2, theirs)
    merge = commit(origin, "main", more=(theirs,))
    older = commit(origin, commit(origin, "main"), more=(merge,))
    pull(origin, 1, older)
    move_on(origin, commit(origin, merge, more=(older,)))


def is_merged_by_hand_before_a_person_pushed(origin: Origin) -> None:
    """And its pull request closed."""
    ours = commit(origin, "main", LINE)
    pull(origin, 1, above(origin, ours, 1))
    move_on(origin, commit(origin, "main", more=(ours,)))


def is_merged_with_what_was_begun_on_it(origin: Origin) -> None:
    ours = commit(origin, "main", LINE)
    pull(origin, 1, above(origin, ours, 1))
    feature = commit(origin, ours)
    pull(origin, 5, feature)
    move_on(origin, commit(origin, "main", more=(feature,)))


def is_rebased_and_merged(origin: Origin) -> None:
    """The base has another commit with the same line then."""
    pull(origin, 1, commit(origin, "main", LINE))
    move_on(origin, commit(origin, commit(origin, "main"), LINE))


def move_on(origin: Origin, to: str) -> None:
    """The base branch, on which others are begun, and one of these is merged."""
    origin.git("update-ref", "refs/heads/main", to)
    for number in (11, 12):
        pull(origin, number, commit(origin, to))
    pull(origin, 13, commit(origin, to, OTHER))
    origin.git("update-ref", "refs/heads/main", origin.git("rev-parse", "refs/pull/13/head"))


def two_have_it(origin: Origin) -> None:
    ours = commit(origin, "main", LINE)
    pull(origin, 1, ours)
    pull(origin, 7, ours)


def two_commits_have_it(origin: Origin) -> None:
    pull(origin, 1, commit(origin, "main", LINE))
    pull(origin, 7, commit(origin, "main~", LINE))


def none_has_it(origin: Origin) -> None:
    """A branch is no pull request, nor is what else is below its name."""
    for ref in ("heads/layerwatch/prod/worker", "pull/2/merge", "pull/x/head", "pull/02/head", "pull/2/x/head"):
        origin.git("update-ref", f"refs/{ref}", commit(origin, "main", LINE))
    pull(origin, 1, commit(origin, "main"))


Act = Callable[[Origin], None]
TOLD: list[tuple[Act, set[int]]] = [
    (has_it, {1}),
    (has_several, {1}),
    (has_it_below_a_person_s, {1}),
    (has_it_too_far_below, set()),
    (has_it_merged_with_the_base, {1}),
    (has_it_and_another_is_begun_there, {1, 2}),
    (has_it_and_many_are_begun_there, {1}),
    (has_it_among_a_person_s_words, {1}),
    (has_words_that_look_like_it, set()),
    (is_merged, {1}),
    (is_merged_after_a_person_pushed, {1}),
    (is_merged_after_a_person_pushed_and_an_older_one_took_the_base_in, {2}),
    (is_merged_by_hand_before_a_person_pushed, {1}),
    (is_merged_with_what_was_begun_on_it, {1, 5}),
    (is_rebased_and_merged, {1, 13}),
    (two_have_it, {1, 7}),
    (two_commits_have_it, {1, 7}),
    (none_has_it, set()),
]


def told(origin: Origin, git: RemoteGit) -> PullCommits | None:
    return git.pull_commits(origin.git("rev-parse", "main"), "Layerwatch-Line")


@pytest.mark.parametrize(("act", "numbers"), TOLD)
def test_told(origin: Origin, git: RemoteGit, act: Act, numbers: set[int]) -> None:
    act(origin)
    found = told(origin, git)
    assert found is not None
    assert found.with_line(LINE) == numbers


def test_nothing_is_left_of_it_and_the_rest_is_read_as_before(origin: Origin, git: RemoteGit) -> None:
    has_it(origin)
    head = origin.git("rev-parse", "refs/pull/1/head")
    before = sorted(git._directory.rglob("*"))
    for _ in range(2):
        found = told(origin, git)
        assert found is not None
        assert (found.with_line(LINE), found.with_line(OTHER), found.with_head(head)) == ({1}, {2}, {1})
        assert sorted(git._directory.rglob("*")) == before
    assert git.commit(head).trailer("Layerwatch-Line") == LINE


def test_a_server_that_leaves_out_no_trees_is_asked_for_one_commit_only(tmp_path: Path) -> None:
    with origin_at(tmp_path / "forge.git", filters=False) as origin, origin.opened() as git:
        has_it(origin)
        assert told(origin, git) is None
        assert len(origin.kinds) <= 3


def hides_them(origin: Origin) -> None:
    origin.git("config", "transfer.hideRefs", "refs/pull")


def takes_no_such_filter(origin: Origin) -> None:
    origin.git("config", "uploadpackfilter.tree.allow", "false")


def has_one_that_is_broken(origin: Origin) -> None:
    (origin.path / "refs/pull/7").mkdir(parents=True)
    (origin.path / "refs/pull/7/head").write_text("e" * 40)
    (origin.path / "objects/ee").mkdir()
    (origin.path / "objects/ee" / ("e" * 38)).write_bytes(b"nothing")


@pytest.mark.parametrize("act", [hides_them, takes_no_such_filter, has_one_that_is_broken])
def test_where_git_cannot_tell_that_is_said(origin: Origin, git: RemoteGit, act: Act) -> None:
    has_it(origin)
    act(origin)
    assert told(origin, git) is None


def test_a_tip_that_is_gone_tells_nothing(origin: Origin, git: RemoteGit) -> None:
    has_it(origin)
    assert git.pull_commits("e" * 40, "Layerwatch-Line") is None


def test_a_server_that_fails_for_now_is_an_error(origin: Origin, git: RemoteGit) -> None:
    def between(asked: Asked, serve: Callable[[], Served]) -> Served:
        return Served(status=503)

    has_it(origin)
    origin.between = between
    with pytest.raises(UnavailableError):
        told(origin, git)


def test_a_person_s_configuration_decides_nothing(
    origin: Origin, git: RemoteGit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text('[trailer]\n\tseparators = "="\n[core]\n\tcommentChar = L\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    has_it(origin)
    found = told(origin, git)
    assert found is not None
    assert found.with_line(LINE) == {1}
