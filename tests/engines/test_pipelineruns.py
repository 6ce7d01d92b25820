"""What is read from PipelineRuns and TaskRuns, also from those that no controller wrote."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.cluster.pipelineruns import (
    FailedStep,
    Progress,
    TaskRunState,
    failing,
    parse_pipeline_run,
    parse_task_run,
)
from tests.engines.runs import CREATED, FINISHED, KEY, Document, condition, failed, run


def test_a_finished_run() -> None:
    document = failed(2)
    document["status"] |= {
        "startTime": "2026-03-01T12:00:01Z",
        "childReferences": [
            {"kind": "TaskRun", "name": "x-clone", "pipelineTaskName": "clone"},
            {"kind": "CustomRun", "name": "x-wait"},
            {"kind": "TaskRun", "name": "x-build"},
        ],
        "results": [{"name": "IMAGE_DIGEST", "value": "sha256:1"}, {"name": "LIST", "value": ["a"]}],
    }
    state = parse_pipeline_run(document)
    assert (state.name, state.image, state.key, state.attempt) == ("worker-os-0a1b2c3d4e5f-2", "worker-os", KEY, 2)
    assert (state.managed, state.progress, state.reason) == (True, Progress.FAILED, "Failed")
    assert state.message == "Tasks Completed: 1 (Failed: 1, Cancelled 0), Skipped: 2"
    assert (state.created, state.finished) == (CREATED, FINISHED)
    assert state.started == datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
    assert state.children == ("x-clone", "x-build")
    assert state.results == {"IMAGE_DIGEST": "sha256:1"}


@pytest.mark.parametrize(
    ("name", "label", "attempt"),
    [
        ("worker-os-0a1b2c3d4e5f-7", "7", 7),
        ("worker-os-0a1b2c3d4e5f-7", "9", 7),
        ("worker-os-0a1b2c3d4e5f-7", "nonsense", 7),
        ("rerun-x7k2p", "2", 2),
        ("rerun-x7k2p", "0", 1),
        ("rerun-x7k2p", "99999999999999999999", 1),
        ("worker-os-0a1b2c3d4e5f-007", "-3", 1),
    ],
)
def test_the_number_of_an_attempt_is_in_its_name(name: str, label: str, attempt: int) -> None:
    document = run(1, name=name)
    document["metadata"]["labels"]["layerwatch/attempt"] = label
    assert parse_pipeline_run(document).attempt == attempt


def step(name: str, exit_code: Any = 0, termination_reason: str = "Completed") -> Document:
    terminated = {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed"}
    return {
        "name": name,
        "container": f"step-{name}",
        "terminated": terminated,
        "terminationReason": termination_reason,
    }


def task_run(task: str, steps: list[Any], reason: str = "Failed", status: str = "False") -> Document:
    return {
        "metadata": {"name": f"x-{task}", "labels": {"tekton.dev/pipelineTask": task}},
        "status": {
            **condition(status, reason, '"step-x" exited with code 7'),
            "podName": f"x-{task}-pod",
            "completionTime": "2026-03-01T12:10:00Z",
            "steps": steps,
        },
    }


STEPS: dict[str, tuple[list[Any], FailedStep | None]] = {
    "the first that failed": (
        [step("a"), step("b", 7, "Error"), step("c", 1, "Skipped")],
        FailedStep(name="b", container="step-b", exit_code=7),
    ),
    "a failure that is ignored": (
        [step("a", 1, "Continued"), step("b", 2, "Error")],
        FailedStep(name="b", container="step-b", exit_code=2),
    ),
    "no container is named": (
        [{"name": "a", "terminated": {"exitCode": 1}}],
        FailedStep(name="a", container="step-a", exit_code=1),
    ),
    "all of them done": ([step("a")], None),
    "still running": ([{"name": "a", "running": {"startedAt": "2026-03-01T12:00:00Z"}}], None),
    "nonsense": (["a", None, {"terminated": []}, step("b", "1")], None),
}


@pytest.mark.parametrize(("steps", "expected"), STEPS.values(), ids=STEPS)
def test_the_step_that_failed(steps: list[Any], expected: FailedStep | None) -> None:
    state = parse_task_run(task_run("build", steps))
    assert state.step == expected
    assert (state.task, state.pod, state.reason) == ("build", "x-build-pod", "Failed")


def parsed(*documents: Document) -> list[TaskRunState]:
    return [parse_task_run(document) for document in documents]


def test_the_task_that_failed_is_the_one_with_a_failed_step() -> None:
    ended = task_run("aside", [], "TaskRunCancelled")
    broken = task_run("build", [step("b", 7, "Error")])
    found = failing(parsed(ended, task_run("clone", [step("a")], "Succeeded", "True"), broken))
    assert found is not None
    assert found.task == "build"
    assert failing(parsed(task_run("clone", [], "Succeeded", "True"), task_run("b", [], "Running", "Unknown"))) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
_PLACES = ["metadata", "spec", "status", "labels", "conditions", "childReferences", "results", "steps", "terminated"]


@given(st.dictionaries(st.sampled_from(_PLACES), _JSON, max_size=4) | _JSON, st.sampled_from(_PLACES), _JSON)
def test_nonsense_is_read_as_a_run_that_says_nothing(document: Any, place: str, value: Any) -> None:
    parse_pipeline_run(document)
    parse_task_run(document)
    for whole in (failed(), task_run("build", [step("a", 1)])):
        for part in ("metadata", "status"):
            parse_pipeline_run({**whole, part: {**whole[part], place: value}})
            parse_task_run({**whole, part: {**whole[part], place: value}})
