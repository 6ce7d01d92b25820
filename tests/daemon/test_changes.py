"""What is new in a verdict beside the one before: the table of builds that ended and proposals that moved."""

import pytest

from layering.reasons import Reason
from tests.daemon.verdicts import BUILT, SUBJECT, build, observation, verdict
from watcher.changes import BuildResult, Changes, ProposalMove
from watcher.decision import Kind
from watcher.engines.engine import BuildState
from watcher.report import Verdict
from watcher.world import Failure, Subject

UNREACHABLE = Failure(reason=Reason.UNREACHABLE, message="down", next_step="", temporary=True)
RUNNING, FAILED = BuildState.RUNNING, BuildState.FAILED


def building(state: BuildState, attempt: int = 1, key: str = "a") -> Verdict:
    return verdict(Kind.REBUILD, Reason.NEVER_BUILT, seen=observation(key=key, build=build(state, attempt=attempt)))


def ready(key: str = "a") -> Verdict:
    return verdict(Kind.PROPOSE, Reason.IMAGE_READY, seen=observation(key=key, built=BUILT))


NOT_BUILT = verdict(Kind.REBUILD, Reason.NEVER_BUILT)

RESULTS = {
    "the first verdict": ([building(FAILED)], []),
    "started": ([NOT_BUILT, building(RUNNING)], []),
    "failed": ([building(RUNNING), building(FAILED)], [BuildResult.FAILED]),
    "failed at once": ([NOT_BUILT, building(FAILED)], [BuildResult.FAILED]),
    "failed for good": ([building(RUNNING, 3), building(BuildState.EXHAUSTED, 3)], [BuildResult.FAILED]),
    "misconfigured": ([building(RUNNING), building(BuildState.MISCONFIGURED)], [BuildResult.MISCONFIGURED]),
    "cancelled": ([building(RUNNING), building(BuildState.CANCELLED)], [BuildResult.CANCELLED]),
    "seen again": ([building(RUNNING), building(FAILED), building(FAILED)], [BuildResult.FAILED]),
    "seen after a gap": (
        [building(RUNNING), building(FAILED), verdict(seen=UNREACHABLE), building(FAILED)],
        [BuildResult.FAILED],
    ),
    "twice": (
        [building(RUNNING), building(FAILED), building(RUNNING, 2), building(FAILED, 2)],
        [BuildResult.FAILED, BuildResult.FAILED],
    ),
    "then it went well": (
        [building(RUNNING), building(FAILED), building(RUNNING, 2), ready()],
        [BuildResult.FAILED, BuildResult.SUCCEEDED],
    ),
    "succeeded": ([building(RUNNING), ready(), ready()], [BuildResult.SUCCEEDED]),
    "another key's image": ([building(RUNNING), ready("b")], []),
}


@pytest.mark.parametrize(("verdicts", "results"), RESULTS.values(), ids=RESULTS)
def test_builds_that_ended(verdicts: list[Verdict], results: list[BuildResult]) -> None:
    changes = Changes()
    found = [changes.note(one) for one in verdicts]
    assert [change.result for change in found if change.result] == results
    assert all((change.failed is None) == (change.result in (None, BuildResult.SUCCEEDED)) for change in found)


def test_a_build_counts_once_however_many_pools_it_is_for() -> None:
    changes = Changes()
    pools = [SUBJECT, Subject(image="worker-os", cluster="prod", pool="infra")]
    results = []
    for state in (RUNNING, FAILED):
        for pool in pools:
            seen = observation(subject=pool, build=build(state))
            results.append(changes.note(verdict(Kind.REBUILD, seen=seen, subject=pool)).result)
    assert [result for result in results if result] == [BuildResult.FAILED]


OPEN = (Kind.AWAITING_APPROVAL, Reason.PROPOSAL_OPEN)
READY = (Kind.PROPOSE, Reason.IMAGE_READY)


@pytest.mark.parametrize(
    ("before", "after", "move"),
    [
        (READY, OPEN, ProposalMove.OPENED),
        (OPEN, OPEN, None),
        (OPEN, (Kind.UP_TO_DATE, Reason.MATCHES_BASE), ProposalMove.MERGED),
        (OPEN, (Kind.ROLLING_OUT, Reason.MERGED_NOT_APPLIED), ProposalMove.MERGED),
        (OPEN, (Kind.HELD, Reason.CLOSED_BY_PERSON), ProposalMove.REFUSED),
        (OPEN, (Kind.HELD, Reason.IGNORED_BY_COMMAND), ProposalMove.REFUSED),
        (OPEN, (Kind.HELD, Reason.EDITED_BY_PERSON), ProposalMove.EDITED),
        (OPEN, (Kind.REBUILD, Reason.BASE_CHANGED), None),
        ((Kind.UP_TO_DATE, Reason.MATCHES_BASE), (Kind.BLOCKED, Reason.REVERTED), ProposalMove.REVERTED),
        (READY, (Kind.UP_TO_DATE, Reason.MATCHES_BASE), None),
    ],
)
def test_proposals_that_moved(
    before: tuple[Kind, Reason], after: tuple[Kind, Reason], move: ProposalMove | None
) -> None:
    changes = Changes()
    assert changes.note(verdict(*before)).move is None
    assert changes.note(verdict(*after)).move is move


def test_a_decision_is_another_one_by_its_kind_reason_and_key() -> None:
    changes = Changes()
    told = [
        changes.note(verdict(message="one")),
        changes.note(verdict(message="two")),
        changes.note(verdict(seen=observation(key="b"))),
        changes.note(verdict(Kind.HELD, Reason.POOL_PAUSED, seen=observation(key="b"))),
    ]
    assert [change.is_other_decision for change in told] == [True, False, True, True]
    assert [change.is_first for change in told] == [True, False, False, False]


def test_who_is_not_configured_any_more_is_forgotten() -> None:
    changes = Changes()
    changes.note(verdict())
    changes.keep([])
    assert changes.note(verdict()).is_first
