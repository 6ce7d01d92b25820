"""A Sigstore bundle beside an image: an envelope, told apart by what it says, in a manifest that refers to the image.

sigstore/protobuf-specs protos/sigstore_bundle.proto (v0.3), and cosign's specs/BUNDLE_SPEC.md for where it is kept.
Made with a key, it has neither certificate nor log entry; those of others are read as far as their envelope.
"""

import json
from collections.abc import Iterator

from layering.errors import ContentError, NotFoundError
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import MANIFEST_TYPES, OCI_MANIFEST, Descriptor, ImageManifest, parse_object, sha256
from layering.signing.envelope import Envelope
from layering.signing.publickey import PublicKey

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_CONTENT = "dev.sigstore.bundle.content"
_PREDICATE_TYPE = "dev.sigstore.bundle.predicateType"
_EMPTY_TYPE, _EMPTY = "application/vnd.oci.empty.v1+json", b"{}"
_BYTES_MAX = 64 * 1024
_READ_MAX = 100


def bundle(envelope: Envelope, key: PublicKey) -> bytes:
    """The bundle of an envelope that this key signed."""
    document = {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": key.hint}},
        "dsseEnvelope": envelope.document(),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def find_bundles(registry: RegistryClient, image: ImageReference, predicate_type: str) -> Iterator[Envelope] | None:
    """The envelopes beside an image that may say this; None when the registry offers no referrers.

    What cannot be read is passed over: anybody who may push may leave anything there.
    """
    found = registry.referrers(image, BUNDLE)
    if found is None:
        return None
    wanted = (one for one in found if one.annotations.get(_PREDICATE_TYPE, predicate_type) == predicate_type)
    near = [one for one in wanted if one.media_type in MANIFEST_TYPES][:_READ_MAX]
    return (envelope for one in near if (envelope := _read(registry, image.repository.at(one.digest))) is not None)


def push_bundle(
    registry: RegistryClient, image: ImageReference, subject: Descriptor, raw: bytes, predicate_type: str
) -> ImageReference:
    """Put a bundle beside an image; where it is. The same bundle again changes nothing."""
    repository = image.repository
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": BUNDLE,
        "config": _described(_EMPTY_TYPE, _EMPTY),
        "layers": [_described(BUNDLE, raw)],
        "subject": {"mediaType": subject.media_type, "digest": str(subject.digest), "size": subject.size},
        "annotations": {_CONTENT: "dsse-envelope", _PREDICATE_TYPE: predicate_type},
    }
    for blob in (_EMPTY, raw):
        registry.push_blob(repository, blob)
    manifest = json.dumps(document, separators=(",", ":")).encode()
    return repository.at(registry.push_manifest(repository.at(sha256(manifest)), manifest, OCI_MANIFEST))


def _described(media_type: str, data: bytes) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": str(sha256(data)), "size": len(data)}


def _read(registry: RegistryClient, reference: ImageReference) -> Envelope | None:
    try:
        manifest = registry.manifest(reference)
        if not isinstance(manifest, ImageManifest) or [one.media_type for one in manifest.layers] != [BUNDLE]:
            return None
        raw = registry.read_blob(reference.repository, manifest.layers[0], limit_bytes=_BYTES_MAX)
        return Envelope.read(parse_object(raw, str(reference)).get("dsseEnvelope"), str(reference))
    except (ContentError, NotFoundError):
        return None
