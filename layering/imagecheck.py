"""Is this image fit to be booted: FROM its base, complete, and an operating system?

Each rule has a name and looks at one thing. Layers are compared by diff_id: a registry or a builder may compress a
layer anew, and an image is no less FROM its base for that. What an image says of itself is only compared, never
believed. Which findings stop an image is told by their severity.
"""

from collections.abc import Container, Iterable, Mapping, Sequence, Set

from layering.base import EXTENSIONS_LABEL
from layering.errors import ContentError, InputError
from layering.findings import Finding, Severity
from layering.layertar import tar_of
from layering.platform import Platform
from layering.provenance import provenance_of
from layering.reference import Digest, ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import Descriptor, ImageConfig, ImageIndex, ImageManifest
from layering.release import RELEASE_LABEL
from layering.tarheaders import read_headers

_STREAM_LABEL = "io.openshift.os.streamclass"
_FINAL_LABEL = "ostree.final-diffid"
_REDHAT_REPO = "etc/yum.repos.d/redhat.repo"


def check_image(
    registry: RegistryClient, image: ImageReference, base: ImageReference, platforms: Sequence[Platform]
) -> tuple[Finding, ...]:
    """All findings about `image`, which should be FROM `base`, for `platforms`. Raises the registry's errors."""
    if image.digest is None:
        return (_error("pinned", f"{image} is not pinned: nodes may end up on different images"),)
    found = registry.manifest(image)
    findings = [*_platforms(registry, image, found, platforms)]
    if any(finding.severity is Severity.ERROR for finding in findings):
        return tuple(findings)
    bases = {base.digest, *(registry.image(base, platform).digest for platform in platforms)}
    findings += _annotations(found, base, bases)
    for platform in platforms:
        manifest, base_manifest = registry.image(image, platform), registry.image(base, platform)
        config = _config(registry, image, manifest)
        base_config = _config(registry, base, base_manifest)
        findings += _from_base(config, base_config, platform)
        findings += _operating_system(config.labels, platform)
        findings += _stream(config.labels, base_config.labels, platform)
        added = manifest.layers[len(base_manifest.layers) :]
        findings += _leftovers(registry, image, added, platform)
    return tuple(findings)


def _platforms(
    registry: RegistryClient, image: ImageReference, found: ImageManifest | ImageIndex, platforms: Sequence[Platform]
) -> Iterable[Finding]:
    """`platforms`: the image is for each platform that was asked for."""
    for platform in platforms:
        try:
            config = registry.config(image.repository, registry.image(image, platform))
        except InputError as error:
            yield _error("platforms", f"{platform}: {error.what}")
            continue
        have = config.platform
        if (have.os, have.architecture) != (platform.os, platform.architecture):
            yield _error("platforms", f"{platform} was asked for, the image is for {have}; such a node degrades")


def _config(registry: RegistryClient, image: ImageReference, manifest: ImageManifest) -> ImageConfig:
    config = registry.config(image.repository, manifest)
    if len(config.diff_ids) != len(manifest.layers):
        raise ContentError(
            f"its configuration tells of {len(config.diff_ids)} layers, its manifest of {len(manifest.layers)}",
            where=str(image.repository.at(manifest.digest)),
        )
    return config


def _annotations(
    found: ImageManifest | ImageIndex, base: ImageReference, bases: Container[Digest | None]
) -> Iterable[Finding]:
    """`base-annotation`: what the image says of its base agrees with the base it was checked against.

    `bases` are all digests of that base: buildah names the manifest of one platform, where we name the index.
    """
    said = provenance_of(found.annotations).base_digest
    if said is not None and base.digest is not None and said not in bases:
        yield Finding(
            rule="base-annotation",
            severity=Severity.WARNING,
            message=f"its annotation names the base {said.short}, it was checked against {base.digest.short}",
        )


def _from_base(config: ImageConfig, base: ImageConfig, platform: Platform) -> Iterable[Finding]:
    """`from-base`: the base's layers are the image's first layers."""
    if config.diff_ids[: len(base.diff_ids)] != base.diff_ids:
        same = next(
            (n for n, pair in enumerate(zip(config.diff_ids, base.diff_ids, strict=False)) if pair[0] != pair[1]),
            min(len(config.diff_ids), len(base.diff_ids)),
        )
        yield _error(
            "from-base",
            f"{platform}: not FROM the base: {same} of its {len(base.diff_ids)} layers are where they should be "
            "(was it squashed, or built from another digest?)",
        )
    final = config.labels.get(_FINAL_LABEL)
    if final and final not in {str(diff_id) for diff_id in config.diff_ids}:
        yield _error("from-base", f"{platform}: label {_FINAL_LABEL} names a layer that the image does not have")


def _operating_system(labels: Mapping[str, str], platform: Platform) -> Iterable[Finding]:
    """`os-image`, `release-payload`, `extensions-image`: an OS image, and none of what is mistaken for one."""
    if labels.get("containers.bootc", "").lower() not in ("1", "true") and not labels.get("ostree.bootable"):
        yield _error(
            "os-image",
            f"{platform}: neither label containers.bootc nor ostree.bootable: nodes refuse to boot it "
            "(was the last FROM another image?)",
        )
    if RELEASE_LABEL in labels:
        yield _error("release-payload", f"{platform}: this is a release payload, not an OS image")
    if labels.get(EXTENSIONS_LABEL, "").lower() == "true":
        yield _error("extensions-image", f"{platform}: this is an extensions image, not an OS image")


def _stream(labels: Mapping[str, str], base: Mapping[str, str], platform: Platform) -> Iterable[Finding]:
    """`stream`: the OS stream is the base's, so that the Machine Config Operator judges the image rightly."""
    if labels.get(_STREAM_LABEL) != base.get(_STREAM_LABEL):
        yield Finding(
            rule="stream",
            severity=Severity.WARNING,
            message=f"{platform}: label {_STREAM_LABEL} is {labels.get(_STREAM_LABEL)!r}, "
            f"the base's is {base.get(_STREAM_LABEL)!r}",
        )


def _leftovers(
    registry: RegistryClient, image: ImageReference, added: Sequence[Descriptor], platform: Platform
) -> Iterable[Finding]:
    """`redhat-repo`: an entitled build leaves a repository file whose certificates no node has."""
    present = False
    for layer in added:
        paths = _paths(registry, image, layer)
        # A whiteout is about the layers below, wherever it stands in its own (image-spec, layer.md, "Whiteouts").
        present = _REDHAT_REPO in paths or (present and _WHITEOUTS.isdisjoint(paths))
    if present:
        yield _error(
            "redhat-repo",
            f"{platform}: /{_REDHAT_REPO} is left over from an entitled build; rpm-ostree fails on it later "
            "(end the RUN with: rm /etc/yum.repos.d/redhat.repo)",
        )


_WHITEOUTS = {
    "etc/yum.repos.d/.wh.redhat.repo",
    "etc/yum.repos.d/.wh..wh..opq",
    "etc/.wh.yum.repos.d",
    "etc/.wh..wh..opq",
    ".wh.etc",
    ".wh..wh..opq",
}


def _paths(registry: RegistryClient, image: ImageReference, layer: Descriptor) -> Set[str]:
    """Which of the paths that matter are in a layer. Raises ContentError for what is neither gzip nor plain tar."""
    where = f"{image.repository}@{layer.digest}"
    with registry.stream_blob(image.repository, layer) as chunks:
        paths = (header.path for header in read_headers(tar_of(chunks, layer, where), where=where))
        return {path for path in paths if path == _REDHAT_REPO or path in _WHITEOUTS}


def _error(rule: str, message: str) -> Finding:
    return Finding(rule=rule, severity=Severity.ERROR, message=message)
