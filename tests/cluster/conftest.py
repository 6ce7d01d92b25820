"""A cluster's API as the product asks it: as the administrator, or as a ServiceAccount that may do nothing yet."""

from collections.abc import Iterator

import pytest

from layering.cluster.access import Kubeconfig
from layering.cluster.api import ClusterApi
from tests.kubernetes.server import TestApiServer


@pytest.fixture
def api(api_server: TestApiServer) -> Iterator[ClusterApi]:
    """Everything is allowed."""
    with ClusterApi(Kubeconfig(file=api_server.kubeconfig), name="prod", timeout_seconds=10) as api:
        yield api
