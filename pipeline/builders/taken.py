"""Is this build there already? A target tag is never moved: it holds our build, nothing, or a conflict."""

from dataclasses import dataclass

from layering.buildkey import BuildKey
from layering.errors import ConflictError
from layering.provenance import BUILD_KEY, BUILDER
from layering.reasons import Reason
from layering.reference import Digest, ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import ImageIndex, ImageManifest


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierBuild:
    """The same build, found at the registry; `builder` is who made it, as its annotation says."""

    digest: Digest
    builder: str


def earlier_build(client: RegistryClient, target: ImageReference, key: BuildKey) -> EarlierBuild | None:
    """The build with `key` under `target`; None when the tag is free.

    Raises ConflictError when the tag holds anything else, and registry errors.
    """
    if client.find(target) is None:
        return None
    found = client.manifest(target)
    said = _build_key(client, target, found)
    if said == key.hex:
        return EarlierBuild(digest=found.digest, builder=found.annotations.get(BUILDER, "unknown"))
    raise ConflictError(
        f"the tag holds another build ({said})" if said else "the tag holds an image that is not a build of ours",
        where=f"{target} ({found.digest})",
        next_step="target tags are never moved: choose another --target, or delete the tag if it is yours",
        reason=Reason.TAG_TAKEN,
    )


def _build_key(client: RegistryClient, target: ImageReference, found: ImageManifest | ImageIndex) -> str | None:
    """By annotation; by label for an image that was copied by a tool that drops annotations."""
    if key := found.annotations.get(BUILD_KEY):
        return key
    if isinstance(found, ImageIndex):
        return None
    return client.config(target.repository, found).labels.get(BUILD_KEY)
