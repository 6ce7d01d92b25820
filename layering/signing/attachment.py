"""Where nodes look for signatures: the tag `sha256-HEX.sig` beside the image, whose layers are what is signed.

cosign's specs/SIGNATURE_SPEC.md ("Storage") and ATTESTATION_SPEC.md (`.att`). A registry has no way to add a layer to
what a tag names: it is read, and put again with one more. Two who do so at once may undo each other, which whoever adds
must look after.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from layering.errors import ContentError, InputError, NotFoundError
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_CONFIG, OCI_MANIFEST, ImageManifest, sha256

SIGNATURE = "dev.cosignproject.cosign/signature"
_BYTES_MAX = 64 * 1024
_LAYERS_MAX = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """One thing that is attached to an image."""

    media_type: str
    raw: bytes = field(repr=False)
    annotations: Mapping[str, str]


def tag_beside(image: ImageReference, suffix: str) -> ImageReference:
    """The tag under which things of one kind are kept: `sig` or `att`. Raises InputError for a sha512 digest."""
    digest = image.pinned
    if digest.algorithm != "sha256":
        raise InputError(f"{digest} is longer than the name of a signature's tag may be", where=str(image.repository))
    return image.repository.tagged(f"{digest.algorithm}-{digest.hex}.{suffix}")


def attachments(registry: RegistryClient, tag: ImageReference, media_type: str) -> Iterator[Attachment]:
    """What is attached there, of one kind; nothing when there is no such tag.

    What is too large or not its digest is passed over. Raises ContentError for a tag that is no such manifest.
    """
    manifest = _manifest(registry, tag)
    for layer in manifest.layers if manifest else ():
        if layer.media_type != media_type:
            continue
        with contextlib.suppress(ContentError, NotFoundError):
            raw = registry.read_blob(tag.repository, layer, limit_bytes=_BYTES_MAX)
            yield Attachment(media_type=media_type, raw=raw, annotations=layer.annotations)


def attach(registry: RegistryClient, tag: ImageReference, attachment: Attachment) -> None:
    """Add it to what is attached there. Raises ContentError when that is no such manifest, or full."""
    registry.push_blob(tag.repository, attachment.raw)
    present = _manifest(registry, tag)
    if present is not None and len(present.layers) >= _LAYERS_MAX:
        raise ContentError(f"{len(present.layers)} things are attached already", where=str(tag))
    document = _with(present, attachment)
    config = _config([layer["digest"] for layer in document["layers"]])
    config_type = present.config.media_type if present else OCI_CONFIG
    document["config"] = {"mediaType": config_type, "digest": str(sha256(config)), "size": len(config)}
    registry.push_blob(tag.repository, config)
    raw = json.dumps(document, separators=(",", ":")).encode()
    registry.push_manifest(tag, raw, present.media_type if present else OCI_MANIFEST)


def _manifest(registry: RegistryClient, tag: ImageReference) -> ImageManifest | None:
    try:
        found = registry.manifest(tag)
    except NotFoundError:
        return None
    if not isinstance(found, ImageManifest):
        raise ContentError("an index where signatures should be", where=str(tag))
    return found


def _with(present: ImageManifest | None, attachment: Attachment) -> dict[str, Any]:
    """The manifest with one more layer; all else that somebody wrote into it stays."""
    document: dict[str, Any] = json.loads(present.raw) if present else {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    layer = {
        "mediaType": attachment.media_type,
        "digest": str(sha256(attachment.raw)),
        "size": len(attachment.raw),
        "annotations": dict(attachment.annotations),
    }
    document["layers"] = [*document.get("layers", ()), layer]
    return document


def _config(diff_ids: list[str]) -> bytes:
    """An image's configuration, because tools that add a layer want one. The layers are not compressed."""
    document = {"architecture": "", "os": "", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    return json.dumps(document, separators=(",", ":")).encode()
