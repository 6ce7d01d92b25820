"""The test's own Tekton: real webhook, real controller, real entrypoint, and the test kubelet below them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.rest import Body, RefusedError
from tests.kubernetes.tekton import Tekton

_WAIT_SECONDS = 90
_RUNS = "/apis/tekton.dev/v1/namespaces/{namespace}/pipelineruns"

_LONG = {"name": "long", "taskSpec": {"steps": [{"name": "sleep", "image": "any", "command": ["sleep", "600"]}]}}

_PRODUCE = {
    "name": "produce",
    "workspaces": [{"name": "shared"}],
    "taskSpec": {
        "results": [{"name": "digest"}],
        "workspaces": [{"name": "shared"}],
        "steps": [
            {
                "name": "write",
                "image": "any",
                "workingDir": "$(workspaces.shared.path)/made/by/us",
                "script": "#!/bin/sh\nset -e\necho from-a-script > file\nprintf 'sha256:1' > $(results.digest.path)\n",
            },
            {"name": "see", "image": "any", "command": ["cat"], "args": ["$(workspaces.shared.path)/made/by/us/file"]},
        ],
    },
}
_CONSUME = {
    "name": "consume",
    "params": [{"name": "digest", "value": "$(tasks.produce.results.digest)"}],
    "workspaces": [{"name": name} for name in ("shared", "scratch", "credentials")],
    "taskSpec": {
        "params": [{"name": "digest"}],
        "results": [{"name": "seen"}],
        "workspaces": [{"name": name} for name in ("shared", "scratch", "credentials")],
        "steps": [
            {
                "name": "read",
                "image": "any",
                "env": [
                    {"name": "DIGEST", "value": "$(params.digest)"},
                    {"name": "USER_NAME", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}},
                ],
                "script": """#!/bin/sh
set -e
cat $(workspaces.shared.path)/made/by/us/file $(workspaces.credentials.path)/password > $(workspaces.scratch.path)/all
printf '%s %s %s' "$DIGEST" "$USER_NAME" "$(tr '\\n' ' ' < $(workspaces.scratch.path)/all)" > $(results.seen.path)
""",
            }
        ],
    },
}


@pytest.fixture
def start(tekton: Tekton, tekton_namespace: str) -> Callable[..., str]:
    """Create a PipelineRun of these tasks and give its path."""

    def start(name: str, tasks: list[Body], **spec: Any) -> str:
        runs = _RUNS.format(namespace=tekton_namespace)
        workspaces = [{"name": bound["name"]} for bound in spec.get("workspaces", ())]
        body = {
            "apiVersion": "tekton.dev/v1",
            "kind": "PipelineRun",
            "metadata": {"name": name},
            "spec": {"pipelineSpec": {"tasks": tasks, "workspaces": workspaces}, **spec},
        }
        tekton.api.call("POST", runs, body)
        return f"{runs}/{name}"

    return start


def test_the_webhook_refuses_what_is_no_pipeline(start: Callable[..., str]) -> None:
    with pytest.raises(RefusedError, match=r"denied the request: validation failed.*no-such-task"):
        start("wrong", [{**_LONG, "runAfter": ["no-such-task"]}])


def test_results_workspaces_scripts_and_secrets_reach_the_steps(
    tekton: Tekton, tekton_namespace: str, kubelet: Kubelet, start: Callable[..., str]
) -> None:
    secret = {"metadata": {"name": "login"}, "stringData": {"user": "alice", "password": "secret"}}
    tekton.api.call("POST", f"/api/v1/namespaces/{tekton_namespace}/secrets", secret)
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    run = start(
        "two-tasks",
        [_PRODUCE, _CONSUME],
        workspaces=[
            {"name": "shared", "volumeClaimTemplate": claim},
            {"name": "scratch", "emptyDir": {}},
            {"name": "credentials", "secret": {"secretName": "login"}},
        ],
    )

    assert _finished(tekton, run) == ("True", "Succeeded")
    (seen,) = _task_run(tekton, run, "consume")["status"]["results"]
    assert seen["value"] == "sha256:1 alice from-a-script secret"


def test_a_failing_step_gives_its_exit_code_and_its_log(
    tekton: Tekton, kubelet: Kubelet, start: Callable[..., str]
) -> None:
    steps = [
        {"name": "break", "image": "any", "script": "echo one\necho two >&2\nexit 3\n"},
        {"name": "never", "image": "any", "command": ["touch", "/tekton/results/never"]},
    ]
    run = start("failing", [{"name": "only", "taskSpec": {"steps": steps}}])

    assert _finished(tekton, run) == ("False", "Failed")
    broken, never = _task_run(tekton, run, "only")["status"]["steps"]
    assert broken["terminated"]["exitCode"] == 3
    assert never["terminationReason"] == "Skipped"
    log = f"{_pod(tekton, run, 'only')}/log?container=step-break"
    assert tekton.api.text(log) == "one\ntwo\n"
    assert tekton.api.text(f"{log}&tailLines=1&limitBytes=2") == "tw"


def test_a_timeout_ends_the_pod(tekton: Tekton, kubelet: Kubelet, start: Callable[..., str]) -> None:
    run = start("slow", [_LONG], timeouts={"pipeline": "3s"})

    assert _finished(tekton, run) == ("False", "PipelineRunTimeout")
    _wait(lambda: not kubelet.pods())


def test_cancelling_ends_the_pod(tekton: Tekton, kubelet: Kubelet, start: Callable[..., str]) -> None:
    run = start("unwanted", [_LONG])
    _wait(lambda: _phase(tekton, run, "long") == "Running")

    tekton.api.merge(run, {"spec": {"status": "CancelledRunFinally"}})

    assert _finished(tekton, run) == ("False", "Cancelled")
    _wait(lambda: not kubelet.pods())


def test_an_evicted_pod_fails_the_run(tekton: Tekton, kubelet: Kubelet, start: Callable[..., str]) -> None:
    run = start("evicted", [_LONG])
    _wait(lambda: _phase(tekton, run, "long") == "Running")

    kubelet.evict(*kubelet.pods()[0])

    assert _finished(tekton, run) == ("False", "Failed")
    assert _condition(_task_run(tekton, run, "long"))[1] == "PodEvicted"


def test_a_retry_is_another_pod(tekton: Tekton, kubelet: Kubelet, start: Callable[..., str]) -> None:
    step = {
        "name": "second-time-lucky",
        "image": "any",
        "env": [{"name": "TRIED", "value": "$(context.task.retry-count)"}],
        "script": "test $TRIED = 1",
    }
    run = start("again", [{"name": "only", "retries": 1, "taskSpec": {"steps": [step]}}])

    assert _finished(tekton, run) == ("True", "Succeeded")
    assert len(_task_run(tekton, run, "only")["status"]["retriesStatus"]) == 1


def test_an_image_that_cannot_be_pulled_fails_the_run(
    tekton: Tekton, kubelet: Kubelet, start: Callable[..., str]
) -> None:
    kubelet.images["any"] = "ImagePullBackOff"
    run = start("no-image", [_LONG])

    assert _finished(tekton, run) == ("False", "Failed")
    assert _condition(_task_run(tekton, run, "long"))[1] == "TaskRunImagePullFailed"


def test_the_steps_of_this_checkout_are_there(tekton: Tekton, kubelet: Kubelet, start: Callable[..., str]) -> None:
    step = {"name": "help", "image": "any", "command": ["layerwatch-step"], "args": ["--help"]}
    run = start("ours", [{"name": "only", "taskSpec": {"steps": [step]}}])

    assert _finished(tekton, run) == ("True", "Succeeded")
    assert "resolve-base" in tekton.api.text(f"{_pod(tekton, run, 'only')}/log?container=step-help")


def _finished(tekton: Tekton, run: str) -> tuple[str, str]:
    def ended() -> bool:
        return _condition(tekton.api.call("GET", run))[0] in ("True", "False")

    _wait(ended)
    return _condition(tekton.api.call("GET", run))


def _condition(body: Mapping[str, Any]) -> tuple[str, str]:
    for condition in (body.get("status") or {}).get("conditions") or ():
        return condition["status"], condition["reason"]
    return "", ""


def _task_run(tekton: Tekton, run: str, task: str) -> Body:
    children = tekton.api.call("GET", run)["status"]["childReferences"]
    name = next(child["name"] for child in children if child["pipelineTaskName"] == task)
    return tekton.api.call("GET", run.rpartition("/pipelineruns/")[0] + f"/taskruns/{name}")


def _pod(tekton: Tekton, run: str, task: str) -> str:
    task_run = _task_run(tekton, run, task)
    return f"/api/v1/namespaces/{task_run['metadata']['namespace']}/pods/{task_run['status']['podName']}"


def _phase(tekton: Tekton, run: str, task: str) -> str:
    children = (tekton.api.call("GET", run).get("status") or {}).get("childReferences")
    if not children or not (_task_run(tekton, run, task).get("status") or {}).get("podName"):
        return ""
    return str(tekton.api.call("GET", _pod(tekton, run, task))["status"]["phase"])


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not until():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)
