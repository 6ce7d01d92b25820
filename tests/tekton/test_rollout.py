"""layerwatch-verify-rollout in a pod, under an account that has the watcher's rights to read and no others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.rest import Body
from tests.kubernetes.server import TestApiServer
from tests.kubernetes.tekton import Tekton
from tests.tekton.files import DIRECTORY, task
from tests.tekton.installed import condition, create, ended

IMAGE = f"registry.example.com/acme/worker-os@sha256:{'1' * 64}"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def openshift(tekton_server: TestApiServer) -> Iterator[OpenShiftPlay]:
    """The operators of the cluster that Tekton runs in."""
    play = OpenShiftPlay(tekton_server.admin)
    yield play
    play.clear()


@pytest.fixture
def account(tekton_server: TestApiServer, tekton_namespace: str, kubelet: Kubelet, tmp_path: Path) -> str:
    """Its token is where a pod finds it; which rights it has, deploy/ says."""
    token = tekton_server.token_for("looks", tekton_namespace)
    kubelet.variables |= tekton_server.pod_files_for(token, tekton_namespace, tmp_path / "account")
    role = yaml.safe_load((DIRECTORY.parent / "deploy/overlays/openshift/clusterrole.yaml").read_text())
    role["metadata"]["name"] = f"looks-{tekton_namespace}"
    tekton_server.admin.call("POST", f"{_RBAC}/clusterroles", role)
    binding = {
        "metadata": {"name": role["metadata"]["name"]},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": "looks", "namespace": tekton_namespace}],
    }
    tekton_server.admin.call("POST", f"{_RBAC}/clusterrolebindings", binding)
    return "looks"


def task_run(name: str, account: str) -> Body:
    params = {"POOL": "worker", "IMAGE": IMAGE, "TIMEOUT_SECONDS": "0"}
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {"name": name},
        "spec": {
            "taskRef": {"name": "layerwatch-verify-rollout"},
            "serviceAccountName": account,
            "params": [{"name": key, "value": value} for key, value in params.items()],
        },
    }


def test_a_pool_on_its_way_to_an_image(
    tekton: Tekton, tekton_namespace: str, openshift: OpenShiftPlay, account: str
) -> None:
    api, namespace = tekton.api, tekton_namespace
    create(api, namespace, task("layerwatch-verify-rollout"))
    openshift.pool("worker", machines=2)
    early = task_run("early", account)
    create(api, namespace, early)
    (step,) = ended(api, namespace, early)["status"]["steps"]
    assert step["terminated"]["exitCode"] == 4
    openshift.machine_config("99-worker", "worker", IMAGE)
    openshift.render("worker")
    openshift.roll_out("worker")
    late = task_run("late", account)
    create(api, namespace, late)
    done = ended(api, namespace, late)
    assert condition(done) == ("True", "Succeeded"), done["status"]
    assert [(result["name"], result["value"]) for result in done["status"]["results"]] == [("STATE", "RolledOut")]
