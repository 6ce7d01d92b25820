"""What is believed of the pull requests that git's answer names, and what that asks for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from layering.forge.host import Host
from layering.forge.knownpulls import KnownPulls
from layering.forge.marker import Marker
from layering.forge.namedpulls import NamedPulls
from layering.forge.pullrequest import PullRequest, PullState
from layering.forge.refs import Refs
from tests.forges.test_knownpulls import AT, BRANCH, COMMIT, OTHER, Counted, pull, titles

OPEN, CLOSED, MERGED = PullState.OPEN, PullState.CLOSED, PullState.MERGED
ELSEWHERE = "e" * 40
OTHERS = {4: ELSEWHERE, 5: ELSEWHERE, 6: ELSEWHERE}


def named(
    known: KnownPulls, pulls: dict[int, str], commit: str | None = COMMIT, others: Sequence[str] = ()
) -> NamedPulls:
    """Two are listed at once, and the branches of `others` are looked at, too."""
    there = dict.fromkeys(others, COMMIT) | ({BRANCH: commit} if commit else {})
    refs = Refs(branches=there, pulls=pulls, at=0.0)
    return NamedPulls(known, refs, head=BRANCH, base="main", among=[BRANCH, *others], per_page=2)


def marked(title: str, state: PullState, number: int = 3, *, commit: str = COMMIT, after: int = 0) -> PullRequest:
    marker = Marker(key="1" * 64, commit=commit, image="", old=None, base="", title="", written=AT, after=after)
    return replace(pull(title, state=state, number=number), body=marker.text())


@pytest.mark.parametrize(
    ("there", "found"),
    [
        pytest.param(pull("open", number=3), ["open"], id="open, whatever it says"),
        pytest.param(marked("refused", CLOSED), ["refused"], id="closed, of the branch's commit"),
        pytest.param(marked("merged", MERGED), ["merged"], id="merged, of the branch's commit"),
        pytest.param(marked("older", CLOSED, commit="d" * 40), [], id="closed, of another commit"),
        pytest.param(pull("closed", state=CLOSED, number=3), [], id="closed, its marker taken away"),
        pytest.param(replace(marked("moved", OPEN), base="dev"), ["moved"], id="retargeted"),
        pytest.param(replace(pull("theirs", number=3), base="dev"), [], id="open into another branch"),
    ],
)
def test_of_the_only_one(there: PullRequest, found: list[str]) -> None:
    host = Counted(selects_by_head=False, open=[there])
    assert titles(named(KnownPulls(cast(Host, host), "o/r"), {3: COMMIT, **OTHERS}).believed()) == found
    assert host.asked == ["number 3"]


@pytest.mark.parametrize(
    ("there", "opened", "found", "asked"),
    [
        pytest.param(
            [marked("open", OPEN, 3, after=2), marked("older", CLOSED, 2)],
            ["open"], ["open", "older"], ["number 3"],
            id="open, and it was opened after the other one had ended",
        ),
        pytest.param(
            [marked("open", OPEN, 3), marked("open, too", OPEN, 2)],
            ["open", "open, too"], ["open", "open, too"], ["number 3", "number 2"],
            id="open twice",
        ),
        pytest.param(
            [pull("open", number=3), marked("older", CLOSED, 2)],
            ["open"], ["open", "older"], ["number 3", "number 2"],
            id="open, its marker taken away",
        ),
        pytest.param(
            [replace(pull("elsewhere", number=3), base="dev"), marked("open", OPEN, 2)],
            ["open"], ["elsewhere", "open"], ["number 3", "number 2"],
            id="open, and another one is into another branch",
        ),
        pytest.param(
            [replace(marked("theirs", OPEN, 3, after=2), head=f"fork:{BRANCH}"), marked("open", OPEN, 2)],
            ["open"], ["open"], ["number 3", "number 2"],
            id="a fork's",
        ),
        pytest.param(
            [marked("refused", CLOSED, 3, after=2), marked("older", CLOSED, 2)],
            [], ["refused"], ["number 3", "number 2"],
            id="closed, and so is the older one",
        ),
        pytest.param(
            [marked("refused", CLOSED, 3, after=2), marked("reopened", OPEN, 2)],
            ["reopened"], ["refused", "reopened"], ["number 3", "number 2"],
            id="closed, and the older one was opened again",
        ),
    ],
)  # fmt: skip
def test_of_two(there: list[PullRequest], opened: list[str], found: list[str], asked: list[str]) -> None:
    """What is open is told by as many as that takes, and what has ended by both."""
    host = Counted(selects_by_head=False, open=there)
    pulls = named(KnownPulls(cast(Host, host), "o/r"), {3: COMMIT, 2: COMMIT, **OTHERS})
    assert titles(pulls.opened()) == opened
    assert host.asked == asked
    assert titles(pulls.believed()) == found
    assert host.asked == ["number 3", "number 2"]


def test_of_many_the_open_one_speaks_when_it_tells_of_the_others() -> None:
    host = Counted(selects_by_head=False, open=[marked("open", OPEN, 3, after=2)])
    pulls = named(KnownPulls(cast(Host, host), "o/r"), {3: COMMIT, 2: COMMIT, 1: COMMIT, **OTHERS})
    assert titles(pulls.opened()) == ["open"]
    assert titles(pulls.believed()) == []  # those that have ended may tell more
    assert host.asked == ["number 3"]


@pytest.mark.parametrize(
    ("commit", "pulls", "asked"),
    [
        pytest.param(None, {3: COMMIT, 2: COMMIT}, [], id="the branch is gone"),
        pytest.param(COMMIT, {3: COMMIT, 2: COMMIT, 1: COMMIT}, ["number 3", "open"], id="git names many"),
        pytest.param(COMMIT, {3: "d" * 40}, ["open"], id="git names none"),
    ],
)
def test_nothing_is_believed(commit: str | None, pulls: dict[int, str], asked: list[str]) -> None:
    host = Counted(selects_by_head=False, open=[marked("a", OPEN)])
    assert titles(named(KnownPulls(cast(Host, host), "o/r"), {**pulls, **OTHERS}, commit).believed()) == []
    assert host.asked == asked


@pytest.mark.parametrize(
    ("others", "open_count", "asked"),
    [
        pytest.param([], None, ["number 3"], id="alone"),
        pytest.param([OTHER], None, ["number 3"], id="two branches, and as many pages of all"),
        pytest.param([OTHER, "layerwatch/prod/gpu"], None, ["open"], id="more branches than pages of all"),
        pytest.param([OTHER], 2, ["open"], id="more branches than pages of what is open"),
        pytest.param([], 0, ["number 3"], id="alone, and nothing is said to be open"),
    ],
)
def test_numbers_are_asked_for_where_that_costs_no_more_than_the_pages_of_what_is_open(
    others: list[str], open_count: int | None, asked: list[str]
) -> None:
    host = Counted(selects_by_head=False, open=[replace(marked("a", OPEN), open_count=open_count)])
    known = KnownPulls(cast(Host, host), "o/r")
    if open_count is not None:  # as one that is not of these branches told
        known.ask(BRANCH, 3)
        known.forget(BRANCH)
        host.asked.clear()
    assert titles(named(known, {3: COMMIT, **OTHERS}, others=others).opened()) == ["a"]
    assert host.asked == asked


def test_one_that_is_known_is_not_asked_for_again() -> None:
    host = Counted(selects_by_head=False, open=[pull("open", number=3)])
    known = KnownPulls(cast(Host, host), "o/r")
    for _ in range(2):
        assert titles(named(known, {3: COMMIT, **OTHERS}).believed()) == ["open"]
    assert host.asked == ["number 3"]


def test_one_that_is_gone_is_not_asked_for_again() -> None:
    host = Counted(selects_by_head=False)
    pulls = named(KnownPulls(cast(Host, host), "o/r"), {3: COMMIT, **OTHERS})
    assert (titles(pulls.opened()), titles(pulls.believed())) == ([], [])
    assert host.asked == ["number 3", "open"]


def test_of_two_that_have_ended_the_newest_speaks() -> None:
    """A person closed ours, and merged another one of the branch that has a text of the person's own."""
    host = Counted(selects_by_head=False, open=[marked("refused", CLOSED)])
    known = KnownPulls(cast(Host, host), "o/r")
    assert titles(named(known, {3: COMMIT, **OTHERS}).believed()) == ["refused"]
    host.changed = [pull("merged", state=MERGED, number=4)]
    known.refresh()
    assert titles(named(known, {3: COMMIT, **OTHERS, 4: COMMIT}).believed()) == []
    assert host.asked == ["number 3", "changed"]


def test_what_changed_is_not_all_there_is_of_a_branch_that_was_never_asked_for() -> None:
    """A daemon that looked at another branch so far: ours, which did not change, is open beside it."""
    moved = replace(marked("elsewhere", OPEN, 7), base="dev")
    host = Counted(selects_by_head=False, open=[pull("other's", OTHER, number=2), moved, marked("ours", OPEN)])
    known = KnownPulls(cast(Host, host), "o/r")
    known.ask(OTHER, 2)
    host.changed = [moved]
    known.refresh()
    pulls = NamedPulls(
        known, Refs(branches={BRANCH: COMMIT}, pulls=None, at=0.0), head=BRANCH, base="main", among=[], per_page=2
    )
    assert titles(pulls.opened()) == ["elsewhere", "ours"]
    assert host.asked == ["number 2", "changed", "open"]


def test_what_changed_is_not_the_newest_of_a_branch_that_was_never_asked_for() -> None:
    """What is open was listed; an older one that had ended was commented on, a newer one was not."""
    host = Counted(selects_by_head=False, open=[pull("other's", OTHER, number=2)])
    known = KnownPulls(cast(Host, host), "o/r")
    known.list_open()
    host.changed = [marked("refused", CLOSED)]
    known.refresh()
    refs = Refs(branches={BRANCH: COMMIT}, pulls=None, at=0.0)
    assert titles(NamedPulls(known, refs, head=BRANCH, base="main", among=[], per_page=2).believed()) == []


def test_that_the_newest_of_many_has_ended_is_no_reason_to_list_all() -> None:
    host = Counted(selects_by_head=False, open=[marked("closed", CLOSED), marked("ours", OPEN, 2)])
    pulls = named(KnownPulls(cast(Host, host), "o/r"), {3: COMMIT, 2: COMMIT, 1: COMMIT, **OTHERS})
    assert titles(pulls.opened()) == ["ours"]
    assert host.asked == ["number 3", "open"]
