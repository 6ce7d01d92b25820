"""One cluster with the watcher's rights in it, for all tests of this directory."""

from collections.abc import Iterator

import pytest

from tests.deploy.deployed import Deployed, deployed


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """overlays/openshift is applied; nothing else is there."""
    with deployed(tmp_path_factory.mktemp("deployed")) as running:
        yield running
