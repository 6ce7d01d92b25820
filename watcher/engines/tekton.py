"""Builds in a cluster: one PipelineRun per attempt, found again by its labels, so that no process need remember it.

The engine reads runs, TaskRuns and the log of a step that failed; it creates runs, and cancels those of another key of
the same image. It deletes nothing, and it never says that an image is there: that is asked of the registry.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from layering.cluster.api import ClusterApi
from layering.cluster.pipelineruns import Progress, RunState
from layering.errors import ConflictError, InputError, NotFoundError, UnavailableError
from layering.reasons import Reason
from layering.request import RebuildRequest
from watcher.engines.engine import Build, BuildState
from watcher.engines.tekton_failure import Ending, read_ending, with_ending
from watcher.engines.tekton_history import Attempts, judge
from watcher.engines.tekton_run import pipeline_run
from watcher.engines.tekton_runs import Runs
from watcher.settings_image import ImageSettings, TektonBuild

_ENDINGS_MAX = 1000


class TektonEngine:
    """Builds with Tekton, in the cluster and namespace each image names. Safe to use from threads.

    `apis` gives a cluster's API by its name. `home` and `namespace` are used where an image names none. `params` gives
    more params of the Pipeline than the configuration has, such as the mirrors of a disconnected cluster. `answers`:
    whether a cluster did when it was last looked at.
    Its methods raise what ClusterApi raises, with the next step to take.
    """

    def __init__(
        self,
        apis: Callable[[str], ClusterApi],
        *,
        home: str,
        namespace: str,
        now: Callable[[], datetime],
        params: Callable[[ImageSettings], Mapping[str, str]] = lambda image: {},
        answers: Callable[[str], bool] = lambda cluster: True,
    ) -> None:
        self._apis = apis
        self._home = home
        self._namespace = namespace
        self._now = now
        self._params = params
        self._answers = answers
        self._endings: dict[str, Ending] = {}  # by uid: those that do not change any more
        self._guard = threading.Lock()

    def find(self, image: ImageSettings, key: str) -> Build | None:
        """Where a key stands, by its runs; of one that failed, with the end of the failed step's log. Reads only."""
        build, runs = _tekton(image), self._runs(image)
        by_name = {run.name: run for run in runs.of_key(image.name, key)}
        found = judge(by_name.values(), _attempts(build, runs.namespace), self._now())
        if found is None or found.state not in (BuildState.FAILED, BuildState.EXHAUSTED):
            return found
        run = by_name[found.name or ""]
        if run.progress is not Progress.FAILED or run.is_superseded:
            return found
        return with_ending(found, self._ending(runs, run))

    def end_others(self, image: ImageSettings, key: str) -> None:
        """Cancel the unfinished runs of this image that have another key.

        A cluster that did not answer lately is not asked: everything else would wait for it.
        """
        runs = self._runs(image)
        if not self._answers(runs.api.name):
            raise UnavailableError("it did not answer lately", where=runs.api.name, reason=Reason.UNREACHABLE)
        try:
            runs.supersede(image.name, key)
        except NotFoundError:
            return  # neither Tekton nor the namespace: nothing runs there

    def start(self, image: ImageSettings, request: RebuildRequest, build: Build | None) -> Build:
        """Create the run of the next attempt; runs of another key of this image are cancelled first.

        Returns at once. A build that is under way, or whose turn is somebody else's, stays as it is. Raises
        ConflictError when the run's name is taken by something else.
        """
        if build is not None and build.state is not BuildState.FAILED:
            return build
        settings, runs = _tekton(image), self._runs(image)
        attempt = build.attempt + 1 if build else 1
        manifest = pipeline_run(request, settings, attempt, runs.namespace, self._params(image))
        name, key = manifest["metadata"]["name"], request.key or ""
        runs.supersede(image.name, key)
        try:
            begun = [runs.create(manifest)]
        except ConflictError:
            runs.check_ours(name, image.name, key)
            begun = list(runs.of_key(image.name, key))
        judged = judge(begun, _attempts(settings, runs.namespace), self._now())
        if judged is None:
            raise UnavailableError(
                "the run was deleted the moment it was looked at",
                where=f"{runs.api.name}: PipelineRun/{name} in {runs.namespace}",
                next_step="nothing to do; it is started again",
                reason=Reason.BUILD_RUNNING,
            )
        return judged

    def _runs(self, image: ImageSettings) -> Runs:
        build = _tekton(image)
        return Runs(self._apis(build.cluster or self._home), build.namespace or self._namespace)

    def _ending(self, runs: Runs, run: RunState) -> Ending:
        with self._guard:
            known = self._endings.get(run.uid)
        if known is not None:
            return known
        ending = read_ending(runs.api, runs.namespace, run)
        if ending.whole:
            with self._guard:
                while len(self._endings) >= _ENDINGS_MAX:
                    del self._endings[next(iter(self._endings))]
                self._endings[run.uid] = ending
        return ending


def _tekton(image: ImageSettings) -> TektonBuild:
    if not isinstance(image.build, TektonBuild):
        raise InputError(f"{image.name} is not built by Tekton", where="build.engine")
    return image.build


def _attempts(build: TektonBuild, namespace: str) -> Attempts:
    return Attempts(limit=build.attempts, backoff=timedelta(seconds=build.backoff), namespace=namespace)
