"""How often a repository's pull requests are asked for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from layering.forge.host import Host
from layering.forge.knownpulls import KnownPulls
from layering.forge.pullrequest import PullRequest, PullState

BRANCH = "layerwatch/prod/worker"
OTHER = "layerwatch/prod/infra"
AT = datetime(2026, 3, 1, tzinfo=UTC)


def pull(title: str, head: str = BRANCH) -> PullRequest:
    return PullRequest(
        number=1, url="https://f.test/1", title=title, body="", state=PullState.OPEN, draft=False, head=head,
        head_commit="c" * 40, base="main", updated=AT,
    )  # fmt: skip


@dataclass
class Counted:
    """A part of Host that tells another title each time."""

    asked: list[str] = field(default_factory=list)
    selects_by_head: bool = True

    def now(self) -> datetime:
        return AT

    def pulls_of(self, repository: str, head: str, base: str) -> list[PullRequest]:
        self.asked.append("all of a branch")
        return [pull("listed")]

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


def test_a_forge_that_selects_no_branch_is_asked_once_for_all_of_them() -> None:
    host = Counted(selects_by_head=False)
    known = KnownPulls(cast(Host, host), "o/r")
    titles = [[each.title for each in known.of(head, "main")] for head in (BRANCH, OTHER, "layerwatch/prod/none")]
    assert titles == [["changed"], ["another's"], []]
    assert host.asked == ["changed"]
    known.take(pull("written", "layerwatch/prod/none"))
    assert [each.title for each in known.of("layerwatch/prod/none", "main")] == ["written"]
    known.forget(BRANCH)
    assert [each.title for each in known.of(OTHER, "main")] == ["another's"]
    assert [each.title for each in known.of(BRANCH, "main")] == ["changed"]
    assert host.asked == ["changed", "changed"]
