"""How often a repository's pull requests are asked for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest

from layering.forge.host import Host
from layering.forge.knownpulls import KnownPulls
from layering.forge.pullrequest import PullRequest, PullState

BRANCH = "layerwatch/prod/worker"
OTHER = "layerwatch/prod/infra"
AT = datetime(2026, 3, 1, tzinfo=UTC)


def pull(title: str, head: str = BRANCH, state: PullState = PullState.OPEN, number: int = 1) -> PullRequest:
    return PullRequest(
        number=number, url="https://f.test/1", title=title, body="", state=state, draft=False, head=head,
        head_commit="c" * 40, base="main", updated=AT,
    )  # fmt: skip


@dataclass
class Counted:
    """A part of Host that tells another title each time."""

    asked: list[str] = field(default_factory=list)
    selects_by_head: bool = True
    latest: tuple[list[PullRequest], bool] = ([], True)
    open: list[PullRequest] = field(default_factory=list)

    def now(self) -> datetime:
        return AT

    def pulls_of(self, repository: str, head: str, base: str) -> list[PullRequest]:
        self.asked.append("all of a branch")
        return [pull("listed")]

    def latest_pulls(self, repository: str) -> tuple[list[PullRequest], bool]:
        self.asked.append("latest")
        return self.latest

    def open_pulls(self, repository: str) -> list[PullRequest]:
        self.asked.append("open")
        return self.open

    def changed_pulls(self, repository: str, since: datetime, *, below: str) -> list[PullRequest]:
        self.asked.append("changed")
        assert BRANCH.startswith(below)
        return [pull("changed"), pull("another's", OTHER)]


def test_a_write_of_ours_tells_once_what_the_next_look_would_ask() -> None:
    host = Counted()
    known = KnownPulls(cast(Host, host), "o/r")
    known.refresh()
    assert host.asked == []
    assert [each.title for each in known.of(BRANCH, "main")] == ["listed"]
    known.take(pull("written"))
    known.refresh()
    assert [each.title for each in known.of(BRANCH, "main")] == ["written"]
    assert host.asked == ["all of a branch"]
    known.refresh()
    assert [each.title for each in known.of(BRANCH, "main")] == ["changed"]
    known.refresh()
    assert host.asked == ["all of a branch", "changed", "changed"]


CLOSED, THEIRS = pull("closed", state=PullState.CLOSED), pull("x", "feature")
SECOND = pull("second", number=2)


@pytest.mark.parametrize(
    ("latest", "is_all", "open_ones", "opened", "asked"),
    [
        pytest.param([], True, [], [], [], id="there are none"),
        pytest.param([pull("a"), THEIRS], True, [], ["a"], [], id="few, ours among them"),
        pytest.param([CLOSED, THEIRS], False, [THEIRS], [], ["open"], id="many, ours is closed"),
        pytest.param([THEIRS], False, [THEIRS, pull("a")], ["a"], ["open"], id="many, ours waits for long"),
        pytest.param(
            [SECOND], False, [SECOND, pull("a")], ["second", "a"], ["open"], id="many, and somebody opened a second one"
        ),
    ],
)
def test_a_forge_that_selects_no_branch_is_asked_no_more_than_is_needed(
    latest: list[PullRequest], is_all: bool, open_ones: list[PullRequest], opened: list[str], asked: list[str]
) -> None:
    host = Counted(selects_by_head=False, latest=(latest, is_all), open=open_ones)
    known = KnownPulls(cast(Host, host), "o/r")
    for _ in range(2):
        assert [each.title for each in known.opened(BRANCH, "main")] == opened
        assert host.asked == ["latest", *asked]
    known.of(BRANCH, "main")
    known.of(OTHER, "main")
    assert host.asked == ["latest", *asked, *([] if is_all else ["changed"])]


def test_a_branch_that_is_forgotten_is_asked_for_again() -> None:
    host = Counted(selects_by_head=False)
    known = KnownPulls(cast(Host, host), "o/r")
    assert known.opened(BRANCH, "main") == []
    known.take(pull("written"))
    assert [each.title for each in known.opened(BRANCH, "main")] == ["written"]
    known.forget(BRANCH)
    host.latest = ([pull("another's", OTHER), pull("moved")], True)
    assert [each.title for each in known.opened(BRANCH, "main")] == ["moved"]
    assert [each.title for each in known.of(OTHER, "main")] == ["another's"]
    assert host.asked == ["latest", "latest"]
