"""Fixtures of a real cluster for every test: the API server once per test process, a namespace for each test.

A test that breaks the server (kill, freeze) mends it before it ends; one that needs other flags, or none of the CRDs,
starts a TestApiServer of its own.
"""

import uuid
from collections.abc import Iterator

import pytest

from tests.kubernetes.admin import NAMESPACES
from tests.kubernetes.crds import load_openshift, load_tekton
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer


@pytest.fixture(scope="session")
def api_server() -> Iterator[TestApiServer]:
    """A cluster with the kinds of OpenShift and Tekton, and none of their programs."""
    with TestApiServer() as server:
        load_openshift(server.admin)
        load_tekton(server.admin)
        yield server


@pytest.fixture
def namespace(api_server: TestApiServer) -> str:
    """A fresh namespace. It is never deleted: the server goes soon enough."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    api_server.admin.create(NAMESPACES, {"metadata": {"name": name}})
    return name


@pytest.fixture
def openshift(api_server: TestApiServer) -> Iterator[OpenShiftPlay]:
    """The operators of a bare cluster: no version, no pools, until the test says so."""
    play = OpenShiftPlay(api_server.admin)
    yield play
    play.clear()
