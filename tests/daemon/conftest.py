"""A world with a real API server for every test that wants one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.cluster.resources import EVENTS
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.daemon.process import ClusterWorld
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer
from tests.scenario import Scenario


@pytest.fixture
def world(
    api_server: TestApiServer, openshift: OpenShiftPlay, namespace: str, tmp_path: Path
) -> Iterator[ClusterWorld]:
    """The cluster runs 4.19.1; its pool `worker` has one machine; nothing of ours is there."""
    with RegistryServer() as registry:
        settings = RegistrySettings(insecure=frozenset({registry.address}))
        scenario = Scenario(directory=tmp_path, registry=registry.address, settings=settings).set_up()
        openshift.cluster_version("4.19.1", str(scenario.payloads["4.19.1"]))
        openshift.pool("worker", machines=1)
        api_server.admin.delete_all(EVENTS, namespace="default")
        world = ClusterWorld(
            scenario=scenario,
            server=api_server,
            openshift=openshift,
            namespace=namespace,
            kubeconfig=api_server.kubeconfig,
        )
        world.configure()
        yield world


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    """A world whose cluster is a file."""
    with RegistryServer() as registry:
        settings = RegistrySettings(insecure=frozenset({registry.address}))
        yield Scenario(directory=tmp_path, registry=registry.address, settings=settings).set_up()
