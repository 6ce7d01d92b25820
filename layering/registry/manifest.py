"""Manifests, indexes and image configurations: read strictly, so that nothing can be understood in two ways.

Shapes: OCI image-spec v1.1 manifest.md, image-index.md, config.md, and docker's schema 2 (the same shapes under other
media types). Schema 1 is recognised and refused. The bytes are kept as they came: their hash is the identity. This
module asks no registry.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from layering.errors import ContentError, InputError
from layering.platform import Platform
from layering.reference import Digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)
ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))

MANIFEST_BYTES_MAX = 4 * 1024 * 1024
_DESCRIPTORS_MAX = 1000
_DEPTH_MAX = 32
_VALUES_MAX = 500_000  # of one document, more or less: each takes far more memory than it has bytes
_SIZE_MAX = 2**53
_WORD = re.compile(r"[a-z0-9][a-z0-9_.]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Descriptor:
    """What a blob or manifest is, how long, and under which digest (image-spec, descriptor.md). Sizes in bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageManifest:
    """One image for one platform. `digest` is the hash of `raw`."""

    raw: bytes = field(repr=False)
    digest: Digest
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageIndex:
    """Several manifests under one digest. `digest` is the hash of `raw`."""

    raw: bytes = field(repr=False)
    digest: Digest
    media_type: str
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageConfig:
    """An image's configuration: `document` is the JSON, the rest what is used of it."""

    raw: bytes = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    platform: Platform
    labels: Mapping[str, str]
    diff_ids: tuple[Digest, ...]
    created: str | None


def sha256(data: bytes) -> Digest:
    """The digest under which `data` is addressed."""
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def parse_manifest(raw: bytes, content_type: str | None, where: str = "") -> ImageManifest | ImageIndex:
    """Read a manifest or index. Raises ContentError for anything ambiguous, broken or over a limit."""
    document = parse_object(raw, where)
    media_type = _media_type(document, content_type, where)
    if media_type in INDEX_TYPES:
        return ImageIndex(
            raw=raw,
            digest=sha256(raw),
            media_type=media_type,
            manifests=_descriptors(document, "manifests", where),
            annotations=_strings(document.get("annotations"), "annotations", where),
        )
    return ImageManifest(
        raw=raw,
        digest=sha256(raw),
        media_type=media_type,
        config=_descriptor(document.get("config"), "config", where),
        layers=_descriptors(document, "layers", where),
        annotations=_strings(document.get("annotations"), "annotations", where),
    )


def parse_config(raw: bytes, where: str = "") -> ImageConfig:
    """Read an image configuration. Raises ContentError."""
    document = parse_object(raw, where)
    _check_spelling(document, _CONFIG_FIELDS, where)
    rootfs = document.get("rootfs")
    inner = {} if document.get("config") is None else document["config"]
    if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids"), list) or not isinstance(inner, dict):
        raise ContentError("the image's configuration has no rootfs.diff_ids", where=where)
    _check_spelling(rootfs, ("diff_ids",), where)
    _check_spelling(inner, ("Labels",), where)
    created = document.get("created")
    return ImageConfig(
        raw=raw,
        document=document,
        platform=_platform(document, where),
        labels=_strings(inner.get("Labels"), "config.Labels", where),
        diff_ids=tuple(_digest(text, "rootfs.diff_ids", where) for text in rootfs["diff_ids"]),
        created=created if isinstance(created, str) else None,
    )


def parse_object(raw: bytes, where: str) -> dict[str, Any]:
    """One JSON object in UTF-8 (RFC 8259 section 8.1), without repeated keys, not nested deeper than 32.

    Raises ContentError.
    """
    if sum(raw.count(mark) for mark in (b",", b"[", b"{")) > _VALUES_MAX:
        raise ContentError(f"more than {_VALUES_MAX} values", where=where)
    has_escapes = b"\\u" in raw
    if len(raw) > MANIFEST_BYTES_MAX and (
        has_escapes or not raw.isascii()
    ):  # a letter may have all others take 4 bytes
        raise ContentError(f"more than {MANIFEST_BYTES_MAX} bytes that are not all ASCII", where=where)
    try:
        document = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
        if has_escapes:
            json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair can be written nowhere
    except (ValueError, RecursionError) as error:
        raise ContentError(f"not the JSON it should be: {error}", where=where) from None
    if not isinstance(document, dict):
        raise ContentError("not a JSON object", where=where)
    if _deeper_than(document, _DEPTH_MAX):
        raise ContentError(f"nested deeper than {_DEPTH_MAX}", where=where)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _deeper_than(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    children = value.values() if isinstance(value, dict) else value
    return depth == 0 or any(_deeper_than(child, depth - 1) for child in children)


_MANIFEST_FIELDS = ("mediaType", "schemaVersion", "config", "layers", "manifests", "fsLayers", "annotations")
_DESCRIPTOR_FIELDS = ("mediaType", "digest", "size", "platform", "annotations")
_PLATFORM_FIELDS = ("os", "architecture", "variant")
_CONFIG_FIELDS = (*_PLATFORM_FIELDS, "config", "rootfs", "created")


def _check_spelling(document: Mapping[str, Any], fields: tuple[str, ...], where: str) -> None:
    """Decoders written in Go take a field's name in any case, and the last one wins; so none but the right one is.

    Of letters that have their case in common, too: a long s is an s (encoding/json, `foldName`).
    """
    folded = {field.casefold() for field in fields}
    for key in document:
        if key not in fields and key.casefold() in folded:
            raise ContentError(f"{key!r} is another spelling of a field's name", where=where)


def _media_type(document: Mapping[str, Any], content_type: str | None, where: str) -> str:
    """What it is: by its own word, the header's, or its shape; all that speak must agree."""
    _check_spelling(document, _MANIFEST_FIELDS, where)
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        raise ContentError(
            "a schema 1 manifest, which has no digest of its own", where=where, next_step="push the image again"
        )
    if type(document.get("schemaVersion")) is not int or document["schemaVersion"] != 2:
        raise ContentError("schemaVersion is not 2", where=where)
    shape = _shape(document, where)
    declared = document.get("mediaType")
    header = (content_type or "").partition(";")[0].strip().lower()
    said = [text for text in (declared, header) if text in (*MANIFEST_TYPES, *INDEX_TYPES)]
    if declared is not None and declared not in (*MANIFEST_TYPES, *INDEX_TYPES):
        raise ContentError(f"{str(declared)[:100]!r} is not a manifest this tool reads", where=where)
    if len(set(said)) > 1:
        raise ContentError(f"the header says {header}, the manifest {declared}", where=where)
    media_type = said[0] if said else shape[0]
    if media_type not in shape:
        raise ContentError(f"called {media_type}, but it is the other kind", where=where)
    return media_type


def _shape(document: Mapping[str, Any], where: str) -> tuple[str, ...]:
    is_index = "manifests" in document
    is_image = "config" in document or "layers" in document
    if is_index == is_image:
        raise ContentError("neither clearly an image nor clearly an index", where=where)
    return INDEX_TYPES if is_index else MANIFEST_TYPES


def _descriptors(document: Mapping[str, Any], key: str, where: str) -> tuple[Descriptor, ...]:
    entries = document.get(key)
    if not isinstance(entries, list) or len(entries) > _DESCRIPTORS_MAX:
        raise ContentError(f"{key} is not a list of at most {_DESCRIPTORS_MAX}", where=where)
    return tuple(_descriptor(entry, f"{key}[{number}]", where) for number, entry in enumerate(entries))


def _descriptor(entry: Any, path: str, where: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise ContentError(f"{path} is not a descriptor", where=where)
    _check_spelling(entry, _DESCRIPTOR_FIELDS, f"{where}: {path}")
    size, media_type = entry.get("size"), entry.get("mediaType")
    if type(size) is not int or not 0 <= size <= _SIZE_MAX:
        raise ContentError(f"{path}.size is not a size", where=where)
    if not isinstance(media_type, str):
        raise ContentError(f"{path}.mediaType is missing", where=where)
    platform = entry.get("platform")
    if platform is not None and not isinstance(platform, dict):
        raise ContentError(f"{path}.platform is not an object", where=where)
    return Descriptor(
        media_type=media_type,
        digest=_digest(entry.get("digest"), f"{path}.digest", where),
        size=size,
        platform=_platform(platform, where) if platform is not None else None,
        annotations=_strings(entry.get("annotations"), f"{path}.annotations", where),
    )


def _platform(document: Mapping[str, Any], where: str) -> Platform:
    _check_spelling(document, _PLATFORM_FIELDS, where)
    system, architecture, variant = (document.get(key) or "" for key in _PLATFORM_FIELDS)
    if not all(
        isinstance(part, str) and (not part or _WORD.fullmatch(part)) for part in (system, architecture, variant)
    ):
        raise ContentError("os, architecture and variant are not lower-case words", where=where)
    return Platform(system or "unknown", architecture or "unknown", variant)


def _digest(text: Any, path: str, where: str) -> Digest:
    try:
        return Digest.parse(text) if isinstance(text, str) else Digest("", "")
    except InputError as error:
        raise ContentError(f"{path}: {error.what}", where=where) from None


def _strings(value: Any, path: str, where: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ContentError(f"{path} does not map text to text", where=where)
    return value
