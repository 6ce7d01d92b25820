"""The configuration, `layerwatch.yaml`: what it may say, read strictly.

The models are the only description of it: the JSON schema and docs/reference/configuration.md are made from them. What
comes out is ready to use: references parsed, durations in seconds, paths resolved against the directory that is given
as the validation's context. Reading the file, and telling all faults at once, is configuration.py's.
"""

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, Tag, field_validator, model_validator
from pydantic.json_schema import GenerateJsonSchema

from layering.fields import STRICT, InsidePath, Name, RepositoryField, Text
from layering.platform import Platform
from layering.registry.settings import RegistrySettings
from layering.request import API_VERSION, ProposalEntry
from watcher.settings_fields import (
    ArgumentName,
    CronField,
    Duration,
    FollowedImageField,
    GitRef,
    GitUrl,
    HostField,
    LocalDirectory,
    LocalFile,
    MatchField,
    PlatformName,
)

EVERY_DEFAULT_SECONDS = 60.0
_EVERY_LEAST_SECONDS = 1.0


class Schedule(BaseModel):
    """When to look: every so often, with a random delay of up to `jitter`, or by a cron expression."""

    model_config = STRICT

    every: Duration | None = Field(
        default=None, description="How long from one look to the next: 1s or more; 60s unless cron is given."
    )
    jitter: Duration = Field(
        default="0s", validate_default=True, description="A random delay, shorter than every: not all look at once."
    )
    cron: CronField | None = Field(default=None, description="A cron expression of five fields, in UTC.")

    @property
    def every_seconds(self) -> float:
        """Seconds from one look to the next."""
        return EVERY_DEFAULT_SECONDS if self.every is None else self.every

    @property
    def jitter_seconds(self) -> float:
        """The longest random delay, in seconds."""
        return self.jitter

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.cron is not None and self.every is not None:
            raise ValueError("every and cron exclude each other; keep one of them")
        if self.cron is not None and self.jitter:
            raise ValueError("jitter goes with every; a cron expression names the time")
        if self.every_seconds < _EVERY_LEAST_SECONDS:
            raise ValueError("every must be 1s or more")
        if self.jitter >= self.every_seconds:
            raise ValueError(f"jitter must be shorter than every, which is {self.every_seconds:g}s")
        return self


class Registries(BaseModel):
    """How registries are reached."""

    model_config = STRICT

    auth_file: LocalFile | None = Field(
        default=None,
        alias="authFile",
        description="Credentials: containers-auth.json or docker's config.json; without it, the usual places.",
    )
    ca_file: LocalFile | None = Field(
        default=None, alias="caFile", description="PEM certificates to trust besides the system's."
    )
    insecure: tuple[HostField, ...] = Field(
        default=(), description="HOST[:PORT] that may be asked over plain http, and without verifying certificates."
    )
    timeout: Duration = Field(
        default="120s", validate_default=True, description="How long one operation may take, retries included."
    )

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, seconds: float) -> float:
        if seconds < 1:
            raise ValueError("must be 1s or more")
        return seconds


class FileAccess(BaseModel):
    """A cluster that is read from a file."""

    model_config = STRICT

    file: LocalFile = Field(description="A ClusterVersion, as `oc get clusterversion version -o yaml` prints it.")


class Cluster(BaseModel):
    """One cluster."""

    model_config = STRICT

    name: Name = Field(description="What the images and proposals below call it.")
    access: FileAccess = Field(description="How to learn what it runs.")

    @property
    def file(self) -> Path:
        """The ClusterVersion's file."""
        return self.access.file


class ClusterTag(BaseModel):
    """Follow a cluster: the base is what its release payload has under a tag."""

    model_config = STRICT

    cluster: Name = Field(description="One of `clusters`.")
    tag: Text = Field(description="The payload's tag, such as rhel-coreos or rhel-coreos-10.")


class FollowedName(BaseModel):
    """Follow a name: the base is the image that a tag names."""

    model_config = STRICT

    image: FollowedImageField = Field(
        description="The image with its tag, such as quay.io/fedora/fedora-coreos:stable."
    )


def _followed(value: Any) -> str | None:
    """Which of the two forms is meant, so that faults are told about that one only; None: neither, or both."""
    if isinstance(value, ClusterTag | FollowedName):
        return type(value).__name__
    if not isinstance(value, dict) or ("image" in value and not value.keys().isdisjoint({"cluster", "tag"})):
        return None
    return FollowedName.__name__ if "image" in value else ClusterTag.__name__


class Source(BaseModel):
    """Where the Containerfile comes from."""

    model_config = STRICT

    git: GitUrl = Field(description="Any URL git takes, file:// and paths included; no password in it.")
    ref: GitRef = Field(default="HEAD", description="A branch, a tag or a full commit id.")
    context: InsidePath = Field(default=".", description="The build context, relative to the repository's root.")
    named_containerfile: InsidePath | None = Field(
        default=None,
        alias="containerfile",
        description="The Containerfile, relative to the repository's root; without it, Containerfile in the context.",
    )
    match: tuple[MatchField, ...] = Field(
        default=(), description="Which FROM is the base, when in doubt: REPOSITORY, stage:NAME or arg:NAME."
    )

    @property
    def containerfile(self) -> str:
        """The Containerfile's path, relative to the repository's root."""
        return self.named_containerfile or str(PurePosixPath(self.context) / "Containerfile")


class Build(BaseModel):
    """How the image is built."""

    model_config = STRICT

    engine: Literal["local"] = Field(default="local", description="local: on this machine.")
    builder: Literal["auto", "buildah", "compose"] = Field(
        default="auto", description="auto: compose when it can prove that it gives the same image, else buildah."
    )
    args: dict[ArgumentName, str] = Field(default_factory=dict, description="Build arguments: name and value, as text.")


class ProposalSettings(ProposalEntry):
    """Where the digest is proposed: one file in one repository, for one pool of one cluster."""

    cluster: Name = Field(description="One of `clusters`; any name when the image follows a tag.")
    pool: Name = Field(description="The MachineConfigPool.")
    forge: Literal["local"] = Field(default="local", description="local: a branch in a git repository on this machine.")
    repository: LocalDirectory = Field(description="The git repository; with the forge local, its path.")
    branch: GitRef = Field(default="main", description="The branch it is proposed into.")
    file: InsidePath = Field(description="The file with the MachineConfig, relative to the repository's root.")
    name: Text | None = Field(default=None, description="Which MachineConfig of the file, when it has several.")
    create: StrictBool = Field(default=False, description="Make the file, or insert osImageURL, if it is not there.")
    hold: Literal["completed", "none"] = Field(
        default="completed", description="completed: propose only when the cluster's update is; none: at once."
    )


class ImageSettings(BaseModel):
    """One layered image."""

    model_config = STRICT

    name: Name = Field(description="What reports call it.")
    base: Annotated[
        Annotated[ClusterTag, Tag(ClusterTag.__name__)] | Annotated[FollowedName, Tag(FollowedName.__name__)],
        Discriminator(
            _followed,
            custom_error_type="base_form",
            custom_error_message="follows either a cluster (cluster and tag) or an image; write one of the two forms",
        ),
    ] = Field(description="What it is built FROM.")
    source: Source = Field(description="What it is built of.")
    target: RepositoryField = Field(description="The repository it is pushed to, without a tag.")
    platforms: tuple[PlatformName, ...] = Field(
        default=("linux/amd64",),
        validate_default=True,
        description="All of them, or nothing, is built.",
        json_schema_extra={"minItems": 1},
    )
    build: Build = Field(default_factory=Build, description="How it is built.")
    proposals: tuple[ProposalSettings, ...] = Field(default=(), description="Where its digest is proposed.")

    @field_validator("platforms")
    @classmethod
    def _some_platform(cls, platforms: tuple[Platform, ...]) -> tuple[Platform, ...]:
        if not platforms:  # not min_length, which does not count a platform that has a fault of its own
            raise ValueError("must not be empty")
        return platforms


class Settings(BaseModel):
    """A whole configuration."""

    model_config = ConfigDict(**STRICT, title="layerwatch.yaml")

    api_version: Literal["layerwatch/v1alpha1"] = Field(alias="apiVersion", description="The form of this file.")
    kind: Literal["WatchConfig"] = Field(description="What this file is.")
    schedule: Schedule = Field(default_factory=Schedule, description="When to look.")
    registry_access: Registries = Field(
        default_factory=Registries, alias="registries", description="How registries are reached."
    )
    clusters: tuple[Cluster, ...] = Field(default=(), description="The clusters that images follow.")
    images: tuple[ImageSettings, ...] = Field(default=(), description="The images to keep on their base.")

    @property
    def registries(self) -> RegistrySettings:
        """The same as `registries`, as the registry client takes it."""
        access = self.registry_access
        return RegistrySettings(
            auth_file=access.auth_file,
            ca_file=access.ca_file,
            insecure=frozenset(access.insecure),
            timeout_seconds=access.timeout,
        )


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a configuration. What it refuses, the loader refuses; not the reverse."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": API_VERSION,
        **Settings.model_json_schema(by_alias=True, schema_generator=_WithoutTitles),
    }


class _WithoutTitles(GenerateJsonSchema):
    """A key's title would only say the key again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
