"""A registry of our own and a client for it, and how to put odd images there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from layering.platform import Platform
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, sha256
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.sample.layers import SampleLayer

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One registry. What is pushed here may be as wrong as a test wants it."""

    server: RegistryServer
    client: RegistryClient

    def repository(self, path: str = "acme/os") -> Repository:
        return Repository(self.server.address, path)

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = self.client.push_blob(self.repository(), data)
        return {"mediaType": media_type, "digest": str(digest), "size": len(data)}

    def image(
        self,
        layers: Sequence[SampleLayer] = (),
        labels: Mapping[str, str] | None = None,
        *,
        platform: Platform = AMD64,
        config: Mapping[str, Any] | None = None,
        annotations: Mapping[str, str] | None = None,
        layer_type: str = OCI_LAYER_GZIP,
    ) -> ImageReference:
        """Push one image, by digest. `config` goes over what would be written."""
        document = {
            "os": platform.os,
            "architecture": platform.architecture,
            "config": {"Labels": dict(labels or {})},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
            **(config or {}),
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(json.dumps(document).encode(), OCI_CONFIG),
            "layers": [self.blob(layer.data, layer_type) for layer in layers],
            **({"annotations": dict(annotations)} if annotations else {}),
        }
        return self._put(manifest, OCI_MANIFEST)

    def index(
        self, entries: Sequence[tuple[ImageReference, Platform]], annotations: Mapping[str, str] | None = None
    ) -> ImageReference:
        """Push an index that says of each image for which platform it is, true or not."""
        manifests = [
            {
                "mediaType": OCI_MANIFEST,
                "digest": str(image.pinned),
                "size": len(self.client.manifest(image).raw),
                "platform": {
                    "os": platform.os,
                    "architecture": platform.architecture,
                    **({"variant": platform.variant} if platform.variant else {}),
                },
            }
            for image, platform in entries
        ]
        document: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        if annotations is not None:
            document["annotations"] = dict(annotations)
        return self._put(document, OCI_INDEX)

    def _put(self, document: Mapping[str, Any], media_type: str) -> ImageReference:
        raw = json.dumps(document).encode()
        repository = self.repository()
        return repository.at(self.client.push_manifest(repository.at(sha256(raw)), raw, media_type))


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with (
        RegistryServer() as server,
        RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client,
    ):
        yield Place(server=server, client=client)
