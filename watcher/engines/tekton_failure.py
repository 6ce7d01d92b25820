"""Why did a run fail: the task and step that failed, and the end of that step's log.

Reads TaskRuns and one log. What cannot be read (the pod is gone, a permission is missing) is said, and is no error:
that the run failed is known without it. Nothing is decided here.
"""

import re
from dataclasses import dataclass, replace

from layering.cluster.api import ClusterApi
from layering.cluster.pipelineruns import RUN_LABEL, Progress, RunState, TaskRunState, failing, parse_task_run
from layering.cluster.resources import TASK_RUNS
from layering.errors import InputError, LayerwatchError, NotFoundError
from layering.excerpt import excerpt
from watcher.engines.engine import Build

_LOG_LINES = 200
_LOG_BYTES = 512 * 1024  # counted from the first of those lines, so it must be ample
_NEXT_LINE = re.compile(r"^  next: (.+)$", re.MULTILINE)  # as layerwatch-step prints it


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a failed run ended. `log` is a command; None when there is no log. `whole`: reading again gives no more."""

    message: str = ""
    next_step: str = ""
    log: str | None = None
    whole: bool = True


def read_ending(api: ClusterApi, namespace: str, run: RunState) -> Ending:
    """The failing task of one finished run, its step and the end of its log. What a cluster refuses is said in it."""
    try:
        listed = api.list(TASK_RUNS, namespace=namespace, label_selector=f"{RUN_LABEL}={run.name}")
    except LayerwatchError as error:
        return Ending(message=f"its tasks cannot be read: {error.what}", whole=False)
    task_runs = [parse_task_run(item) for item in listed.items]
    of_it = [task_run for task_run in task_runs if not run.children or task_run.name in run.children]
    failed = failing(of_it)
    if failed is None:  # so far: Tekton ends a run that is out of time before its tasks
        is_over = all(task_run.progress is not Progress.UNFINISHED for task_run in of_it)
        return Ending(message=excerpt(run.message), whole=is_over)
    return _with_log(api, namespace, failed)


def with_ending(build: Build, ending: Ending) -> Build:
    """The same build, and how its run ended."""
    is_said = ending.message in build.message  # Tekton's own words, where no task is to blame
    own = ending.next_step if build.retry_at is None else ""  # while it is tried again there is nothing to do
    return replace(
        build,
        message=build.message if is_said else f"{build.message}: {ending.message}",
        next_step="; ".join(filter(None, (own, build.next_step))),
        log=ending.log,
    )


def _with_log(api: ClusterApi, namespace: str, failed: TaskRunState) -> Ending:
    step = failed.step
    if step is None or not failed.pod:
        return Ending(message=f"{excerpt(f'task {failed.task}: {failed.reason}')}: {excerpt(failed.message)}")
    said = f"step {step.name} of task {failed.task} ended with exit code {step.exit_code}"
    if failed.reason not in ("Failed", "StepFailed"):
        said = f"{said} ({failed.reason}: {excerpt(failed.message)})"
    try:
        log = api.pod_log(namespace, failed.pod, step.container, tail_lines=_LOG_LINES, limit_bytes=_LOG_BYTES)
    except NotFoundError:
        return Ending(message=excerpt(f"{said}; its pod is gone, and its log with it"))
    except LayerwatchError as error:
        lasting = isinstance(error, InputError)  # the container never ran; a permission may be given yet
        return Ending(message=excerpt(f"{said}; its log cannot be read: {error.what}"), whole=lasting)
    steps = _NEXT_LINE.findall(log)
    return Ending(
        message=f"{excerpt(said)}\nthe end of its log:\n{excerpt(log)}"
        if log.strip()
        else f"{excerpt(said)}, silently",
        next_step=excerpt(steps[-1]) if steps else "",
        log=f"oc logs -n {namespace} {failed.pod} -c {step.container}",
    )
