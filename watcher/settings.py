"""The configuration, `layerwatch.yaml`: what it may say, read strictly, every fault at once.

The models are the only description of it: the JSON schema and docs/reference/configuration.md are made from them. What
comes out is ready to use: references parsed, durations in seconds, paths resolved against the file's own directory.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from layering.containerfile import Match
from layering.errors import InputError
from layering.fields import STRICT, ImageField, InsidePath, Name, PlatformField, RepositoryField, Text
from layering.platform import Platform
from layering.registry.settings import RegistrySettings
from layering.request import API_VERSION, ProposalEntry
from watcher.duration import parse_duration

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
_ARG_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$", "examples": ["60s", "1h30m"]}),
]


class Schedule(BaseModel):
    """When to look: every so often, with a random delay of up to `jitter`, or by a cron expression in UTC."""

    model_config = STRICT

    every: Duration | None = Field(default=None, description="How long from one look to the next, such as 60s.")
    jitter: Duration = Field(default=0.0, description="A random delay of up to this, so that not all look at once.")
    cron: Text | None = Field(default=None, description="A cron expression of five fields, in UTC.")

    @property
    def every_seconds(self) -> float:
        """Seconds from one look to the next."""
        return self.every or _EVERY_DEFAULT_SECONDS

    @property
    def jitter_seconds(self) -> float:
        """The longest random delay, in seconds."""
        return self.jitter

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.cron is not None and self.every is not None:
            raise ValueError("every and cron exclude each other; keep one of them")
        if self.cron is not None and len(self.cron.split()) != 5:
            raise ValueError("a cron expression has five fields, such as */5 * * * *")
        if self.cron is None and self.every_seconds < 1:
            raise ValueError("every is at least 1s")
        if self.cron is None and self.jitter >= self.every_seconds:
            raise ValueError("jitter is shorter than every")
        return self


_EVERY_DEFAULT_SECONDS = 60.0


class Registries(BaseModel):
    """How registries are reached."""

    model_config = STRICT

    auth_file: Text | None = Field(
        default=None, alias="authFile", description="Credentials: containers-auth.json or docker's config.json."
    )
    ca_file: Text | None = Field(
        default=None, alias="caFile", description="PEM certificates to trust besides the system's."
    )
    insecure: tuple[Text, ...] = Field(
        default=(), description="HOST[:PORT] that may be asked over plain http or without verification."
    )
    timeout: Duration = Field(default=120.0, description="How long one operation may take, retries included.")

    @field_validator("insecure")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host!r} is not HOST[:PORT]")
        return hosts


class FileAccess(BaseModel):
    """A cluster that is read from a file: a ClusterVersion, as `oc get clusterversion version -o yaml` prints it."""

    model_config = STRICT

    file: Text = Field(description="The ClusterVersion's file, relative to the configuration.")


def _file_only(value: Any) -> Any:
    """The other forms of the contract are known, so that their absence can be told apart from a mistake."""
    if value == "in-cluster" or (isinstance(value, dict) and "kubeconfig" in value):
        raise ValueError("this version reads a cluster from a file only; write access: {file: clusterversion.yaml}")
    return value


class Cluster(BaseModel):
    """One cluster."""

    model_config = STRICT

    name: Name
    access: Annotated[FileAccess, BeforeValidator(_file_only)]

    @property
    def file(self) -> Path:
        """The ClusterVersion's file."""
        return Path(self.access.file)


class ClusterTag(BaseModel):
    """Follow a cluster's release payload."""

    model_config = STRICT

    cluster: Name
    tag: Text = Field(description="The payload's tag, such as rhel-coreos or rhel-coreos-10.")


class FollowedName(BaseModel):
    """Follow a name."""

    model_config = STRICT

    image: ImageField = Field(description="The image by tag, such as quay.io/fedora/fedora-coreos:stable.")


def _base_form(value: Any) -> Any:
    if isinstance(value, dict) and "image" in value and ("cluster" in value or "tag" in value):
        raise ValueError("a base follows a cluster (cluster and tag) or an image, not both")
    return value


class Source(BaseModel):
    """Where the Containerfile comes from."""

    model_config = STRICT

    git: Text = Field(description="Any URL git takes, file:// and relative paths included.")
    ref: Text = Field(default="HEAD", description="A branch, a tag or a commit.")
    context: InsidePath = Field(default=".", description="The build context, relative to the repository's root.")
    containerfile: InsidePath = Field(
        default="Containerfile", description="The Containerfile, relative to the repository's root."
    )
    match: tuple[Text, ...] = Field(
        default=(), description="Which FROM is the base, when in doubt: REPOSITORY, stage:NAME or arg:NAME."
    )

    @field_validator("match")
    @classmethod
    def _matches(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            try:
                Match.parse(text)
            except InputError as error:
                raise ValueError(error.what) from None
        return texts


def _local_only(value: Any) -> Any:
    if value in ("tekton", "githubActions"):
        raise ValueError(f"the engine {value} is not in this version; write engine: local")
    return value


class Build(BaseModel):
    """How the image is built."""

    model_config = STRICT

    engine: Annotated[Literal["local"], BeforeValidator(_local_only)] = "local"
    builder: Literal["auto", "buildah", "compose"] = Field(
        default="auto", description="auto: compose when it can prove its image, else buildah."
    )
    args: dict[str, str] = Field(default_factory=dict, description="Build arguments.")

    @field_validator("args")
    @classmethod
    def _names(cls, args: dict[str, str]) -> dict[str, str]:
        for name in args:
            if not _ARG_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a build argument")
        return args


class ImageSettings(BaseModel):
    """One layered image."""

    model_config = STRICT

    name: Name
    base: Annotated[ClusterTag | FollowedName, BeforeValidator(_base_form)]
    source: Source
    target: RepositoryField = Field(description="The repository it is pushed to, without a tag.")
    platforms: tuple[PlatformField, ...] = Field(default=(Platform("linux", "amd64"),), min_length=1)
    build: Build = Build()
    proposals: tuple[ProposalEntry, ...] = Field(default=(), description="Where the digest is proposed.")


class Settings(BaseModel):
    """A whole configuration."""

    model_config = ConfigDict(**STRICT, title="layerwatch.yaml")

    api_version: Literal["layerwatch/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["WatchConfig"]
    schedule: Schedule = Schedule()
    registry_access: Registries = Field(default=Registries(), alias="registries")
    clusters: tuple[Cluster, ...] = ()
    images: tuple[ImageSettings, ...] = ()

    @property
    def registries(self) -> RegistrySettings:
        """The same as `registries`, as the registry client takes it."""
        access = self.registry_access
        return RegistrySettings(
            auth_file=Path(access.auth_file) if access.auth_file else None,
            ca_file=Path(access.ca_file) if access.ca_file else None,
            insecure=frozenset(access.insecure),
            timeout_seconds=access.timeout,
        )


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a configuration."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": API_VERSION,
        **Settings.model_json_schema(by_alias=True),
    }
