"""The engine on a real API server, as the admin or as somebody with fewer rights."""

from collections.abc import Iterator

import pytest

from layering.cluster.access import Kubeconfig
from layering.cluster.api import ClusterApi
from tests.engines.clock import Clock
from tests.kubernetes.server import TestApiServer
from watcher.engines.tekton import TektonEngine


@pytest.fixture
def kubeconfig(api_server: TestApiServer) -> Kubeconfig:
    return Kubeconfig(file=api_server.kubeconfig)


@pytest.fixture
def api(kubeconfig: Kubeconfig) -> Iterator[ClusterApi]:
    with ClusterApi(kubeconfig, name="home") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(api: ClusterApi, namespace: str, clock: Clock) -> TektonEngine:
    """In the test's namespace, which no image names."""
    return TektonEngine(lambda name: api, home="home", namespace=namespace, now=clock)
