"""What an image says it was built from: the annotations that a rebuild leaves, written and read in one place.

They are hints for the next decision, not proof; the proof that an image is FROM a base is in imagecheck.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from layering.errors import InputError, NotFoundError
from layering.reference import Digest, ImageReference
from layering.registry.client import RegistryClient

# opencontainers/image-spec v1.1, annotations.md
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"
CREATED = "org.opencontainers.image.created"

BUILD_KEY = "layerwatch.build-key"
BASE_VERSION = "layerwatch.base-version"
BUILDER = "layerwatch.builder"

_VERSION_LENGTH_MAX = 128  # what a ClusterVersion may have


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """What the annotations say; None where they say nothing, or nothing readable."""

    key: str | None = None
    base_name: str | None = None
    base_digest: Digest | None = None
    base_version: str | None = None
    revision: str | None = None
    source: str | None = None
    builder: str | None = None


def provenance_of(annotations: Mapping[str, str]) -> Provenance:
    """Read annotations. Never raises: what is not readable is not said."""
    return Provenance(
        key=annotations.get(BUILD_KEY),
        base_name=annotations.get(BASE_NAME),
        base_digest=_digest(annotations.get(BASE_DIGEST)),
        base_version=readable_version(annotations.get(BASE_VERSION)),
        revision=annotations.get(REVISION),
        source=annotations.get(SOURCE),
        builder=annotations.get(BUILDER),
    )


def readable_version(text: str | None) -> str | None:
    """A version as an image tells it: one printable line, not too long; anybody may write anything there."""
    return text if text and text.isprintable() and len(text) <= _VERSION_LENGTH_MAX else None


def read_provenance(registry: RegistryClient, image: ImageReference) -> Provenance:
    """The provenance of an image or index; an empty one when the registry no longer has it. Raises registry errors."""
    try:
        return provenance_of(registry.manifest(image).annotations)
    except NotFoundError:
        return Provenance()


def _digest(text: str | None) -> Digest | None:
    try:
        return Digest.parse(text) if text else None
    except InputError:
        return None
