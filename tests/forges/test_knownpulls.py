"""How often a repository's pull requests are asked for."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

import pytest

from layering.errors import NotFoundError, UnavailableError
from layering.forge.host import Host
from layering.forge.knownpulls import KnownPulls
from layering.forge.pullrequest import PullPage, PullRequest, PullState, Repository

BRANCH = "layerwatch/prod/worker"
OTHER = "layerwatch/prod/infra"
AT = datetime(2026, 3, 1, tzinfo=UTC)
COMMIT = "c" * 40
ITS_PAGE = f"page 1 of {BRANCH}"


def pull(title: str, head: str = BRANCH, state: PullState = PullState.OPEN, number: int = 1) -> PullRequest:
    return PullRequest(
        number=number, url="https://f.test/1", title=title, body="", state=state, draft=False, head=head,
        head_commit=COMMIT, base="main", updated=AT,
    )  # fmt: skip


@dataclass
class Counted:
    """A part of Host that tells another title each time."""

    asked: list[str] = field(default_factory=list)
    selects_by_head: bool = True
    open: list[PullRequest] = field(default_factory=list)
    changed: list[PullRequest] = field(default_factory=list)
    listed: list[PullRequest] = field(default_factory=lambda: [pull("listed")])
    is_archived: bool = True
    breaks_before: PullRequest | None = None
    answered: float = 0.0

    def repository(self, name: str) -> Repository:
        self.asked.append("repository")
        return Repository(clone_url="https://f.test/o/r.git", url="https://f.test/o/r", archived=self.is_archived)

    def now(self) -> datetime:
        return AT

    def pull(self, repository: str, number: int) -> PullRequest:
        self.asked.append(f"number {number}")
        there = [each for each in (*self.open, *self.changed) if each.number == number]
        if not there:
            raise NotFoundError("there is no such pull request", where="f.test")
        return there[0]

    def open_pulls(self, repository: str) -> list[PullRequest]:
        self.asked.append("open")
        return self.open

    def changed_pulls(self, repository: str, since: datetime, *, below: str) -> list[PullRequest]:
        self.asked.append("changed")
        assert BRANCH.startswith(below)
        self.answered = time.monotonic()
        return self.changed or [pull("changed"), pull("another's", OTHER)]

    def newest_pulls(self, repository: str, head: str) -> Iterator[PullPage]:
        if self.selects_by_head:
            yield from self.pages_of(head)
            return
        for each in self.changed:
            if each == self.breaks_before:
                raise UnavailableError("broken off", where="f.test")
            self.asked.append(f"page with {each.number}")
            self.answered = time.monotonic()
            yield PullPage(pulls=[each], is_last=each == self.changed[-1])

    def pages_of(self, head: str) -> Iterator[PullPage]:
        for at, each in enumerate(self.listed, 1):
            self.asked.append(f"page {at} of {head}")
            self.answered = time.monotonic()
            yield PullPage(pulls=[each] if each.head == head else [], is_last=at == len(self.listed))


def test_a_write_of_ours_tells_once_what_the_next_look_would_ask() -> None:
    host = Counted()
    known = KnownPulls(cast(Host, host), "o/r")
    known.refresh()
    assert host.asked == []
    assert [each.title for each in known.of(BRANCH)] == ["listed"]
    known.take(pull("written"))
    known.refresh()
    assert [each.title for each in known.of(BRANCH)] == ["written"]
    assert host.asked == [ITS_PAGE]
    known.refresh()
    assert [each.title for each in known.of(BRANCH)] == ["changed"]
    known.refresh()
    assert host.asked == [ITS_PAGE, "changed", "changed"]


CLOSED, THEIRS = pull("closed", state=PullState.CLOSED, number=3), pull("x", "feature", number=4)
SECOND = pull("second", number=2)


def titles(pulls: Sequence[PullRequest]) -> list[str]:
    return [each.title for each in pulls]


@pytest.mark.parametrize(
    ("listed", "opened"),
    [
        pytest.param([], [], id="there are none"),
        pytest.param([THEIRS], [], id="ours is closed"),
        pytest.param([THEIRS, pull("a")], ["a"], id="ours among others"),
        pytest.param([SECOND, pull("a")], ["second", "a"], id="somebody opened a second one"),
    ],
)
def test_what_is_open_is_listed_once_where_no_branch_selects_its_own(
    listed: list[PullRequest], opened: list[str]
) -> None:
    host = Counted(selects_by_head=False, open=listed)
    known = KnownPulls(cast(Host, host), "o/r")
    for _ in range(2):
        assert titles(known.opened(BRANCH, "main")) == opened
    assert known.are_listed
    known.opened(OTHER, "main")
    assert host.asked == ["open"]


def test_what_has_ended_is_listed_only_when_it_is_asked_for() -> None:
    host = Counted(selects_by_head=False, open=[THEIRS], changed=[CLOSED])
    known = KnownPulls(cast(Host, host), "o/r")
    known.opened(BRANCH, "main")
    for _ in range(2):
        assert titles(known.of(BRANCH)) == ["closed"]
        assert titles(known.of(OTHER)) == []
    assert host.asked == ["open", "page with 3"]


def test_who_knows_all_knows_what_is_open() -> None:
    host = Counted(selects_by_head=False, changed=[CLOSED, pull("a")])
    known = KnownPulls(cast(Host, host), "o/r")
    known.of(BRANCH)
    assert titles(known.opened(BRANCH, "main")) == ["a"]
    assert host.asked == ["page with 3", "page with 1"]


@pytest.mark.parametrize(
    ("there", "found"),
    [
        pytest.param(pull("a"), ["a"], id="it is open"),
        pytest.param(CLOSED, ["closed"], id="it is closed"),
        pytest.param(pull("a", "fork:" + BRANCH), [], id="it is a fork's"),
        pytest.param(pull("a", OTHER), [], id="it is another branch's"),
    ],
)
def test_one_is_asked_for_by_its_number(there: PullRequest, found: list[str]) -> None:
    host = Counted(selects_by_head=False, open=[there])
    known = KnownPulls(cast(Host, host), "o/r")
    assert known.are_unknown
    assert titles(known.known(BRANCH)) == []
    known.ask(BRANCH, there.number)
    assert titles(known.known(BRANCH)) == found
    assert host.asked == [f"number {there.number}"]
    assert not known.are_listed


def test_one_that_git_still_has_and_the_forge_has_not_is_none() -> None:
    host = Counted(selects_by_head=False, open=[THEIRS])
    known = KnownPulls(cast(Host, host), "o/r")
    known.ask(BRANCH, 99)
    assert titles(known.opened(BRANCH, "main")) == []
    assert host.asked == ["number 99", "open"]


OLDEST = pull("oldest", state=PullState.CLOSED, number=1)
OF_THE_OTHER = pull("another's", OTHER, number=2)


def test_all_are_asked_for_only_as_far_as_they_are_read() -> None:
    host = Counted(selects_by_head=False, changed=[THEIRS, CLOSED, OF_THE_OTHER, OLDEST])
    known = KnownPulls(cast(Host, host), "o/r")
    assert next(known.newest(BRANCH)).title == "closed"
    assert next(known.newest(BRANCH)).title == "closed"
    assert host.asked == ["page with 4", "page with 3"]
    assert titles(list(known.newest(OTHER))) == ["another's"]
    assert known.are_complete
    assert titles(list(known.newest(BRANCH))) == ["closed", "oldest"]
    assert host.asked == ["page with 4", "page with 3", "page with 2", "page with 1"]


@pytest.mark.parametrize(
    ("older", "given", "asked"),
    [
        pytest.param([], ["closed"], ["page with 4"], id="of none: not one more is listed"),
        pytest.param([1], ["closed", "oldest"], ["page with 4", "number 1"], id="of one"),
        pytest.param([2, 1], ["closed", "oldest"], ["page with 4", "number 2", "number 1"], id="of another branch's"),
        pytest.param([3], ["closed"], ["page with 4", "number 3"], id="of one that is gone"),
        pytest.param([5, 4], ["closed"], ["page with 4"], id="of those that were listed"),
        pytest.param([1, 99, 2, -1], ["closed", "oldest"], ["page with 4", "page with 2", "page with 1"], id="of many"),
        pytest.param(None, ["closed", "oldest"], ["page with 4", "page with 2", "page with 1"], id="it is not told"),
    ],
)
def test_of_the_older_ones_those_are_asked_for_that_git_tells_of(
    older: list[int] | None, given: list[str], asked: list[str]
) -> None:
    host = Counted(selects_by_head=False, changed=[replace(CLOSED, number=4), OF_THE_OTHER, OLDEST])
    known = KnownPulls(cast(Host, host), "o/r")
    for _ in range(2):
        assert titles(list(known.newest(BRANCH, lambda: older))) == given
    assert host.asked == asked


def test_a_page_of_nothing_but_forks_is_a_page() -> None:
    host = Counted(selects_by_head=False, changed=[pull("fork's", "fork:layerwatch/prod/worker", number=4), OLDEST])
    known = KnownPulls(cast(Host, host), "o/r")
    for _ in range(2):
        assert titles(list(known.newest(BRANCH, list))) == []
    assert host.asked == ["page with 4"]


def test_another_look_that_reads_further_begins_anew() -> None:
    """Meanwhile one was opened, and one that was not read yet was touched: it is not the newest that is left."""
    reopened = pull("reopened", number=1)
    host = Counted(selects_by_head=False, changed=[CLOSED, SECOND, OLDEST])
    known = KnownPulls(cast(Host, host), "o/r")
    assert next(known.newest(BRANCH)).title == "closed"
    host.changed = [reopened]
    known.refresh()
    host.changed = [pull("newest", number=5), CLOSED, SECOND, reopened]
    assert titles(list(known.newest(BRANCH))) == ["closed", "newest", "second", "reopened"]
    assert host.asked == [
        "page with 3", "changed", "page with 5", "page with 3", "page with 2", "page with 1",
    ]  # fmt: skip


def test_a_listing_that_broke_off_begins_anew() -> None:
    host = Counted(selects_by_head=False, changed=[THEIRS, CLOSED])
    known = KnownPulls(cast(Host, host), "o/r")
    host.breaks_before = CLOSED
    for _ in range(2):
        with pytest.raises(UnavailableError):
            list(known.newest(BRANCH))
    host.breaks_before = None
    assert titles(list(known.newest(BRANCH))) == ["closed"]


def test_what_comes_later_is_known_beside_the_one_that_was_asked_for() -> None:
    host = Counted(selects_by_head=False, open=[pull("a")], changed=[SECOND])
    known = KnownPulls(cast(Host, host), "o/r")
    known.ask(BRANCH, 1)
    known.refresh()
    assert titles(known.known(BRANCH)) == ["second", "a"]
    assert host.asked == ["number 1", "changed"]


@pytest.mark.parametrize("selects_by_head", [True, False])
def test_when_it_was_asked_is_told_of_each_branch(selects_by_head: bool) -> None:
    host = Counted(selects_by_head=selects_by_head, changed=[CLOSED])
    known = KnownPulls(cast(Host, host), "o/r")
    assert known.asked_at(BRANCH) == 0
    known.of(BRANCH)
    after = time.monotonic()
    assert host.answered <= known.asked_at(BRANCH) <= after
    assert (known.asked_at(OTHER) == 0) is selects_by_head
    known.of(OTHER)
    assert known.asked_at(BRANCH) <= after
    known.refresh()
    assert known.asked_at(BRANCH) == known.asked_at(OTHER) >= after


def test_whether_it_is_still_archived_is_asked_once_a_look() -> None:
    host = Counted(selects_by_head=False, open=[replace(THEIRS, archived=True)])
    known = KnownPulls(cast(Host, host), "o/r")
    known.opened(BRANCH, "main")
    told = [known.is_archived]
    for host.is_archived in (True, False):
        known.refresh()
        known.opened(OTHER, "main")
        told.append(known.is_archived)
    assert told == [True, True, False]
    assert host.asked == ["open", "repository", "repository", "changed"]


def test_a_branch_that_is_forgotten_is_asked_for_again() -> None:
    host = Counted(selects_by_head=False)
    known = KnownPulls(cast(Host, host), "o/r")
    assert known.opened(BRANCH, "main") == []
    known.take(pull("written"))
    assert titles(known.opened(BRANCH, "main")) == ["written"]
    known.forget(BRANCH)
    host.open = [pull("another's", OTHER), pull("moved")]
    assert titles(known.opened(BRANCH, "main")) == ["moved"]
    assert titles(known.opened(OTHER, "main")) == ["another's"]
    assert host.asked == ["open", "open"]


def test_where_one_has_ended_all_are_listed_at_once() -> None:
    host = Counted(selects_by_head=False, open=[THEIRS], changed=[CLOSED])
    known = KnownPulls(cast(Host, host), "o/r")
    host.open.append(CLOSED)  # what its number tells
    known.ask(BRANCH, CLOSED.number)
    assert known.opened(BRANCH, "main") == []
    assert titles(known.of(BRANCH)) == ["closed"]
    assert host.asked == [f"number {CLOSED.number}", "page with 3"]


def test_one_that_has_ended_is_no_reason_to_list_all_where_the_open_ones_are_known() -> None:
    host = Counted(selects_by_head=False, open=[THEIRS], changed=[CLOSED])
    known = KnownPulls(cast(Host, host), "o/r")
    known.opened(BRANCH, "main")
    known.refresh()
    assert known.opened(BRANCH, "main") == []
    assert host.asked == ["open", "changed"]
