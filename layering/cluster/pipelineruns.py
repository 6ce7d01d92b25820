"""What a PipelineRun and its TaskRuns say of themselves, and the labels by which ours are known.

tekton.dev/v1: pkg/apis/pipeline/v1/pipelinerun_types.go and taskrun_types.go of tektoncd/pipeline. The API server
checks little of a status, so parsing never fails: what is missing or of another type is None or empty. It asks no
cluster, and whether a build is to be tried again is not judged here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "layerwatch"
IMAGE_LABEL = "layerwatch/image"
KEY_LABEL = "layerwatch/build-key"  # the key's first twelve digits; the annotation of this name has all 64
ATTEMPT_LABEL = "layerwatch/attempt"
KEY_ANNOTATION = KEY_LABEL
SUPERSEDED_ANNOTATION = "layerwatch/superseded-by"  # the key for whose sake we cancelled the run
RUN_LABEL = "tekton.dev/pipelineRun"

_NEVER = datetime.max.replace(tzinfo=UTC)
_ENDS = {"Cancelled", "CancelledRunFinally", "StoppedRunFinally"}  # spec.status
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_NOT_THE_CAUSE = {"Skipped", "Continued"}  # pkg/pod: after another step failed; its failure is ignored


class Progress(StrEnum):
    """The one condition Tekton writes, `Succeeded`: not there or Unknown, True, False."""

    UNFINISHED = "Unfinished"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunState:
    """One PipelineRun. `key` has 64 digits; `asked_to_end` is its spec.status; `children` names its TaskRuns.

    `reason` and `message` are Tekton's own, empty until its controller has seen the run.
    """

    name: str
    uid: str
    image: str
    key: str
    attempt: int
    managed: bool
    progress: Progress
    reason: str
    message: str
    asked_to_end: str
    superseded_by: str
    created: datetime | None
    started: datetime | None
    finished: datetime | None
    children: tuple[str, ...]
    results: Mapping[str, str]

    @property
    def is_told_to_end(self) -> bool:
        """Whether somebody asked for its end before it ended by itself."""
        return self.asked_to_end in _ENDS

    @property
    def is_superseded(self) -> bool:
        """Whether it was us who asked for its end. The annotation alone says nothing: a rerun by hand has it too."""
        return bool(self.superseded_by) and self.is_told_to_end


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedStep:
    """The step that failed, and the container that has its log."""

    name: str
    container: str
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRunState:
    """One TaskRun; `task` is its name in the Pipeline. `pod` is empty when none was made."""

    name: str
    task: str
    progress: Progress
    reason: str
    message: str
    finished: datetime | None
    pod: str
    step: FailedStep | None


def parse_pipeline_run(document: Any) -> RunState:
    """A PipelineRun as the API server gives it. Never fails."""
    metadata, spec, status = (_mapping(_mapping(document).get(part)) for part in ("metadata", "spec", "status"))
    labels, annotations = _mapping(metadata.get("labels")), _mapping(metadata.get("annotations"))
    progress, reason, message = _condition(status)
    return RunState(
        name=_text(metadata.get("name")),
        uid=_text(metadata.get("uid")),
        image=_text(labels.get(IMAGE_LABEL)),
        key=_text(annotations.get(KEY_ANNOTATION)),
        attempt=_attempt(_text(metadata.get("name")), labels),
        managed=labels.get(MANAGED_BY_LABEL) == MANAGED_BY,
        progress=progress,
        reason=reason,
        message=message,
        asked_to_end=_text(spec.get("status")),
        superseded_by=_text(annotations.get(SUPERSEDED_ANNOTATION)),
        created=_time(metadata.get("creationTimestamp")),
        started=_time(status.get("startTime")),
        finished=_time(status.get("completionTime")),
        children=_children(status),
        results=_results(status),
    )


def parse_task_run(document: Any) -> TaskRunState:
    """A TaskRun as the API server gives it. Never fails."""
    metadata, status = (_mapping(_mapping(document).get(part)) for part in ("metadata", "status"))
    progress, reason, message = _condition(status)
    return TaskRunState(
        name=_text(metadata.get("name")),
        task=_text(_mapping(metadata.get("labels")).get("tekton.dev/pipelineTask")) or _text(metadata.get("name")),
        progress=progress,
        reason=reason,
        message=message,
        finished=_time(status.get("completionTime")),
        pod=_text(status.get("podName")),
        step=_failed_step(status),
    )


def failing(task_runs: Iterable[TaskRunState]) -> TaskRunState | None:
    """The TaskRun that made its run fail: the first that failed, one with a failed step before one that was ended."""
    failed = [task_run for task_run in task_runs if task_run.progress is Progress.FAILED]
    return min(failed, key=lambda task_run: (task_run.step is None, task_run.finished or _NEVER), default=None)


def _condition(status: Mapping[str, Any]) -> tuple[Progress, str, str]:
    for condition in _mappings(status.get("conditions")):
        if condition.get("type") == "Succeeded":
            known = {"True": Progress.SUCCEEDED, "False": Progress.FAILED}
            progress = known.get(_text(condition.get("status")), Progress.UNFINISHED)
            return progress, _text(condition.get("reason")), _text(condition.get("message"))
    return Progress.UNFINISHED, "", ""


def _attempt(name: str, labels: Mapping[str, Any]) -> int:
    """The number in a name of our form, which nobody can change; else that of the label; else 1."""
    prefix = f"{_text(labels.get(IMAGE_LABEL))}-{_text(labels.get(KEY_LABEL))}-"
    in_name = name.removeprefix(prefix) if name.startswith(prefix) else ""
    for text in (in_name, _text(labels.get(ATTEMPT_LABEL))):
        if _NUMBER.fullmatch(text):
            return int(text)
    return 1


def _children(status: Mapping[str, Any]) -> tuple[str, ...]:
    references = _mappings(status.get("childReferences"))
    return tuple(name for child in references if child.get("kind") == "TaskRun" and (name := _text(child.get("name"))))


def _results(status: Mapping[str, Any]) -> Mapping[str, str]:
    """Those that are text; lists and objects are none of ours."""
    return {
        name: value
        for result in _mappings(status.get("results"))
        if (name := _text(result.get("name"))) and isinstance(value := result.get("value"), str)
    }


def _failed_step(status: Mapping[str, Any]) -> FailedStep | None:
    for step in _mappings(status.get("steps")):
        exit_code = _mapping(step.get("terminated")).get("exitCode")
        if isinstance(exit_code, int) and exit_code != 0 and step.get("terminationReason") not in _NOT_THE_CAUSE:
            name = _text(step.get("name"))
            return FailedStep(name=name, container=_text(step.get("container")) or f"step-{name}", exit_code=exit_code)
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Any) -> datetime | None:
    """metav1.Time: RFC 3339 in UTC, whole seconds."""
    try:
        time = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return time if time.tzinfo is not None else None
