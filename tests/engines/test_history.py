"""What the runs of one key amount to. The tables are the specification: which runs there are, where the key stands."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.cluster.pipelineruns import parse_pipeline_run
from layering.reasons import Reason
from tests.engines.runs import (
    CREATED,
    FINISHED,
    KEY,
    Document,
    condition,
    failed,
    run,
    succeeded,
    superseded,
)
from watcher.engines.engine import Build, BuildState
from watcher.engines.tekton_history import Attempts, backoff, judge

ATTEMPTS = Attempts(limit=3, backoff=timedelta(minutes=1), namespace="builds")
NOW = FINISHED + timedelta(minutes=30)
MINUTE = timedelta(minutes=1)


def build_of(*runs: Document, attempts: Attempts = ATTEMPTS, now: datetime = NOW) -> Build:
    build = judge([parse_pipeline_run(document) for document in runs], attempts, now)
    assert build is not None
    return build


def test_no_runs_are_no_build() -> None:
    assert judge([], ATTEMPTS, NOW) is None


REASONS = {  # how a run ended: what follows from it
    "Failed": BuildState.FAILED,
    "PipelineRunTimeout": BuildState.FAILED,
    "CreateRunFailed": BuildState.FAILED,
    "SomethingNewInTekton": BuildState.FAILED,
    "": BuildState.FAILED,
    "Cancelled": BuildState.CANCELLED,
    "CouldntGetPipeline": BuildState.MISCONFIGURED,
    "CouldntGetTask": BuildState.MISCONFIGURED,
    "CouldntGetPipelineResult": BuildState.MISCONFIGURED,
    "ParameterMissing": BuildState.MISCONFIGURED,
    "ParameterTypeMismatch": BuildState.MISCONFIGURED,
    "ObjectParameterMissKeys": BuildState.MISCONFIGURED,
    "ParamArrayIndexingInvalid": BuildState.MISCONFIGURED,
    "InvalidPipelineResourceBindings": BuildState.MISCONFIGURED,
    "InvalidWorkspaceBindings": BuildState.MISCONFIGURED,
    "InvalidTaskRunSpecs": BuildState.MISCONFIGURED,
    "InvalidMatrixParameterTypes": BuildState.MISCONFIGURED,
    "InvalidTaskResultReference": BuildState.MISCONFIGURED,
    "InvalidPipelineResultReference": BuildState.MISCONFIGURED,
    "InvalidParamValue": BuildState.MISCONFIGURED,
    "PipelineValidationFailed": BuildState.MISCONFIGURED,
    "PipelineInvalidGraph": BuildState.MISCONFIGURED,
    "RequiredWorkspaceMarkedOptional": BuildState.MISCONFIGURED,
    "ResourceVerificationFailed": BuildState.MISCONFIGURED,
    "CELEvaluationFailed": BuildState.MISCONFIGURED,
}


@pytest.mark.parametrize(("reason", "state"), REASONS.items(), ids=[name or "no reason" for name in REASONS])
def test_how_a_run_ended(reason: str, state: BuildState) -> None:
    build = build_of(failed(reason=reason))
    reasons = {
        BuildState.FAILED: Reason.BACK_OFF,
        BuildState.CANCELLED: Reason.BUILD_CANCELLED,
        BuildState.MISCONFIGURED: Reason.BUILD_MISCONFIGURED,
    }
    assert (build.state, build.reason, build.attempt) == (state, reasons[state], 1)
    assert build.retry_at == (FINISHED + MINUTE if state is BuildState.FAILED else None)
    assert build.next_step


UNFINISHED = {
    "Tekton has not seen it": ({}, "is not begun yet"),
    "begun": (condition("Unknown", "Started", "Not all Tasks have completed"), "Not all Tasks have completed"),
    "running": (condition("Unknown", "Running", "Tasks Completed: 1"), "is building: Tasks Completed: 1"),
    "resolving": (condition("Unknown", "ResolvingPipelineRef", "waiting"), "is building: waiting"),
    "in its finally": (condition("Unknown", "CancelledRunningFinally", "x"), "is building: x"),
    "a status that is none": ({"conditions": [{"type": "Succeeded", "status": "Perhaps"}]}, "is not begun yet"),
    "no status at all": ({"conditions": "none"}, "is not begun yet"),
}


@pytest.mark.parametrize(("status", "says"), UNFINISHED.values(), ids=UNFINISHED)
def test_a_run_that_is_not_finished_is_running(status: dict[str, Any], says: str) -> None:
    document = run(1)
    document["status"] = status
    build = build_of(document)
    assert (build.state, build.reason, build.retry_at) == (BuildState.RUNNING, Reason.BUILD_RUNNING, None)
    assert says in build.message
    assert build.log == f"oc logs -n builds -l tekton.dev/pipelineRun={build.name} --all-containers --prefix"


def test_a_run_that_nobody_picks_up_points_at_the_controller() -> None:
    assert build_of(run(1), now=CREATED + MINUTE).next_step == ""
    assert "controller" in build_of(run(1), now=CREATED + 3 * MINUTE).next_step


def test_a_run_that_somebody_holds_back_says_so() -> None:
    build = build_of(run(1, condition("Unknown", "PipelineRunPending"), asked_to_end="PipelineRunPending"))
    assert (build.state, "PipelineRunPending" in build.message) == (BuildState.RUNNING, True)


HISTORIES: dict[str, tuple[list[Document], BuildState, int, timedelta | None]] = {
    # runs: state, the number the next attempt follows, and how long after FINISHED it is due
    "second failure": ([failed(1), failed(2)], BuildState.FAILED, 2, 2 * MINUTE),
    "used up": ([failed(1), failed(2), failed(3)], BuildState.EXHAUSTED, 3, None),
    "used up by time": ([failed(n, "PipelineRunTimeout") for n in (1, 2, 3)], BuildState.EXHAUSTED, 3, None),
    "the first two were deleted": ([failed(3)], BuildState.FAILED, 3, 4 * MINUTE),
    "the middle one was pruned": ([failed(1), failed(3)], BuildState.FAILED, 3, 4 * MINUTE),
    "a later attempt runs": ([failed(1), run(2)], BuildState.RUNNING, 2, None),
    "an earlier one still runs": ([run(1), failed(2)], BuildState.RUNNING, 1, None),
    "cancelled after a failure": ([failed(1), failed(2, "Cancelled")], BuildState.CANCELLED, 2, None),
    "stopped by somebody": ([failed(1, asked_to_end="StoppedRunFinally")], BuildState.CANCELLED, 1, None),
    "misconfigured at the second": ([failed(1), failed(2, "CouldntGetTask")], BuildState.MISCONFIGURED, 2, None),
    "mended by hand, failed again": ([failed(1, "CouldntGetTask"), failed(2)], BuildState.FAILED, 2, 2 * MINUTE),
    "superseded and wanted again": ([superseded(1)], BuildState.FAILED, 1, timedelta()),
    "superseded does not count": ([failed(1), failed(2), superseded(3)], BuildState.FAILED, 3, timedelta()),
    "superseded while it is ending": (
        [run(1, condition("Unknown", "CancelledRunningFinally"), asked_to_end="Cancelled", superseded_by="f" * 64)],
        BuildState.RUNNING,
        1,
        None,
    ),
    "superseded too late": ([succeeded(1, superseded_by="f" * 64)], BuildState.FAILED, 1, timedelta()),
    "succeeded, and the image is gone": ([succeeded(1)], BuildState.FAILED, 1, timedelta()),
    "succeeded in vain, all of them": ([succeeded(1), succeeded(2), failed(3)], BuildState.EXHAUSTED, 3, None),
    "run again by hand": (
        [failed(1), failed(1, name="layered-image-rebuild-x7k2p", created=CREATED + MINUTE)],
        BuildState.FAILED,
        1,
        MINUTE,
    ),
    "superseded, and run again by hand": (
        [superseded(1), run(1, name="rerun-x7k2p", superseded_by="f" * 64)],
        BuildState.RUNNING,
        1,
        None,
    ),
    "run again by hand, and running": ([failed(1), run(1, name="rerun-x7k2p")], BuildState.RUNNING, 1, None),
}


@pytest.mark.parametrize(("runs", "state", "attempt", "wait"), HISTORIES.values(), ids=HISTORIES)
def test_histories(runs: list[Document], state: BuildState, attempt: int, wait: timedelta | None) -> None:
    build = build_of(*runs)
    assert (build.state, build.attempt) == (state, attempt)
    assert build.retry_at == (None if wait is None else FINISHED + wait)
    random.Random(1).shuffle(runs)
    assert build_of(*runs) == build


def test_the_tag_of_a_run_that_succeeded_may_be_late() -> None:
    build = build_of(succeeded(1), now=FINISHED + 4 * MINUTE)
    assert (build.state, build.reason) == (BuildState.SUCCEEDED, Reason.BUILD_RUNNING)


def test_what_a_run_says_it_pushed_is_shown_and_not_believed() -> None:
    document = succeeded(1)
    document["status"]["results"] = [{"name": "IMAGE_URL", "value": "registry.example.com/a/b:1"}]
    message = build_of(document).message
    assert message.endswith("-1 succeeded (registry.example.com/a/b:1), and its image is not in the registry")


def test_deleting_the_runs_starts_over_as_the_next_step_says() -> None:
    exhausted = build_of(failed(1), failed(2), failed(3))
    assert exhausted.next_step.endswith("oc delete pipelinerun -n builds -l layerwatch/build-key=0a1b2c3d4e5f")
    assert judge([], ATTEMPTS, NOW) is None


@pytest.mark.parametrize(
    ("attempt", "first", "wait"),
    [
        (1, MINUTE, MINUTE),
        (2, MINUTE, 2 * MINUTE),
        (6, MINUTE, 32 * MINUTE),
        (7, MINUTE, 60 * MINUTE),
        (999_999, MINUTE, 60 * MINUTE),
        (1, 5 * 60 * MINUTE, 60 * MINUTE),
        (3, timedelta(0), timedelta(0)),
        (0, MINUTE, MINUTE),
    ],
)
def test_the_wait_doubles_up_to_an_hour(attempt: int, first: timedelta, wait: timedelta) -> None:
    assert backoff(attempt, first) == wait


def test_one_attempt_is_one_attempt() -> None:
    once = Attempts(limit=1, backoff=MINUTE, namespace="builds")
    assert build_of(failed(1), attempts=once).state is BuildState.EXHAUSTED


TIMES = {
    "no time of its end: that of its beginning": (failed(1, finished=None), CREATED + MINUTE),
    "ends in the future": (failed(1, finished=NOW + timedelta(days=9)), NOW + MINUTE),
}


@pytest.mark.parametrize(("document", "retry_at"), TIMES.values(), ids=TIMES)
def test_odd_times(document: Document, retry_at: datetime) -> None:
    assert build_of(document).retry_at == retry_at


def test_without_any_time_it_is_tried_at_once() -> None:
    document = failed(1, finished=None)
    del document["metadata"]["creationTimestamp"]
    assert build_of(document).retry_at == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


_TEXTS = st.text(max_size=20)
_RUNS = st.builds(
    run,
    st.integers(min_value=1, max_value=10**9),
    st.builds(condition, st.sampled_from(["True", "False", "Unknown", ""]), st.sampled_from(list(REASONS)), _TEXTS),
    key=st.just(KEY),
    created=st.datetimes(timezones=st.just(UTC)),
    finished=st.none() | st.datetimes(timezones=st.just(UTC)),
    asked_to_end=st.none() | _TEXTS,
    superseded_by=st.none() | _TEXTS,
)


@given(st.lists(_RUNS, min_size=1, max_size=6), st.integers(min_value=1, max_value=5))
def test_every_history_has_an_answer(documents: list[Document], limit: int) -> None:
    build = build_of(*documents, attempts=Attempts(limit=limit, backoff=MINUTE, namespace="builds"))
    assert (build.retry_at is not None) == (build.state is BuildState.FAILED)
    assert build.name in {document["metadata"]["name"] for document in documents}


def test_however_long_tekton_speaks_the_run_and_the_reason_stay() -> None:
    document = failed(reason="CouldntGetPipeline")
    document["status"]["conditions"][0]["message"] = "token=abc\x1b[2J" + "m" * 100_000 + " the end"
    message = build_of(document).message
    assert message == f"{document['metadata']['name']} failed: CouldntGetPipeline: … the end"
