"""Our Tasks and the Pipeline in a namespace of a test's own, and PipelineRuns of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.kubernetes.rest import Body, Rest
from tests.tekton.files import documents, pipeline, tasks

_WAIT_SECONDS = 180
_POLL_SECONDS = 0.1
_STRICT = "fieldValidation=Strict"
_VERSION = "/apis/tekton.dev/v1"


def collection(namespace: str, document: Body) -> str:
    """Where objects of this kind are made."""
    return f"{_VERSION}/namespaces/{namespace}/{document['kind'].lower()}s"


def judge(api: Rest, namespace: str, document: Body) -> Body:
    """What the API server and Tekton's webhook make of it; nothing is kept. Raises RefusedError."""
    return api.call("POST", f"{collection(namespace, document)}?dryRun=All&{_STRICT}", document)


def create(api: Rest, namespace: str, document: Body) -> Body:
    """Raises RefusedError."""
    return api.call("POST", f"{collection(namespace, document)}?{_STRICT}", document)


def install(api: Rest, namespace: str) -> None:
    """The Tasks, the Pipeline and the ServiceAccount, as they are in tekton/."""
    for document in [*tasks(), pipeline()]:
        create(api, namespace, document)
    account = next(one for _, one in documents("serviceaccount.yaml"))
    api.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)


def pipeline_run(name: str, request: str, workspaces: Sequence[Body] = (), **params: str) -> Body:
    """A run as the watcher makes it, in short."""
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": {
            "pipelineRef": {"name": "layered-image-rebuild"},
            "taskRunTemplate": {"serviceAccountName": "layerwatch-build"},
            "timeouts": {"pipeline": "10m"},
            "params": [
                {"name": name, "value": value} for name, value in sorted({**params, "request": request}.items())
            ],
            "workspaces": [{"name": "source", "emptyDir": {}}, *workspaces],
        },
    }


def ended(api: Rest, namespace: str, run: Body) -> Body:
    """The run once it is finished."""
    path = f"{collection(namespace, run)}/{run['metadata']['name']}"
    wait_until(lambda: condition(api.call("GET", path))[0] in ("True", "False"), lambda: api.call("GET", path))
    return api.call("GET", path)


def condition(run: Body) -> tuple[str, str]:
    """Status and reason of `Succeeded`; "" while there is none."""
    for one in (run.get("status") or {}).get("conditions") or ():
        return str(one["status"]), str(one["reason"])
    return "", ""


def results(run: Body) -> dict[str, Any]:
    """The run's results by name."""
    return {result["name"]: result["value"] for result in run["status"].get("results", [])}


def task_run(api: Rest, namespace: str, run: Body) -> Body:
    """The only TaskRun of a run."""
    (child,) = run["status"]["childReferences"]
    return api.call("GET", f"{_VERSION}/namespaces/{namespace}/taskruns/{child['name']}")


def log(api: Rest, namespace: str, run: Body, step: str) -> str:
    """What a step of the run's only TaskRun printed."""
    pod = task_run(api, namespace, run)["status"]["podName"]
    return api.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log?container=step-{step}")


def wait_until(done: Callable[[], bool], tell: Callable[[], object]) -> None:
    """Poll, with a limit that only a broken machine reaches."""
    end = time.monotonic() + _WAIT_SECONDS
    while not done():
        assert time.monotonic() < end, f"it did not come to pass: {tell()}"
        time.sleep(_POLL_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A namespace with our Pipeline, whose pods are run."""

    api: Rest
    namespace: str

    def run(self, body: Body) -> Body:
        create(self.api, self.namespace, body)
        return ended(self.api, self.namespace, body)

    def keep(self, kind: str, name: str, **data: str) -> None:
        """A Secret or ConfigMap; names in `data` have `__` for a dot."""
        field = "stringData" if kind == "secrets" else "data"
        body = {"metadata": {"name": name}, field: {key.replace("__", "."): value for key, value in data.items()}}
        self.api.call("POST", f"/api/v1/namespaces/{self.namespace}/{kind}", body)

    def log(self, run: Body, step: str = "rebuild") -> str:
        return log(self.api, self.namespace, run, step)
