"""Tekton's own word on our files: its webhook accepts each, and refuses what a slip of the pen would make of them.

What the webhook lets through and only the controller finds at run time is played through the controller.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.rest import RefusedError
from tests.kubernetes.server import TestApiServer
from tests.kubernetes.tekton import Tekton
from tests.parts import require
from tests.tekton.edits import GONE, edited
from tests.tekton.files import DIRECTORY, Document, documents, pipeline, task, tasks
from tests.tekton.installed import condition, create, ended, judge, pipeline_run

REBUILD, BUILD = task("layerwatch-rebuild"), task("layerwatch-build-image")
SAMPLE = next(document for file, document in documents("samples/*.yaml") if file.stem == "pipelinerun")
PAC = next(document for file, document in documents("samples/*.yaml") if file.stem == "pipelines-as-code")
STEP = {"name": "more", "image": "layerwatch", "command": ["layerwatch-step"]}
PIPELINE_TASK = pipeline()["spec"]["tasks"][0]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(document, id=f"{file.parent.name}/{file.name}")
        for file, document in documents("tasks/*.yaml", "pipelines/*.yaml", "samples/*.yaml")
    ],
)
def test_the_webhook_accepts(tekton: Tekton, tekton_namespace: str, document: Document) -> None:
    judge(tekton.api, tekton_namespace, document)


def test_it_applies_as_it_stands(tekton: Tekton, tekton_server: TestApiServer) -> None:
    argv = [require("kubectl"), f"--kubeconfig={tekton_server.kubeconfig}", "apply", "-k", str(DIRECTORY)]
    for _ in range(2):  # the second time is an upgrade
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("unchanged") == len(done.stdout.splitlines())
    made = tekton.api.call("GET", "/apis/tekton.dev/v1/namespaces/layerwatch/tasks")["items"]
    assert {one["metadata"]["name"] for one in made} == {one["metadata"]["name"] for one in tasks()}


@pytest.mark.parametrize(
    ("document", "path", "value", "said"),
    [
        pytest.param(REBUILD, "spec.params.0.name", "requst", "non-existent variable", id="a param misspelt"),
        pytest.param(REBUILD, "spec.steps.0.image", GONE, "missing field", id="a step without image"),
        pytest.param(REBUILD, "spec.steps.0.name", "rebuild", "name", id="two steps of one name"),
        pytest.param(REBUILD, "spec.steps", [], "missing field", id="no step"),
        pytest.param(REBUILD, "spec.steps.1.script", "true", "script cannot be used with", id="command and script"),
        pytest.param(REBUILD, "spec.steps.0.workspaces.0.name", "git", "undefined workspace", id="a step's workspace"),
        pytest.param(REBUILD, "spec.workspaces.+", {"name": "ca"}, "unique", id="a workspace twice"),
        pytest.param(REBUILD, "spec.volumes.+", {"name": "scratch", "emptyDir": {}}, "multiple", id="a volume twice"),
        pytest.param(REBUILD, "spec.results.4.properties", GONE, "missing field", id="an object without properties"),
        pytest.param(REBUILD, "spec.results.0.name", "IMAGE URL", "invalid", id="a result's name"),
        pytest.param(BUILD, "spec.steps.0.args.0", "x=$(params.BUILD_ARGS[*])", "isolated", id="a list in a word"),
        pytest.param(BUILD, "spec.params.0.default", ["a"], "does not match default", id="a default of another type"),
        pytest.param(BUILD, "spec.steps.0.arg", [], "unknown field", id="a key misspelt"),
        pytest.param(pipeline(), "spec.params.0", GONE, "non-existent variable", id="a pipeline's param undeclared"),
        pytest.param(pipeline(), "spec.workspaces.0", GONE, "workspace", id="a pipeline's workspace undeclared"),
        pytest.param(pipeline(), "spec.tasks.0.name", "Rebuild", "invalid", id="a task's name"),
        pytest.param(pipeline(), "spec.tasks.0.runAfter", ["fetch"], "fetch", id="after a task that is not there"),
        pytest.param(pipeline(), "spec.tasks.0.runAfter", ["rebuild"], "cycle", id="a cycle"),
        pytest.param(pipeline(), "spec.tasks.+", PIPELINE_TASK, "duplicate", id="a task twice"),
        pytest.param(pipeline(), "spec.results.0.value", "$(tasks.b.results.X)", "nonexistent", id="no such task"),
        pytest.param(pipeline(), "spec.tasks.0.timeout", "two hours", "time", id="a time limit in words"),
        pytest.param(pipeline(), "spec.tasks.0.retries", "many", "retries", id="retries in words"),
        pytest.param(SAMPLE, "spec.pipelineRef", GONE, "pipelineRef", id="a run of nothing"),
        pytest.param(SAMPLE, "spec.timeouts.tasks", "3h", "timeout", id="tasks longer than the run"),
        pytest.param(SAMPLE, "spec.params.+", {"name": "request", "value": "{}"}, "params", id="a param twice"),
        pytest.param(SAMPLE, "spec.workspaces.0.configMap", {"name": "x"}, "workspaces", id="a workspace of two kinds"),
        pytest.param(PAC, "spec.pipelineSpec.tasks.2.params.1.value", "$(tasks.basis.results.X)", "basis", id="sample"),
    ],
)  # fmt: skip
def test_the_webhook_refuses(
    tekton: Tekton, tekton_namespace: str, document: Document, path: str, value: Any, said: str
) -> None:
    with pytest.raises(RefusedError, match=said) as refused:
        judge(tekton.api, tekton_namespace, edited(document, path, value))
    assert refused.value.code in (400, 422)


@pytest.mark.parametrize(
    ("what", "path", "value", "reason"),
    [
        pytest.param("run", "spec.params", [], "ParameterMissing", id="no request"),
        pytest.param("run", "spec.workspaces", [], "InvalidWorkspaceBindings", id="no source"),
        pytest.param("run", "spec.pipelineRef.name", "layered-image", "CouldntGetPipeline", id="no such pipeline"),
        pytest.param("pipeline", "spec.tasks.0.taskRef.name", "rebuild", "CouldntGetTask", id="no such task"),
        pytest.param(
            "pipeline", "spec.tasks.0.workspaces.0", GONE, "Failed", id="a task without its workspace"
        ),
        pytest.param("pipeline", "spec.tasks.0.params.0", GONE, "PipelineValidationFailed", id="a task without param"),
    ],
)  # fmt: skip
def test_the_controller_refuses(
    tekton: Tekton, tekton_namespace: str, what: str, path: str, value: Any, reason: str
) -> None:
    """A dry run of sorts: what is wrong is found before any pod is made."""
    api, namespace = tekton.api, tekton_namespace
    for one in tasks():
        create(api, namespace, one)
    create(api, namespace, edited(pipeline(), path, value) if what == "pipeline" else pipeline())
    run = pipeline_run("wrong", "{}")
    create(api, namespace, edited(run, path, value) if what == "run" else run)
    assert condition(ended(api, namespace, run)) == ("False", reason)


def test_a_result_that_the_task_does_not_have(tekton: Tekton, tekton_namespace: str, tmp_path: Path) -> None:
    """The pipeline is fetched and checked with its Task when a run starts."""
    api, namespace = tekton.api, tekton_namespace
    create(api, namespace, REBUILD)
    create(api, namespace, edited(pipeline(), "spec.results.0.value", "$(tasks.rebuild.results.IMAGE)"))
    run = pipeline_run("wrong", "{}")
    create(api, namespace, run)
    assert condition(ended(api, namespace, run))[0] == "False"


@pytest.mark.parametrize(("level", "refused"), [("baseline", set()), ("restricted", {"run", "build-image"})])
def test_pod_security_admits_our_steps(tekton: Tekton, tekton_namespace: str, level: str, refused: set[str]) -> None:
    """The API server's own admission on a pod of each Task's steps; Tekton's init containers are Tekton's affair."""
    labels = {"pod-security.kubernetes.io/enforce": level}
    tekton.api.merge(f"/api/v1/namespaces/{tekton_namespace}", {"metadata": {"labels": labels}})
    said = {one["spec"]["steps"][-1]["command"][1]: _refusal(tekton, tekton_namespace, _pod(one)) for one in tasks()}
    assert {step for step, message in said.items() if "violates PodSecurity" in message} == refused
    assert not [message for step, message in said.items() if step not in refused and message]


def _refusal(tekton: Tekton, namespace: str, pod: Document) -> str:
    try:
        tekton.api.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
    except RefusedError as error:
        return error.message
    return ""


def _pod(one: Document) -> Document:
    containers = [
        {"name": step["name"], "image": step["image"], "securityContext": step["securityContext"]}
        for step in one["spec"]["steps"]
    ]
    return {"metadata": {"name": "admitted"}, "spec": {"containers": containers}}
