"""What the runs of one key amount to: under way, to be tried again and when, or somebody's turn. A pure function.

Only runs that exist count, so whoever deletes them starts over, and a pruner makes attempts forgotten; the wait between
attempts follows their numbers, which go on as long as one run is left. A run that we cancelled for the sake of another
key counts for nothing: wanted again, it is built again. tests/engines/test_history.py is the table.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from layering.cluster.pipelineruns import KEY_LABEL, Progress, RunState
from layering.excerpt import excerpt
from layering.reasons import Reason
from watcher.engines.engine import Build, BuildState
from watcher.engines.tekton_run import KEY_SHORT_LENGTH

NAME = "tekton"
BACKOFF_LONGEST = timedelta(hours=1)
TAG_LATE = timedelta(minutes=5)  # a registry that replicates may show a tag later; then the run has not pushed it
PICKED_UP_LATE = timedelta(minutes=2)
PLAINLY_FAILED = "Failed"  # a task did; which one, and why, its TaskRun says

_LONG_AGO = datetime.fromtimestamp(0, UTC)
_MISCONFIGURED = re.compile(  # pkg/apis/pipeline/v1/pipelinerun_types.go: what another attempt would not change
    r"CouldntGet\w+|Invalid\w+|PipelineInvalidGraph|PipelineValidationFailed|Parameter(Missing|TypeMismatch)"
    r"|ObjectParameterMissKeys|ParamArrayIndexingInvalid|RequiredWorkspaceMarkedOptional|ResourceVerificationFailed"
    r"|CELEvaluationFailed"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempts:
    """How often a key is tried, how long the first wait is, and in which namespace its runs are."""

    limit: int
    backoff: timedelta
    namespace: str


def judge(runs: Iterable[RunState], attempts: Attempts, now: datetime) -> Build | None:
    """Where one key stands, from all of its runs in whatever order. None when there are none."""
    ordered = sorted(runs, key=lambda run: (run.created or _LONG_AGO, run.attempt, run.name))
    if not ordered:
        return None
    unfinished = [run for run in ordered if run.progress is Progress.UNFINISHED]
    if unfinished:
        return _running(unfinished[-1], attempts, now)
    counted = [run for run in ordered if not _superseded(run)]
    if counted and (final := _final(counted[-1], attempts, now)) is not None:
        return final
    if len(counted) >= attempts.limit:
        return _exhausted(counted[-1], attempts)
    return _again(ordered[-1], max(run.attempt for run in ordered), attempts, now)


def backoff(attempt: int, first: timedelta) -> timedelta:
    """How long to wait after the nth attempt failed."""
    doubled: timedelta = min(first, BACKOFF_LONGEST) * 2 ** min(max(attempt, 1) - 1, 16)
    return min(doubled, BACKOFF_LONGEST)


def _superseded(run: RunState) -> bool:
    return run.is_superseded and run.progress is Progress.FAILED


def _running(run: RunState, attempts: Attempts, now: datetime) -> Build:
    said, next_step = f"is building: {run.message}" if run.message else "is building", ""
    if run.is_superseded:
        said = "is being cancelled, since another build was wanted; it is built again when it has ended"
    elif run.asked_to_end == "PipelineRunPending":
        said, next_step = "waits, since its spec.status is PipelineRunPending", "who set it there has to take it away"
    elif run.is_told_to_end:
        said = f"is being ended by somebody ({run.asked_to_end})"
    elif not run.reason:
        said = "is not begun yet"
        if now - (run.created or now) > PICKED_UP_LATE:
            next_step = "see whether Tekton's controller is running; it has not looked at the run"
    return Build(
        engine=NAME,
        name=run.name,
        state=BuildState.RUNNING,
        attempt=run.attempt,
        reason=Reason.BUILD_RUNNING,
        message=f"{run.name} {excerpt(said)}",
        next_step=next_step,
        log=f"oc logs -n {attempts.namespace} -l tekton.dev/pipelineRun={run.name} --all-containers --prefix",
    )


def _final(run: RunState, attempts: Attempts, now: datetime) -> Build | None:
    """What the newest run says when another attempt is not the answer; None when it is."""
    build = Build(
        engine=NAME,
        name=run.name,
        state=BuildState.SUCCEEDED,
        attempt=run.attempt,
        reason=Reason.BUILD_RUNNING,
        message=f"{run.name} succeeded{_claim(run)}; the registry does not show its image yet",
    )
    delete = f"oc delete pipelinerun -n {attempts.namespace} {run.name}"
    if run.is_told_to_end or run.reason == "Cancelled":
        return replace(
            build,
            state=BuildState.CANCELLED,
            reason=Reason.BUILD_CANCELLED,
            message=f"{run.name} was cancelled by somebody",
            next_step=f"to have it built, delete the run: {delete}",
        )
    if run.progress is Progress.SUCCEEDED:
        return build if now - _ended(run, now) < TAG_LATE else None
    if _MISCONFIGURED.fullmatch(run.reason):
        return replace(
            build,
            state=BuildState.MISCONFIGURED,
            reason=Reason.BUILD_MISCONFIGURED,
            message=_sentence(run),
            next_step=f"mend it, then delete the run: {delete}",
        )
    return None


def _exhausted(run: RunState, attempts: Attempts) -> Build:
    selector = f"{KEY_LABEL}={run.key[:KEY_SHORT_LENGTH]}"
    return Build(
        engine=NAME,
        name=run.name,
        state=BuildState.EXHAUSTED,
        attempt=run.attempt,
        reason=Reason.BUILD_FAILED,
        message=f"{_sentence(run)}; no attempt is left",
        next_step=f"to start over, delete its runs: oc delete pipelinerun -n {attempts.namespace} -l {selector}",
    )


def _again(run: RunState, highest: int, attempts: Attempts, now: datetime) -> Build:
    ended = _ended(run, now)
    wait = timedelta() if _superseded(run) or run.progress is Progress.SUCCEEDED else backoff(highest, attempts.backoff)
    return Build(
        engine=NAME,
        name=run.name,
        state=BuildState.FAILED,
        attempt=highest,
        reason=Reason.BACK_OFF,
        message=_sentence(run),
        next_step="nothing to do; it is tried again",
        retry_at=ended + wait,
    )


def _sentence(run: RunState) -> str:
    """What became of a run, in Tekton's words where they say more than that a task failed."""
    if _superseded(run):
        return f"{run.name} was cancelled, since another build was wanted"
    if run.progress is Progress.SUCCEEDED:
        return f"{run.name} succeeded{_claim(run)}, and its image is not in the registry"
    if run.reason == PLAINLY_FAILED:
        return f"{run.name} failed"
    reason = excerpt(run.reason, lines=1, characters=200) or "no reason given"
    return f"{run.name} failed: {reason}: {excerpt(run.message) or 'no message'}"


def _claim(run: RunState) -> str:
    """What it says it pushed. It is shown, never believed."""
    said = run.results.get("IMAGE_URL") or run.results.get("IMAGE_DIGEST")
    return f" ({excerpt(said, lines=1, characters=200)})" if said else ""


def _ended(run: RunState, now: datetime) -> datetime:
    """When it ended; never later than now, whatever clock wrote it."""
    return min(run.finished or run.created or _LONG_AGO, now)
