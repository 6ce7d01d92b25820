"""A scenario on our own registry, which every test of the watcher may have."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.scenario import Scenario


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


@pytest.fixture
def scenario(tmp_path: Path, server: RegistryServer) -> Scenario:
    settings = RegistrySettings(insecure=frozenset({server.address}))
    return Scenario(directory=tmp_path, registry=server.address, settings=settings).set_up()
