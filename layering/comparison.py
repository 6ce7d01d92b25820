"""What differs between two images: labels, version, layers, bytes a node must fetch.

Two images have the same content when their layers (by diff_id) and their configuration agree on everything but dates,
history, labels and annotations that only say how the image came to be. Packages are not compared here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layering.errors import InputError
from layering.platform import Platform
from layering.provenance import BASE_DIGEST, BASE_NAME, BASE_VERSION, BUILD_KEY, CREATED, REVISION, SOURCE
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import ImageConfig, ImageIndex, ImageManifest

HOW_IT_CAME_TO_BE = {
    BASE_DIGEST,
    BASE_NAME,
    BASE_VERSION,
    BUILD_KEY,
    CREATED,
    REVISION,
    SOURCE,
    "io.buildah.version",
    "org.opencontainers.image.version",
}
VERSION_LABELS = ("version", "org.opencontainers.image.version")
# What is meant when no variant is named (containerd/platforms, database.go, `normalizeArch`); buildah names it.
_DEFAULT_VARIANTS = {"amd64": "v1", "arm64": "v8"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelChanges:
    """Labels by name: added and removed with their value, changed with the old and the new one."""

    added: Mapping[str, str]
    removed: Mapping[str, str]
    changed: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerChanges:
    """Layers of one platform. `fetch_bytes` is the compressed size of what a node that has the old image must fetch."""

    platform: Platform
    shared: int
    added: int
    removed: int
    fetch_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two images, side by side, each by its digest. `versions` are the OS's version labels."""

    old: ImageReference
    new: ImageReference
    versions: tuple[str | None, str | None]
    labels: LabelChanges
    layers: tuple[LayerChanges, ...]
    same_content: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Image:
    manifest: ImageManifest
    config: ImageConfig


def compare(registry: RegistryClient, old: ImageReference, new: ImageReference) -> Comparison:
    """Compare two images platform by platform; labels are those of the first. Raises the registry's errors.

    A tag is looked up once, so that it cannot move in between. Raises InputError when they have no platform in common.
    """
    old, ours = _pinned(registry, old)
    new, theirs = _pinned(registry, new)
    platforms = _common_platforms(ours, theirs, new)
    pairs = {platform: (_read(registry, old, platform), _read(registry, new, platform)) for platform in platforms}
    first_old, first_new = next(iter(pairs.values()))
    return Comparison(
        old=old,
        new=new,
        versions=(_version(first_old.config), _version(first_new.config)),
        labels=_labels(first_old.config.labels, first_new.config.labels),
        layers=tuple(_layers(platform, *pair) for platform, pair in pairs.items()),
        same_content=set(ours) == set(theirs) and all(_same(one.config, other.config) for one, other in pairs.values()),
    )


def _common_platforms(ours: Sequence[Platform], theirs: Sequence[Platform], new: ImageReference) -> Sequence[Platform]:
    common = [platform for platform in ours if platform in theirs]
    if not common:
        raise InputError(f"no platform in common: {_listed(ours)} and {_listed(theirs)}", where=str(new))
    return common


def _listed(platforms: Sequence[Platform]) -> str:
    return ", ".join(map(str, platforms)) or "none"


def _pinned(registry: RegistryClient, image: ImageReference) -> tuple[ImageReference, Sequence[Platform]]:
    """The image by its digest, and what it is for."""
    found = registry.manifest(image)
    if isinstance(found, ImageIndex):
        listed = [entry.platform for entry in found.manifests if entry.platform is not None]
        platforms = [platform for platform in listed if platform.architecture != "unknown"]
    else:
        platforms = [registry.config(image.repository, found).platform]
    return image.repository.at(found.digest), [_plain(platform) for platform in platforms]


def _plain(platform: Platform) -> Platform:
    """The platform without a variant that goes without saying."""
    if platform.variant and platform.variant == _DEFAULT_VARIANTS.get(platform.architecture):
        return replace(platform, variant="")
    return platform


def _read(registry: RegistryClient, image: ImageReference, platform: Platform) -> _Image:
    manifest = registry.image(image, platform)
    return _Image(manifest=manifest, config=registry.config(image.repository, manifest))


def _labels(old: Mapping[str, str], new: Mapping[str, str]) -> LabelChanges:
    return LabelChanges(
        added={name: new[name] for name in sorted(new.keys() - old.keys())},
        removed={name: old[name] for name in sorted(old.keys() - new.keys())},
        changed={name: (old[name], new[name]) for name in sorted(old.keys() & new.keys()) if old[name] != new[name]},
    )


def _layers(platform: Platform, old: _Image, new: _Image) -> LayerChanges:
    """By blob digest: what a node has is what it fetched, compressed."""
    had = {layer.digest for layer in old.manifest.layers}
    has = {layer.digest: layer.size for layer in new.manifest.layers}
    return LayerChanges(
        platform=platform,
        shared=len(had & has.keys()),
        added=len(has.keys() - had),
        removed=len(had - has.keys()),
        fetch_bytes=sum(size for digest, size in has.items() if digest not in had),
    )


def _same(old: ImageConfig, new: ImageConfig) -> bool:
    return old.diff_ids == new.diff_ids and _essence(old.document) == _essence(new.document)


def _essence(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A configuration without dates, history, and the labels that only say how it came to be."""
    config = dict(document.get("config") or {})
    labels = config.pop("Labels", None) or {}
    config["Labels"] = {name: value for name, value in labels.items() if name not in HOW_IT_CAME_TO_BE}
    rest = {
        key: value for key, value in document.items() if key not in ("created", "history", "config", "docker_version")
    }
    return {**rest, "config": config}


def _version(config: ImageConfig) -> str | None:
    return next((config.labels[name] for name in VERSION_LABELS if config.labels.get(name)), None)
