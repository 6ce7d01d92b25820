"""A registry of our own, and images in it that say what they were built from."""

from collections.abc import Iterator

import pytest

from layering.provenance import BASE_DIGEST, BASE_NAME, BASE_VERSION, BUILD_KEY, BUILDER, REVISION, SOURCE
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.images.conftest import AMD64, ARM64, Place

BUILT = {
    BASE_NAME: "quay.io/openshift-release-dev/ocp-v4.0-art-dev",
    BASE_DIGEST: f"sha256:{'b' * 64}",
    BASE_VERSION: "4.19.2",
    BUILD_KEY: "c" * 64,
    BUILDER: "compose",
    REVISION: "d" * 40,
    SOURCE: "https://git.example.com/acme/os-images.git",
}


@pytest.fixture
def place() -> Iterator[Place]:
    with (
        RegistryServer() as server,
        RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client,
    ):
        yield Place(server=server, client=client)


@pytest.fixture
def image(place: Place) -> ImageReference:
    return place.image(annotations=BUILT)


@pytest.fixture
def index(place: Place) -> ImageReference:
    """For two platforms; what it says it was built from, it says for both."""
    return place.index([(place.image(platform=one), one) for one in (AMD64, ARM64)], BUILT)
