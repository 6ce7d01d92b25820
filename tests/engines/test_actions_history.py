"""What the workflow runs of one key amount to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from layering.forge.workflows import WorkflowRun
from layering.reasons import Reason
from watcher.engines.actions_history import Attempts, KeyRun, judge, key_run, tag
from watcher.engines.engine import BuildState

KEY, OTHER_KEY = "1" * 64, "2" * 64
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ATTEMPTS = Attempts(limit=3, backoff=(MINUTE, 5 * MINUTE), timeout=120 * MINUTE)


def _run(
    status: str = "completed",
    conclusion: str | None = "failure",
    *,
    attempt: int = 1,
    key: str = KEY,
    created: timedelta = -20 * MINUTE,
    started: timedelta | None = None,
    updated: timedelta = -10 * MINUTE,
) -> KeyRun:
    run = WorkflowRun(
        id=100 + attempt,
        title=f"worker-os {tag(key, attempt)}",
        url=f"https://github.example.com/acme/builds/actions/runs/{100 + attempt}",
        status=status,
        conclusion=None if status != "completed" else conclusion,
        created=NOW + created,
        started=NOW + (created if started is None else started),
        updated=NOW + updated,
    )
    return KeyRun(run=run, key=key, attempt=attempt)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Runs of the key, and of another key of the same image; what they amount to."""

    name: str
    runs: tuple[KeyRun, ...]
    others: tuple[KeyRun, ...] = ()
    state: BuildState | None
    reason: Reason | None = None
    attempt: int = 1
    retry_at: timedelta | None = None


CASES = (
    Case(name="nothing ran", runs=(), state=None),
    *(
        Case(name=f"{status}", runs=(_run(status),), state=BuildState.RUNNING, reason=Reason.BUILD_RUNNING)
        for status in ("queued", "in_progress", "waiting", "requested", "pending")
    ),
    *(
        Case(
            name=f"ended with {conclusion}",
            runs=(_run(conclusion=conclusion),),
            state=BuildState.FAILED,
            reason=Reason.BACK_OFF,
            retry_at=-9 * MINUTE,
        )
        for conclusion in ("failure", "timed_out", "startup_failure", "action_required", "stale", "neutral", "skipped")
    ),
    Case(
        name="failed twice: the second wait",
        runs=(_run(), _run(attempt=2)),
        state=BuildState.FAILED,
        reason=Reason.BACK_OFF,
        attempt=2,
        retry_at=-5 * MINUTE,
    ),
    Case(
        name="failed three times",
        runs=(_run(), _run(attempt=2), _run(attempt=3)),
        state=BuildState.EXHAUSTED,
        reason=Reason.BUILD_FAILED,
        attempt=3,
    ),
    Case(
        name="the last one was run again, and runs",
        runs=(_run(), _run(attempt=2), _run("in_progress", attempt=3)),
        state=BuildState.RUNNING,
        reason=Reason.BUILD_RUNNING,
        attempt=3,
    ),
    Case(
        name="succeeded, and there is no tag",
        runs=(_run(conclusion="success"),),
        state=BuildState.EXHAUSTED,
        reason=Reason.BUILD_WITHOUT_IMAGE,
    ),
    Case(
        name="cancelled by somebody",
        runs=(_run(conclusion="cancelled"),),
        state=BuildState.CANCELLED,
        reason=Reason.BUILD_CANCELLED,
    ),
    Case(
        name="cancelled by somebody, long after another key was built",
        runs=(_run(conclusion="cancelled"),),
        others=(_run(key=OTHER_KEY, created=-300 * MINUTE),),
        state=BuildState.CANCELLED,
        reason=Reason.BUILD_CANCELLED,
    ),
    Case(
        name="cancelled by somebody, and then another key was begun",
        runs=(_run(conclusion="cancelled"),),
        others=(_run(key=OTHER_KEY, created=-9 * MINUTE),),
        state=BuildState.CANCELLED,
        reason=Reason.BUILD_CANCELLED,
    ),
    Case(
        name="cancelled by us, for another key",
        runs=(_run(conclusion="cancelled"),),
        others=(_run(key=OTHER_KEY, created=-10 * MINUTE),),
        state=BuildState.FAILED,
        reason=Reason.BACK_OFF,
        retry_at=-10 * MINUTE,
    ),
    Case(
        name="cancelled by us, and it took its time to end",
        runs=(_run(conclusion="cancelled"),),
        others=(_run(key=OTHER_KEY, created=-18 * MINUTE),),
        state=BuildState.FAILED,
        reason=Reason.BACK_OFF,
        retry_at=-10 * MINUTE,
    ),
    Case(
        name="cancelled by somebody, while another key's was under way for long",
        runs=(_run(conclusion="cancelled", created=-60 * MINUTE),),
        others=(_run(key=OTHER_KEY, created=-30 * MINUTE),),
        state=BuildState.CANCELLED,
        reason=Reason.BUILD_CANCELLED,
    ),
    Case(
        name="cancelled by us, run again by somebody, and cancelled by somebody",
        runs=(_run(conclusion="cancelled", created=-60 * MINUTE, started=-20 * MINUTE),),
        others=(_run(key=OTHER_KEY, created=-50 * MINUTE),),
        state=BuildState.CANCELLED,
        reason=Reason.BUILD_CANCELLED,
    ),
    Case(
        name="failed after it was superseded twice: the first wait",
        runs=(
            _run(conclusion="cancelled", created=-60 * MINUTE, updated=-50 * MINUTE),
            _run(conclusion="cancelled", attempt=2, created=-40 * MINUTE, updated=-30 * MINUTE),
            _run(attempt=3),
        ),
        others=(_run(key=OTHER_KEY, created=-50 * MINUTE), _run(key=OTHER_KEY, created=-30 * MINUTE)),
        state=BuildState.FAILED,
        reason=Reason.BACK_OFF,
        attempt=3,
        retry_at=-9 * MINUTE,
    ),
    Case(
        name="cancelled by GitHub, for its job took as long as it may",
        runs=(_run(conclusion="cancelled", created=-130 * MINUTE),),
        state=BuildState.FAILED,
        reason=Reason.BACK_OFF,
        retry_at=-9 * MINUTE,
    ),
    Case(
        name="runs longer than it may",
        runs=(_run("in_progress", created=-121 * MINUTE),),
        state=BuildState.FAILED,
        reason=Reason.BACK_OFF,
        retry_at=0 * MINUTE,
    ),
    Case(
        name="runs longer than it may, and no attempt is left",
        runs=(_run(), _run(attempt=2), _run("in_progress", attempt=3, created=-121 * MINUTE)),
        state=BuildState.EXHAUSTED,
        reason=Reason.BUILD_FAILED,
        attempt=3,
    ),
    Case(
        name="waits for somebody's approval, for as long as that takes",
        runs=(_run("waiting", created=-600 * MINUTE),),
        state=BuildState.RUNNING,
        reason=Reason.BUILD_RUNNING,
    ),
    Case(
        name="waits for its turn, for as long as that takes",
        runs=(_run("pending", created=-600 * MINUTE),),
        state=BuildState.RUNNING,
        reason=Reason.BUILD_RUNNING,
    ),
    Case(
        name="run again long after it began",
        runs=(_run("in_progress", created=-600 * MINUTE, started=-5 * MINUTE),),
        state=BuildState.RUNNING,
        reason=Reason.BUILD_RUNNING,
    ),
    Case(
        name="an earlier one was run again, and runs",
        runs=(_run("in_progress", created=-600 * MINUTE, started=-5 * MINUTE), _run(attempt=2)),
        state=BuildState.RUNNING,
        reason=Reason.BUILD_RUNNING,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_judged(case: Case) -> None:
    found = judge(case.runs, case.others, ATTEMPTS, "acme/builds", NOW)
    if case.state is None:
        assert found is None
        return
    assert found is not None
    assert (found.state, found.reason, found.attempt) == (case.state, case.reason, case.attempt)
    assert found.retry_at == (None if case.retry_at is None else NOW + case.retry_at)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param(f"worker-os [{KEY}/1]", (KEY, 1), id="as our workflow has it"),
        pytest.param(f"[{KEY}/12] by a person's own pattern", (KEY, 12), id="anywhere in it"),
        pytest.param(f"worker-os [{KEY[:12]}/1]", None, id="half a key"),
        pytest.param(f"worker-os [{KEY}/0]", None, id="no attempt"),
        pytest.param("nightly", None, id="another run"),
    ],
)
def test_a_run_is_ours_by_its_title(title: str, expected: tuple[str, int] | None) -> None:
    run = WorkflowRun(
        id=1, title=title, url="", status="queued", conclusion=None, created=NOW, started=NOW, updated=NOW
    )
    found = key_run(run)
    assert (found and (found.key, found.attempt)) == expected
