"""act in a world of its own: a registry, git, a layerwatch.yaml; and what was built and pinned there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.actions.act import Act
from tests.forges.origin import Origin
from tests.parts import require
from tests.scenario import FILE, Scenario


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as made:
        yield made


@pytest.fixture
def world(server: RegistryServer, tmp_path: Path) -> Scenario:
    settings = RegistrySettings(insecure=frozenset({server.address}))
    return Scenario(tmp_path, server.address, settings).set_up()


@pytest.fixture
def act(world: Scenario, tmp_path: Path) -> Act:
    """A repository with the configuration of that world."""
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{world.registry}"\ninsecure = true\n')
    world.configure(
        source={"git": str(world.source), "context": "worker", "containerfile": "worker/Containerfile"},
        proposals=[world.proposal(repository=str(world.forge))],
    )
    files = {name: (tmp_path / name).read_text() for name in ("layerwatch.yaml", "clusterversion.yaml")}
    directory = tmp_path / "act"
    return Act(
        program=require("act"), directory=directory, environment={"CONTAINERS_REGISTRIES_CONF": str(conf)}
    ).set_up(files)


def pinned(origin: Origin, branch: str) -> str:
    return str(yaml.safe_load(origin.show(branch, FILE))["spec"]["osImageURL"])


def built(world: Scenario) -> str:
    """The only image there is, by digest."""
    (tag,) = world.tags()
    with RegistryClient(world.settings) as client:
        return f"{world.target}@{client.resolve(world.target.tagged(tag)).digest}"
