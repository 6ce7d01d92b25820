"""The PipelineRun of one attempt: its name, labels, params and bindings. A pure function; it asks no cluster.

The name follows from image, key and attempt, so that two watchers that start the same attempt make one run. The
Pipeline is told what to build by the RebuildRequest alone; other params only say how.
"""

from collections.abc import Mapping
from typing import Any

from layering.cluster.pipelineruns import (
    ATTEMPT_LABEL,
    IMAGE_LABEL,
    KEY_ANNOTATION,
    KEY_LABEL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
)
from layering.errors import InputError
from layering.request import RebuildRequest
from watcher.settings_image import TektonBuild

KEY_SHORT_LENGTH = 12
SOURCE_WORKSPACE = "source"


def run_name(image: str, key: str, attempt: int) -> str:
    """`<image>-<key12>-<attempt>`: at most 63 characters, since image names have at most 40."""
    return f"{image}-{key[:KEY_SHORT_LENGTH]}-{attempt}"


def run_labels(image: str, key: str) -> dict[str, str]:
    """The labels all attempts at one key have."""
    return {MANAGED_BY_LABEL: MANAGED_BY, IMAGE_LABEL: image, KEY_LABEL: key[:KEY_SHORT_LENGTH]}


def pipeline_run(
    request: RebuildRequest, build: TektonBuild, attempt: int, namespace: str, params: Mapping[str, str]
) -> dict[str, Any]:
    """The manifest (tekton.dev/v1). `params` are more params of the Pipeline; those of the configuration win.

    Raises InputError when the request has no key.
    """
    if request.key is None:
        raise InputError("the request has no key", where=request.image, next_step="give it its build key")
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            "name": run_name(request.image, request.key, attempt),
            "namespace": namespace,
            "labels": {**run_labels(request.image, request.key), ATTEMPT_LABEL: str(attempt)},
            "annotations": _annotations(request, request.key),
        },
        "spec": {
            "pipelineRef": {"name": build.pipeline},
            "params": _params({**params, **build.params, "request": request.to_json()}),
            "workspaces": _workspaces(build),
            "timeouts": _timeouts(build.timeout),
            "taskRunTemplate": {
                "serviceAccountName": build.service_account,
                **({"podTemplate": build.pod_template} if build.pod_template is not None else {}),
            },
        },
    }


def _annotations(request: RebuildRequest, key: str) -> dict[str, str]:
    """What does not fit into a label: digests have a colon and are too long."""
    return {
        KEY_ANNOTATION: key,
        "layerwatch/base": str(request.base.without_tag()),
        **({"layerwatch/release": request.release} if request.release else {}),
        "layerwatch/target": str(request.target),
        "layerwatch/source-commit": request.source.commit,
    }


def _params(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def _workspaces(build: TektonBuild) -> list[dict[str, Any]]:
    bindings: list[dict[str, Any]] = [dict(binding) for binding in build.workspaces]
    if all(binding.get("name") != SOURCE_WORKSPACE for binding in bindings):
        bindings.append({"name": SOURCE_WORKSPACE, "volumeClaimTemplate": {"spec": _CLAIM}})
    return bindings


_CLAIM: Mapping[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def _timeouts(seconds: float) -> dict[str, str]:
    """The same limit for the tasks: without it each has Tekton's default of an hour, whatever the run has.

    pkg/reconciler/pipelinerun/pipelinerun.go, pipelineRunTimeout. `finally` then has no limit but the run's.
    """
    return {"pipeline": _duration(seconds), "tasks": _duration(seconds)}


def _duration(seconds: float) -> str:
    """Go's form of a duration."""
    return f"{round(seconds * 1000)}ms" if seconds % 1 else f"{round(seconds)}s"
