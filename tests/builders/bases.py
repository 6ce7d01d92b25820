"""Base images for tests, pushed through the client: layers and configuration as given, OCI or docker media types."""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    sha256,
)
from tests.builders.tars import Member, tar

_OCI_TYPES = (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER_GZIP)
_DOCKER_TYPES = (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER_GZIP)
CREATED = "2024-01-02T03:04:05Z"
CONFIG: Mapping[str, Any] = {
    "Env": ["PATH=/usr/bin:/bin", "X=1"],
    "Cmd": ["/bin/sh"],
    "WorkingDir": "/",
    "Labels": {"containers.bootc": "1", "version": "9.6.20250101-0"},
}


def push_base(
    client: RegistryClient,
    repository: Repository,
    layers: Sequence[Sequence[Member]],
    *,
    config: Mapping[str, Any] = CONFIG,
    architecture: str = "amd64",
    docker: bool = False,
    annotations: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> ImageReference:
    """Push one image; `more` are further keys of its configuration. Gives it by digest."""
    tars = [tar(members) for members in layers]
    document = {
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [str(sha256(data)) for data in tars]},
        "history": [{"created": CREATED, "created_by": f"layer {number}"} for number, _ in enumerate(tars)],
        **(more or {}),
    }
    types = (
        (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER_GZIP) if docker else (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER_GZIP)
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": types[0],
        "config": _pushed(client, repository, types[1], json.dumps(document).encode()),
        "layers": [_pushed(client, repository, types[2], gzipped(data)) for data in tars],
        **({"annotations": dict(annotations)} if annotations else {}),
    }
    raw = json.dumps(manifest).encode()
    return repository.at(client.push_manifest(repository.at(sha256(raw)), raw, types[0]))


def push_index(client: RegistryClient, repository: Repository, images: Mapping[str, ImageReference]) -> ImageReference:
    """An index of images that are in the same repository, by architecture."""
    entries = []
    for architecture, image in images.items():
        manifest = client.image(image)
        entries.append(
            {
                "mediaType": manifest.media_type,
                "digest": str(manifest.digest),
                "size": len(manifest.raw),
                "platform": {"os": "linux", "architecture": architecture},
            }
        )
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    return repository.at(client.push_manifest(repository.at(sha256(raw)), raw, OCI_INDEX))


def gzipped(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=31)
    return compressor.compress(data) + compressor.flush()


def _pushed(client: RegistryClient, repository: Repository, media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(client.push_blob(repository, data)), "size": len(data)}
