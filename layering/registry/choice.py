"""Which manifest of an index is for a platform: exactly one, or an error that says why not. Never "the first"."""

from layering.errors import ContentError, InputError
from layering.platform import Platform
from layering.registry.manifest import Descriptor, ImageIndex

_ZSTD = "io.github.containers.compression.zstd"  # podman's second copy of an image, for clients that can read zstd
_VARIANTS_LEFT_OUT = {"arm64": "v8"}  # the variant that an architecture has when none is written

_NAME_ONE = "name one that it has"


def choose(index: ImageIndex, platform: Platform | None, where: str) -> Descriptor:
    """The one manifest for `platform`; attestations (`unknown/unknown`) are for none.

    Without a platform the index must hold just one. Raises InputError when it holds none or several, ContentError when
    it names several manifests for one platform.
    """
    entries = [entry for entry in index.manifests if _is_image(entry)]
    listed = ", ".join(sorted({str(entry.platform) for entry in entries})) or "none"
    if platform is None:
        if len({entry.platform for entry in entries}) != 1:
            raise InputError(f"an index of several platforms or none: {listed}", where=where, next_step=_NAME_ONE)
        matching = entries
    else:
        matching = _for(entries, platform)
    if not matching:
        raise InputError(f"there is no {platform} in it; it has {listed}", where=where, next_step=_NAME_ONE)
    if len({entry.digest for entry in matching}) > 1:
        raise ContentError(f"an index that names several manifests for {platform or listed}", where=where)
    return matching[0]


def _is_image(entry: Descriptor) -> bool:
    known = entry.platform is not None and "unknown" not in (entry.platform.os, entry.platform.architecture)
    return known and _ZSTD not in entry.annotations


def _for(entries: list[Descriptor], platform: Platform) -> list[Descriptor]:
    """Those for the very variant, else, when no variant was asked for, those for any."""
    same = [entry for entry in entries if entry.platform and _without(entry.platform) == _without(platform)]
    exact = [entry for entry in same if entry.platform and _variant(entry.platform) == _variant(platform)]
    return exact or ([] if platform.variant else same)


def _without(platform: Platform) -> tuple[str, str]:
    return platform.os, platform.architecture


def _variant(platform: Platform) -> str:
    return platform.variant or _VARIANTS_LEFT_OUT.get(platform.architecture, "")
