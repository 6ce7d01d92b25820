"""What is different from the last verdict: a decision, a build that ended, a proposal that moved.

Pure bookkeeping over the verdicts of one process, for what counts and announces changes (metrics, Events, the log).
Decisions never depend on it: a process that starts anew merely has nothing to compare its first verdicts with.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from layering.reasons import Reason
from watcher.engines.engine import Build, BuildState
from watcher.report import Verdict
from watcher.world import Observation, Subject


class BuildResult(StrEnum):
    """How a build ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISCONFIGURED = "misconfigured"
    CANCELLED = "cancelled"


class ProposalMove(StrEnum):
    """What became of a proposal."""

    OPENED = "opened"
    MERGED = "merged"
    REFUSED = "refused"
    EDITED = "edited"
    REVERTED = "reverted"


_RESULTS = {
    BuildState.FAILED: BuildResult.FAILED,
    BuildState.EXHAUSTED: BuildResult.FAILED,
    BuildState.MISCONFIGURED: BuildResult.MISCONFIGURED,
    BuildState.CANCELLED: BuildResult.CANCELLED,
}
_MOVES = {
    Reason.PROPOSAL_OPEN: ProposalMove.OPENED,
    Reason.EDITED_BY_PERSON: ProposalMove.EDITED,
    Reason.CLOSED_BY_PERSON: ProposalMove.REFUSED,
    Reason.IGNORED_BY_COMMAND: ProposalMove.REFUSED,
    Reason.REVERTED: ProposalMove.REVERTED,
}
_MERGED = {Reason.MATCHES_BASE, Reason.MERGED_NOT_APPLIED, Reason.POOL_UPDATING, Reason.POOL_PAUSED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One verdict beside the one before it. `is_first`: there is none before it, and nothing can be said to be new.

    `failed` is the build that ended badly, when `result` says that one did.
    """

    verdict: Verdict
    is_first: bool
    is_other_decision: bool
    result: BuildResult | None = None
    failed: Build | None = None
    move: ProposalMove | None = None


class Changes:
    """The last verdict on every subject."""

    def __init__(self) -> None:
        self._last: dict[Subject, Verdict] = {}
        self._counted: dict[str, tuple[str, set[object]]] = {}

    def note(self, verdict: Verdict) -> Change:
        """Compare with the last verdict on the same subject, and keep this one."""
        before = self._last.get(verdict.subject)
        self._last[verdict.subject] = verdict
        if before is None:
            return Change(verdict=verdict, is_first=True, is_other_decision=True)
        result = self._result(before, verdict)
        return Change(
            verdict=verdict,
            is_first=False,
            is_other_decision=_said(before) != _said(verdict),
            result=result,
            failed=_build(verdict) if result not in (None, BuildResult.SUCCEEDED) else None,
            move=_move(before, verdict),
        )

    def keep(self, subjects: Iterable[Subject]) -> None:
        """Forget every other subject: it is not in the configuration any more."""
        kept = set(subjects)
        self._last = {subject: verdict for subject, verdict in self._last.items() if subject in kept}

    def _result(self, before: Verdict, verdict: Verdict) -> BuildResult | None:
        """How a build of the wanted key ended, told once for an image however many pools it has."""
        if not isinstance(verdict.seen, Observation):
            return None
        key, build = str(verdict.seen.wanted.key), verdict.seen.build
        was_there = isinstance(before.seen, Observation) and str(before.seen.wanted.key) == key
        if was_there and verdict.seen.built and before.seen.built is None:  # type: ignore[union-attr] # see was_there
            return BuildResult.SUCCEEDED if self._is_new(verdict, key, BuildResult.SUCCEEDED) else None
        if build is None or build.state not in _RESULTS or build == _build(before):
            return None
        return _RESULTS[build.state] if self._is_new(verdict, key, build.attempt) else None

    def _is_new(self, verdict: Verdict, key: str, what: object) -> bool:
        image = verdict.subject.image
        if self._counted.get(image, ("", set()))[0] != key:
            self._counted[image] = (key, set())
        counted = self._counted[image][1]
        is_new = what not in counted
        counted.add(what)
        return is_new


def _said(verdict: Verdict) -> tuple[object, ...]:
    key = str(verdict.seen.wanted.key) if isinstance(verdict.seen, Observation) else None
    return verdict.decision.kind, verdict.decision.reason, key


def _build(verdict: Verdict) -> Build | None:
    return verdict.seen.build if isinstance(verdict.seen, Observation) else None


def _move(before: Verdict, verdict: Verdict) -> ProposalMove | None:
    old, new = before.decision.reason, verdict.decision.reason
    if old is new or verdict.subject.pool is None:
        return None
    if old is Reason.PROPOSAL_OPEN and new in _MERGED:
        return ProposalMove.MERGED
    return _MOVES.get(new)
