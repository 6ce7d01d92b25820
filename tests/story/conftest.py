"""A world for each story: its cluster is Tekton's API server, in a namespace with our Pipeline."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.tekton import Tekton
from tests.scenario import Scenario
from tests.story.world import StoryWorld
from tests.tekton.installed import install


@pytest.fixture
def openshift(tekton: Tekton) -> Iterator[OpenShiftPlay]:
    """The operators of the cluster that Tekton runs in."""
    play = OpenShiftPlay(tekton.server.admin)
    yield play
    play.clear()


@pytest.fixture
def world_of(
    tekton: Tekton, tekton_namespace: str, openshift: OpenShiftPlay, kubelet: Kubelet
) -> Callable[..., StoryWorld]:
    """Makes the world of a scenario; keywords are what its image's `build` says."""
    install(tekton.api, tekton_namespace)

    def make(scenario: Scenario, **build: Any) -> StoryWorld:
        return StoryWorld(
            scenario=scenario,
            server=tekton.server,
            openshift=openshift,
            namespace=tekton_namespace,
            kubeconfig=tekton.server.kubeconfig,
            kubelet=kubelet,
            build=build,
        )

    return make


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    """Releases 4.19.1 and 4.19.2 in a registry of our own, and git."""
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        yield Scenario(directory=tmp_path, registry=server.address, settings=settings).set_up()
