"""Which base should this image have? The one its cluster's release names, or the one behind the tag it follows.

A base is matched, never "newest": of a release payload it is the image behind exactly the configured tag; of a followed
image it is what that name holds now. Nothing else is looked at, and nothing is compared by date or version.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from layering.errors import ContentError, InputError
from layering.platform import Platform
from layering.provenance import readable_version
from layering.reasons import Reason
from layering.reference import Digest, ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import ImageConfig, ImageIndex
from layering.release import RELEASE_LABEL, ReleasePayload, read_release
from layering.releasesignatures.verification import NOT_ASKED, Verification

EXTENSIONS_LABEL = "io.openshift.os.extensions"
_VERSION_LABELS = ("version", "org.opencontainers.image.version")


@dataclass(frozen=True, slots=True)
class ReleaseTag:
    """Follow a release payload: the image behind `tag`."""

    release: ImageReference
    tag: str


@dataclass(frozen=True, slots=True)
class FollowedImage:
    """Follow a name: the image it holds."""

    image: ImageReference


BaseSource = ReleaseTag | FollowedImage
Verify = Callable[[ReleasePayload, ImageReference], Verification]


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """A base image. `reference` is pinned: the index's digest when it is an index.

    `name` is the name under which it is followed. `platforms` has the manifest's digest for each platform asked for.
    `version` is the OS's own version label; it is no identity. `release` is the payload's version, or None;
    `verification` what is known of the payload's signatures.
    """

    reference: ImageReference
    name: str
    platforms: Mapping[Platform, Digest]
    version: str | None
    labels: Mapping[str, str]
    release: str | None
    verification: Verification = NOT_ASKED

    @property
    def digest(self) -> Digest:
        """The digest of `reference`."""
        return self.reference.pinned


def resolve_base(
    registry: RegistryClient,
    source: BaseSource,
    platforms: Sequence[Platform],
    verify: Verify = lambda release, asked: NOT_ASKED,
) -> Base:
    """The base that `source` names now, for `platforms`; of a release only when `verify` does not object.

    Raises what `verify` raises; InputError when there is no such tag, when a platform is absent, or when what is named
    is no base (a release payload, an extensions image); ContentError for a broken payload; and the registry's errors.
    """
    verification = NOT_ASKED
    if isinstance(source, ReleaseTag):
        payload = read_release(registry, source.release)
        verification = verify(payload, source.release)
        image, release = payload.image(source.tag), payload.version
        name = str(image.repository)
    else:
        image, release = source.image, None
        name = str(ImageReference(image.repository, image.tag))
    found = registry.manifest(image)
    reference = image.repository.at(found.digest)
    configs = {platform: _config(registry, reference, platform) for platform in platforms}
    for platform, (_, config) in configs.items():
        _refuse_what_is_no_base(config, reference)
        _check_platform(config, platform, reference, listed=isinstance(found, ImageIndex))
    first_config = next(iter(configs.values()))[1]
    return Base(
        reference=reference,
        name=name,
        platforms={platform: digest for platform, (digest, _) in configs.items()},
        version=next(filter(None, (readable_version(first_config.labels.get(key)) for key in _VERSION_LABELS)), None),
        labels=first_config.labels,
        release=release,
        verification=verification,
    )


def _config(registry: RegistryClient, reference: ImageReference, platform: Platform) -> tuple[Digest, ImageConfig]:
    manifest = registry.image(reference, platform)
    return manifest.digest, registry.config(reference.repository, manifest)


def _check_platform(config: ImageConfig, platform: Platform, reference: ImageReference, *, listed: bool) -> None:
    """An image's configuration says for which platform it is; an index that lists it as another contradicts it."""
    have = config.platform
    if (have.os, have.architecture) == (platform.os, platform.architecture):
        return
    if listed:
        raise ContentError(f"the index lists an image for {have} as one for {platform}", where=str(reference))
    raise InputError(
        f"the base is for {have} only, and {platform} is asked for",
        where=str(reference),
        next_step="follow a multi-architecture payload (-multi), or ask for this platform only",
        reason=Reason.BASE_NOT_FOUND,
    )


def _refuse_what_is_no_base(config: ImageConfig, reference: ImageReference) -> None:
    if RELEASE_LABEL in config.labels:
        raise InputError(
            f"this is the release payload {config.labels[RELEASE_LABEL]}, not an OS image",
            where=str(reference),
            next_step="use it as --release (base: {cluster, tag} in the configuration) with a tag such as rhel-coreos",
        )
    if config.labels.get(EXTENSIONS_LABEL, "").lower() == "true":
        raise InputError(
            "this is an extensions image, not an OS image",
            where=str(reference),
            next_step="use the tag without -extensions",
        )
