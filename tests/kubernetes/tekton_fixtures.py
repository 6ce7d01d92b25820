"""Fixtures: `tekton`, an API server of its own with a running Tekton, once per test process; `kubelet` and a namespace.

Its own API server, because the webhooks judge each Tekton object of the whole server, and tests that only need the CRDs
on the shared one must not depend on who ran before them.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.crds import load_openshift
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.private_network import available
from tests.kubernetes.server import TestApiServer
from tests.kubernetes.tekton import Tekton
from tests.parts import require, require_files


@pytest.fixture(scope="session")
def tekton_server() -> Iterator[TestApiServer]:
    """The API server that Tekton stands beside, with kube-controller-manager and OpenShift's kinds."""
    with TestApiServer(controllers=True) as server:
        load_openshift(server.admin)
        yield server


@pytest.fixture(scope="session")
def tekton(tekton_server: TestApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tekton]:
    """Tekton's webhook and controller, running; `tekton.api` is the admin's way to their API server."""
    manifests = require_files("tekton-manifests") / "config"
    webhook, controller = require("tekton-webhook"), require("tekton-controller")
    _require_private_networks()
    running = Tekton(tekton_server, tmp_path_factory.mktemp("tekton"), manifests, webhook, controller)
    yield running
    running.kill()


@pytest.fixture
def tekton_namespace(tekton: Tekton, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test, on Tekton's API server; it has its ServiceAccount `default`."""
    created = tekton.api.call("POST", "/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
    name = str(created["metadata"]["name"])
    tekton.wait_for(f"/api/v1/namespaces/{name}/serviceaccounts/default")
    yield name
    tekton.api.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def kubelet(tekton_server: TestApiServer, tekton_namespace: str, tmp_path: Path) -> Iterator[Kubelet]:
    """Runs the pods of `tekton_namespace`."""
    tls = tekton_server.directory / "tls.crt", tekton_server.directory / "tls.key"
    running = Kubelet(tekton_server.kubeconfig, tmp_path / "kubelet", *tls, [tekton_namespace])
    yield running
    running.close()


def _require_private_networks() -> None:
    missing = available()
    if missing and os.environ.get("REQUIRE_REAL_PARTS") == "1":
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)
