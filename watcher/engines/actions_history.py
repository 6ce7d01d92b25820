"""What the workflow runs of one key amount to: under way, to be tried again and when, or somebody's turn. Pure.

Runs are found by `[KEY/ATTEMPT]` in their title. A run that was cancelled for another key counts for nothing: wanted
again, it is built again. tests/engines/test_actions_history.py is the table.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from layering.forge.workflows import WorkflowRun
from layering.reasons import Reason
from watcher.engines.engine import Build, BuildState

NAME = "githubActions"
_TAG = re.compile(r"\[(?P<key>[0-9a-f]{64})/(?P<attempt>[1-9][0-9]{0,4})\]")
_WAITS_FOR_SOMEBODY = frozenset({"waiting", "action_required"})
_TAKES_NO_TIME = _WAITS_FOR_SOMEBODY | {"pending"}  # for another run of its `concurrency` group
_SUPERSEDED_WITHIN = timedelta(minutes=10)  # from the newer run's beginning to the end of the cancelled one


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRun:
    """A run of ours: its key and attempt, as its title tells."""

    run: WorkflowRun
    key: str
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempts:
    """How often a key is tried, how long to wait after each failure (the last wait for all further ones), and how long
    one run may take.
    """

    limit: int
    backoff: Sequence[timedelta]
    timeout: timedelta

    def wait(self, attempt: int) -> timedelta:
        """After the nth attempt failed."""
        return self.backoff[min(attempt, len(self.backoff)) - 1]


def tag(key: str, attempt: int) -> str:
    """What the title of a run of ours contains."""
    return f"[{key}/{attempt}]"


def key_run(run: WorkflowRun) -> KeyRun | None:
    """What the title tells; None when it is no run of ours."""
    found = _TAG.search(run.title)
    return KeyRun(run=run, key=found["key"], attempt=int(found["attempt"])) if found else None


def judge(
    runs: Sequence[KeyRun], others: Sequence[KeyRun], attempts: Attempts, repository: str, now: datetime
) -> Build | None:
    """Where one key stands. `runs` are the key's, `others` those of other keys of the same image; in any order."""
    if not runs:
        return None
    in_order = sorted(runs, key=lambda each: (each.attempt, each.run.created))
    newest = in_order[-1]
    going = [each for each in in_order if not each.run.is_finished and not _is_overdue(each, attempts, now)]
    tried = len({each.attempt for each in runs if not _is_superseded(each, others)})
    if going:
        return _running(going[-1], repository)
    if not newest.run.is_finished:
        return _failed(newest, tried, attempts, repository, newest.run.started + attempts.timeout)
    if newest.run.conclusion == "cancelled" and _is_superseded(newest, others):
        return _again(newest, repository)
    if newest.run.conclusion == "cancelled" and newest.run.updated - newest.run.started < attempts.timeout:
        return _cancelled(newest, repository)
    if newest.run.conclusion == "success":
        return _without_image(newest, repository)
    return _failed(newest, tried, attempts, repository, newest.run.updated)


def _is_overdue(each: KeyRun, attempts: Attempts, now: datetime) -> bool:
    """Whether it is under way for longer than it may. While it waits for a person, or its turn, that does not count."""
    return each.run.status not in _TAKES_NO_TIME and now - each.run.started > attempts.timeout


def _is_superseded(each: KeyRun, others: Sequence[KeyRun]) -> bool:
    """Cancelled, and not by a person: it ended soon after another key of the image was begun, and whoever begins one
    cancels the others, we as GitHub (`concurrency`).
    """
    since = max(each.run.started, each.run.updated - _SUPERSEDED_WITHIN)
    is_cancelled = each.run.conclusion == "cancelled"
    return is_cancelled and any(since <= other.run.created <= each.run.updated for other in others)


def _build(each: KeyRun, repository: str) -> Build:
    return Build(
        engine=NAME,
        name=str(each.run.id),
        state=BuildState.RUNNING,
        attempt=each.attempt,
        reason=Reason.BUILD_RUNNING,
        message=f"run {each.run.url or each.run.id} is {each.run.status.replace('_', ' ')}",
        log=f"gh run view {each.run.id} --repo {repository} --log",
        url=each.run.url or None,
    )


def _running(each: KeyRun, repository: str) -> Build:
    build = _build(each, repository)
    if each.run.status in _WAITS_FOR_SOMEBODY:
        return replace(build, next_step="somebody has to let it run there: its environment asks for an approval")
    return build


def _failed(each: KeyRun, tried: int, attempts: Attempts, repository: str, ended: datetime) -> Build:
    """`tried` is how many attempts there were so far, this one included. GitHub calls one that ran for as long as its
    job may cancelled, too.
    """
    build = _build(each, repository)
    how = f"ended: {each.run.conclusion}" if each.run.is_finished else f"is {each.run.status} after {attempts.timeout}"
    build = replace(build, message=f"run {each.run.url or each.run.id} {how.replace('_', ' ')}")
    first = "" if each.run.is_finished else "cancel it there and "
    if tried >= attempts.limit:
        return replace(
            build,
            state=BuildState.EXHAUSTED,
            reason=Reason.BUILD_FAILED,
            message=f"{build.message}; no attempt is left",
            next_step=f"to try once more, {first}re-run it there: gh run rerun {each.run.id} --repo {repository}",
        )
    return replace(
        build,
        state=BuildState.FAILED,
        reason=Reason.BACK_OFF,
        next_step="nothing to do; it is tried again",
        retry_at=ended + attempts.wait(tried),
    )


def _again(each: KeyRun, repository: str) -> Build:
    return replace(
        _build(each, repository),
        state=BuildState.FAILED,
        reason=Reason.BACK_OFF,
        message=f"run {each.run.url or each.run.id} was cancelled, since another build was wanted",
        next_step="nothing to do; it is tried again",
        retry_at=each.run.updated,
    )


def _cancelled(each: KeyRun, repository: str) -> Build:
    return replace(
        _build(each, repository),
        state=BuildState.CANCELLED,
        reason=Reason.BUILD_CANCELLED,
        message=f"run {each.run.url or each.run.id} was cancelled by somebody",
        next_step=f"to have it built, re-run it there: gh run rerun {each.run.id} --repo {repository}",
    )


def _without_image(each: KeyRun, repository: str) -> Build:
    return replace(
        _build(each, repository),
        state=BuildState.EXHAUSTED,
        reason=Reason.BUILD_WITHOUT_IMAGE,
        message=f"run {each.run.url or each.run.id} succeeded, and its image is not in the registry",
        next_step="see whether the workflow pushes to the image's target, and whether nobody deleted the tag",
    )
