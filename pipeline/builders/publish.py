"""Puts a built image at the registry: blobs, manifests, index, and the tag last.

Base layers keep their digests: they are mounted, or copied from the base's registry. Nobody sees anything before the
tag is there, so a platform that fails leaves no half index. The tag is read back afterwards.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layering.errors import ConflictError
from layering.reasons import Reason
from layering.reference import Digest, ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import (
    DOCKER_LAYER_GZIP,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    sha256,
)
from pipeline.builders.image import BuiltImage, NewLayer

_PARALLEL_COPIES = 8
_CHUNK = 1 << 20
_SMALL_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """Manifests in the order in which they must be pushed; the last one is the image. Media type and bytes of each."""

    manifests: tuple[tuple[str, bytes], ...]

    @property
    def top(self) -> tuple[str, bytes]:
        """The image's own manifest, or its index."""
        return self.manifests[-1]

    @property
    def digest(self) -> Digest:
        """The image's digest."""
        return sha256(self.top[1])


def assemble(images: Sequence[BuiltImage], annotations: Mapping[str, str]) -> Assembled:
    """One manifest, or one per platform and an index. `annotations` stand on each of them, over the base's own."""
    manifests = tuple((OCI_MANIFEST, _manifest(image, annotations)) for image in images)
    if len(images) == 1:
        return Assembled(manifests=manifests)
    entries = [
        {**_entry(OCI_MANIFEST, sha256(raw), len(raw)), "platform": _platform(image)}
        for image, (_, raw) in zip(images, manifests, strict=True)
    ]
    index = _json(
        {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, "annotations": _sorted(annotations)}
    )
    return Assembled(manifests=(*manifests, (OCI_INDEX, index)))


def publish(
    client: RegistryClient, images: Sequence[BuiltImage], assembled: Assembled, base: Repository, target: ImageReference
) -> None:
    """Push everything to `target`. Raises registry errors, and ConflictError when the tag then names something else."""
    for image in images:
        _push_blobs(client, image, base, target.repository)
    for media_type, raw in assembled.manifests:
        client.push_manifest(target.repository.at(sha256(raw)), raw, media_type)
    media_type, raw = assembled.top
    client.push_manifest(target, raw, media_type)
    stands = client.resolve(target).digest
    if stands != assembled.digest:
        raise ConflictError(
            f"the tag names {stands} right after {assembled.digest} was pushed to it",
            where=str(target),
            next_step="find out who else pushes to this repository, then build again",
            reason=Reason.TAG_TAKEN,
        )


def _push_blobs(client: RegistryClient, image: BuiltImage, base: Repository, target: Repository) -> None:
    if base != target:
        with ThreadPoolExecutor(max_workers=_PARALLEL_COPIES) as pool:
            list(pool.map(lambda layer: client.copy_blob(base, target, layer), _each_once(image.base.manifest.layers)))
    for layer in image.layers:
        _push_layer(client, target, layer)
    client.push_blob(target, image.config)


def _each_once(layers: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
    """Each blob once: a base may have the same layer twice."""
    return tuple({layer.digest: layer for layer in layers}.values())


def _push_layer(client: RegistryClient, target: Repository, layer: NewLayer) -> None:
    if client.has_blob(target, layer.written.digest):
        return
    if layer.written.size <= _SMALL_BYTES:
        client.push_blob(target, layer.file.read_bytes())
        return
    descriptor = Descriptor(media_type=OCI_LAYER_GZIP, digest=layer.written.digest, size=layer.written.size)
    client.push_stream(target, lambda: _chunks(layer.file), descriptor)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _manifest(image: BuiltImage, annotations: Mapping[str, str]) -> bytes:
    base_layers = [_entry(_oci_type(layer), layer.digest, layer.size) for layer in image.base.manifest.layers]
    new_layers = [_entry(OCI_LAYER_GZIP, layer.written.digest, layer.written.size) for layer in image.layers]
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _entry(OCI_CONFIG, sha256(image.config), len(image.config)),
            "layers": [*base_layers, *new_layers],
            "annotations": _sorted({**image.base.manifest.annotations, **annotations}),
        }
    )


def _oci_type(layer: Descriptor) -> str:
    return OCI_LAYER_GZIP if layer.media_type == DOCKER_LAYER_GZIP else layer.media_type


def _entry(media_type: str, digest: Digest, size: int) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(digest), "size": size}


def _platform(image: BuiltImage) -> dict[str, str]:
    platform = image.base.platform
    parts = {"architecture": platform.architecture, "os": platform.os, "variant": platform.variant}
    return {name: part for name, part in parts.items() if part}


def _sorted(annotations: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(annotations.items()))


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
