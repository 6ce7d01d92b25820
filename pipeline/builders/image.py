"""What a builder is asked for, and what it gives back: nothing is at the registry yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from layering.layer import WrittenLayer
from layering.platform import Platform
from layering.reference import ImageReference
from layering.registry.manifest import ImageConfig, ImageManifest
from pipeline.builders.ignorefile import find_ignore_file


class Builder(StrEnum):
    """Who builds."""

    BUILDAH = "buildah"
    COMPOSE = "compose"


@dataclass(frozen=True, kw_only=True)
class PlatformBase:
    """The base as it is for one platform."""

    platform: Platform
    manifest: ImageManifest
    config: ImageConfig


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """One image to build.

    `text` is the Containerfile with its base pinned to `base` (an index, when that is what was asked for), and `bases`
    has what is behind it for each platform. `containerfile_name` is for messages and ignore files: where it is below
    the context, or an absolute path. `labels` go into the configuration and the annotations alike. `created` is the
    time of everything in the image.
    """

    context: Path
    text: str
    containerfile_name: str
    base: ImageReference
    bases: tuple[PlatformBase, ...]
    build_args: Mapping[str, str]
    created: datetime
    labels: Mapping[str, str]

    @property
    def ignore_file(self) -> Path | None:
        """The file that says what of the context is left out."""
        return find_ignore_file(self.context, self.context / self.containerfile_name)

    @property
    def epoch(self) -> int:
        """Seconds since the epoch."""
        return int(self.created.timestamp())


def rfc3339(time: datetime) -> str:
    """`time` in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, kw_only=True)
class NewLayer:
    """A layer that the base does not have, gzipped in `file`."""

    file: Path
    written: WrittenLayer


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """One image for one platform, complete but for its manifest."""

    base: PlatformBase
    config: bytes
    layers: tuple[NewLayer, ...]
