"""The PipelineRuns of one namespace that are ours: list, create, take what is there already, cancel what is superseded.

Three verbs at an API server, with the next step to take when it says no. Nothing is deleted, and nothing is judged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from layering.cluster.api import ClusterApi
from layering.cluster.pipelineruns import (
    IMAGE_LABEL,
    KEY_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    SUPERSEDED_ANNOTATION,
    Progress,
    RunState,
    parse_pipeline_run,
)
from layering.cluster.resources import PIPELINE_RUNS
from layering.errors import ConflictError, InputError, NotFoundError
from layering.reasons import Reason
from watcher.engines.tekton_run import KEY_SHORT_LENGTH, run_labels


class Runs:
    """Ours, in one namespace of one cluster. All methods raise what ClusterApi raises."""

    def __init__(self, api: ClusterApi, namespace: str) -> None:
        self.api = api
        self.namespace = namespace

    def of_key(self, image: str, key: str) -> Sequence[RunState]:
        """All attempts at one key of one image, in no order."""
        runs = self._listed(",".join(f"{name}={value}" for name, value in run_labels(image, key).items()))
        return [run for run in runs if run.key == key]

    def create(self, manifest: Mapping[str, Any]) -> RunState:
        """Make a run. Raises ConflictError when its name is taken, InputError when Tekton does not take it."""
        try:
            return parse_pipeline_run(self.api.create(PIPELINE_RUNS, manifest, namespace=self.namespace))
        except NotFoundError as error:
            error.next_step = f"make the namespace {self.namespace}, or name another one in build.namespace"
            raise
        except InputError as error:
            error.reason = Reason.BUILD_MISCONFIGURED
            error.next_step = "mend the image's build: workspaces, params, podTemplate, timeout"
            raise

    def check_ours(self, name: str, image: str, key: str) -> None:
        """The name is taken: by the run that was wanted, or by something else, which is a ConflictError."""
        try:
            run = parse_pipeline_run(self.api.get(PIPELINE_RUNS, name, namespace=self.namespace))
        except NotFoundError:
            return  # deleted just now; the next look tells
        if not (run.managed and run.image == image and run.key == key):
            raise ConflictError(
                "there is a PipelineRun of this name, and it is no build of this key",
                where=f"{self.api.name}: PipelineRun/{name} in {self.namespace}",
                next_step=f"find out whose it is; if it may go: oc delete pipelinerun -n {self.namespace} {name}",
                reason=Reason.BUILD_MISCONFIGURED,
            )

    def supersede(self, image: str, key: str) -> Sequence[str]:
        """Cancel the unfinished runs of this image that have another key, and return their names.

        `CancelledRunFinally`: what the Pipeline does at its end it still does. The annotation says that it was us, so
        that the other key may be built again when it is wanted again.
        """
        selector = f"{MANAGED_BY_LABEL}={MANAGED_BY},{IMAGE_LABEL}={image},{KEY_LABEL}!={key[:KEY_SHORT_LENGTH]}"
        running = [
            run.name
            for run in self._listed(selector)
            if run.progress is Progress.UNFINISHED and run.asked_to_end in ("", "PipelineRunPending")
        ]
        return [name for name in running if self._cancel(name, key)]

    def _cancel(self, name: str, key: str) -> bool:
        """Whether it was cancelled; not, when it ended or was deleted since it was listed."""
        change = {
            "metadata": {"annotations": {SUPERSEDED_ANNOTATION: key}},
            "spec": {"status": "CancelledRunFinally"},
        }
        try:
            self.api.patch(PIPELINE_RUNS, name, change, namespace=self.namespace)
        except NotFoundError:
            return False
        except InputError:  # the webhook: "Once the PipelineRun is complete, no updates are allowed"
            if self._finished(name):
                return False
            raise
        return True

    def _finished(self, name: str) -> bool:
        try:
            run = parse_pipeline_run(self.api.get(PIPELINE_RUNS, name, namespace=self.namespace))
        except NotFoundError:
            return True
        return run.progress is not Progress.UNFINISHED

    def _listed(self, selector: str) -> Sequence[RunState]:
        try:
            listed = self.api.list(PIPELINE_RUNS, namespace=self.namespace, label_selector=selector)
        except NotFoundError as error:
            error.next_step = "install OpenShift Pipelines (Tekton) there, or name another cluster in build.cluster"
            raise
        return [parse_pipeline_run(item) for item in listed.items]
