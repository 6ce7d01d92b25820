"""A namespace with our Pipeline in it, and a small world to rebuild."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.tekton import Tekton
from tests.scenario import Scenario
from tests.tekton.installed import Cluster, install


@pytest.fixture
def cluster(tekton: Tekton, tekton_namespace: str, kubelet: Kubelet) -> Cluster:
    install(tekton.api, tekton_namespace)
    return Cluster(api=tekton.api, namespace=tekton_namespace)


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        yield Scenario(directory=tmp_path, registry=server.address, settings=settings).set_up()
