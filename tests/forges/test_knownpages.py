"""How far the pull requests of a branch are read where it selects its own: page by page, newest first."""

from dataclasses import replace
from typing import cast

import pytest

from layering.forge.host import Host
from layering.forge.knownpulls import KnownPulls
from layering.forge.pullrequest import PullRequest, PullState
from tests.forges.test_knownpulls import BRANCH, OLDEST, THEIRS, Counted, pull, titles

ELSEWHERE = replace(pull("elsewhere", number=2), base="release")
REFUSED = [pull("refused", state=PullState.CLOSED, number=number) for number in (9, 8, 7)]


def pages(*numbers: int) -> list[str]:
    return [f"page {number} of {BRANCH}" for number in numbers]


@pytest.mark.parametrize(
    ("listed", "opened", "asked"),
    [
        pytest.param([pull("a", number=10), *REFUSED], ["a"], pages(1), id="the newest"),
        pytest.param([*REFUSED, pull("a")], ["a"], pages(1, 2, 3, 4), id="the oldest"),
        pytest.param([REFUSED[0], pull("a"), ELSEWHERE], ["a"], pages(1, 2), id="before one into another branch"),
        pytest.param([ELSEWHERE, REFUSED[0], pull("a")], ["elsewhere", "a"], pages(1, 2, 3), id="behind such a one"),
        pytest.param([THEIRS, pull("a"), *REFUSED], ["a"], pages(1, 2), id="behind a page of forks'"),
        pytest.param(REFUSED, [], pages(1, 2, 3), id="none is"),
    ],
)
def test_of_one_branch_is_read_until_an_open_one_is_found(
    listed: list[PullRequest], opened: list[str], asked: list[str]
) -> None:
    host = Counted(listed=listed)
    known = KnownPulls(cast(Host, host), "o/r")
    known.begin(BRANCH)
    assert host.asked == pages(1)
    for _ in range(2):
        known.begin(BRANCH)
        assert titles(known.opened(BRANCH, "main")) == opened
    assert host.asked == asked


def test_of_one_branch_is_read_as_far_as_it_is_looked_at() -> None:
    host = Counted(listed=[*REFUSED, OLDEST])
    known = KnownPulls(cast(Host, host), "o/r")
    assert next(known.newest(BRANCH)).number == 9
    assert host.asked == pages(1)
    read = known.newest(BRANCH, pytest.fail)  # git names none where a branch selects its own
    assert [next(read).number, next(read).number] == [9, 8]
    assert host.asked == pages(1, 2)
    assert [each.number for each in known.of(BRANCH)] == [9, 8, 7, 1]
    assert [each.number for each in read] == [7, 1]
    assert host.asked == pages(1, 2, 3, 4)


def test_of_one_branch_an_older_one_that_changed_stays_behind_those_that_were_not_read() -> None:
    host = Counted(listed=[*REFUSED, OLDEST], changed=[replace(OLDEST, title="labelled")])
    known = KnownPulls(cast(Host, host), "o/r")
    known.begin(BRANCH)
    known.refresh()
    assert titles(list(known.newest(BRANCH))) == [*["refused"] * 3, "oldest"]
    assert host.asked == [*pages(1), "changed", *pages(1, 2, 3, 4)]


def test_of_one_branch_the_others_are_read_once_what_was_open_has_ended() -> None:
    host = Counted(listed=[pull("a", number=10), REFUSED[0], ELSEWHERE])
    known = KnownPulls(cast(Host, host), "o/r")
    assert titles(known.opened(BRANCH, "main")) == ["a"]
    host.changed = host.listed[:1] = [pull("closed", number=10, state=PullState.CLOSED)]
    for _ in range(2):
        known.refresh()
        assert titles(known.opened(BRANCH, "main")) == ["elsewhere"]
    assert host.asked == [*pages(1), "changed", *pages(1, 2, 3), "changed"]


def test_of_one_branch_that_is_forgotten_meanwhile_all_is_read_again() -> None:
    host = Counted(listed=[*REFUSED])
    known = KnownPulls(cast(Host, host), "o/r")
    read = known.newest(BRANCH)
    assert [next(read).number, next(read).number] == [9, 8]
    known.forget(BRANCH)
    host.listed = [pull("a", number=10), *REFUSED]
    assert [each.number for each in read] == [10, 7]
    assert host.asked == pages(1, 2, 1, 2, 3, 4)
