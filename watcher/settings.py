"""The configuration, `layerwatch.yaml`: what it may say, read strictly.

The models are the only description of it: the JSON schema and docs/reference/configuration.md are made from them. What
comes out is ready to use: references parsed, durations in seconds, paths resolved against the directory that is given
as the validation's context. Reading the file, and telling all faults at once, is configuration.py's.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema

from layering.errors import InputError
from layering.fields import STRICT
from layering.forge.settings import ForgeSettings, public_forge
from layering.registry.mirrors import load_mirrors, usual_mirrors
from layering.registry.settings import RegistrySettings
from layering.request import API_VERSION
from watcher.settings_cluster import Cluster, Daemon
from watcher.settings_fields import FROM_CLUSTER, CronField, Duration, HostField, LocalFileOrCluster
from watcher.settings_forge import ForgeEntry
from watcher.settings_http import Http
from watcher.settings_image import FollowedCluster, ImageSettings, TektonBuild
from watcher.settings_manners import ProposalManners
from watcher.settings_signatures import ReleaseSignatures

EVERY_DEFAULT_SECONDS = 60.0
_EVERY_LEAST_SECONDS = 1.0
DEFAULT_NAMESPACE = "layerwatch"


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

    auth_file: LocalFileOrCluster | None = Field(
        default=None,
        alias="authFile",
        description="Credentials: containers-auth.json or docker's config.json, or `cluster`: the cluster's pull "
        "secret; without it, the usual places.",
    )
    ca_file: LocalFileOrCluster | None = Field(
        default=None,
        alias="caFile",
        description="PEM certificates to trust besides the system's, or `cluster`: those the cluster trusts.",
    )
    mirrors: LocalFileOrCluster | None = Field(
        default=None,
        description="A registries.conf, or what `oc get idms,itms,icsp -o yaml` prints, or `cluster`: its own.",
    )
    proxy: Literal["cluster"] | None = Field(
        default=None, description="`cluster`: the cluster's proxy; without it, that of the process's environment."
    )
    insecure: tuple[HostField, ...] = Field(
        default=(), description="HOST[:PORT] that may be asked over plain http, and without verifying certificates."
    )
    release_signatures: ReleaseSignatures = Field(
        default_factory=ReleaseSignatures,
        alias="releaseSignatures",
        description="Whether releases must be signed, by whom, and where their signatures are.",
    )
    realms: dict[HostField, tuple[HostField, ...]] = Field(
        default_factory=dict,
        description="By registry, HOST[:PORT] of token services on other hosts that may hear its credentials.",
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

    @property
    def asks_cluster(self) -> bool:
        """Whether anything of it is a cluster's to say."""
        return FROM_CLUSTER in (self.auth_file, self.ca_file, self.mirrors, self.proxy)


class Settings(BaseModel):
    """A whole configuration."""

    model_config = ConfigDict(**STRICT, title="layerwatch.yaml")

    api_version: Literal["layerwatch/v1alpha1"] = Field(alias="apiVersion", description="The form of this file.")
    kind: Literal["WatchConfig"] = Field(description="What this file is.")
    schedule: Schedule = Field(default_factory=Schedule, description="When to look.")
    registry_access: Registries = Field(
        default_factory=Registries, alias="registries", description="How registries are reached."
    )
    daemon: Daemon = Field(default_factory=Daemon, description="Where the daemon is at home.")
    http: Http = Field(default_factory=Http, description="Where the daemon listens, and who may ask it for a look.")
    clusters: tuple[Cluster, ...] = Field(default=(), description="The clusters that images follow.")
    forges: tuple[ForgeEntry, ...] = Field(default=(), description="Where proposals are pull requests.")
    proposal_defaults: ProposalManners = Field(
        default_factory=ProposalManners,
        alias="proposalDefaults",
        description="What goes for each proposal that does not have the same key.",
    )
    images: tuple[ImageSettings, ...] = Field(default=(), description="The images to keep on their base.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_in_their_places(cls, document: Any, info: ValidationInfo) -> Any:
        """Each proposal with the defaults' keys that it does not have. Defaults with faults are told at their place."""
        defaults = document.get("proposalDefaults") if isinstance(document, dict) else None
        if not isinstance(defaults, dict) or not isinstance(images := document.get("images"), list):
            return document
        try:
            ProposalManners.model_validate(defaults, context=info.context)
        except ValidationError:
            return document
        return {**document, "images": [_with_defaults(image, defaults) for image in images]}

    def forge(self, name: str) -> ForgeSettings:
        """A forge by its name. Raises InputError for one that is neither here nor needs no entry."""
        entry = next((entry for entry in self.forges if entry.name == name), None)
        found = entry.settings if entry else public_forge(name)
        if found is None:
            raise InputError(f"there is no forge {name}", where="forges")
        return found

    @property
    def proposing_forges(self) -> Mapping[str, ForgeSettings]:
        """The forges that proposals name."""
        names = {entry.forge for image in self.images for entry in image.proposals}
        return {name: self.forge(name) for name in sorted(names)}

    @cached_property
    def registries(self) -> RegistrySettings:
        """How registries are reached, as far as files say; `registry_access` tells what comes from a cluster.

        Raises InputError for a file of mirrors that cannot be used. Without one, the usual places are read.
        """
        access = self.registry_access
        return RegistrySettings(
            auth_file=access.auth_file if isinstance(access.auth_file, Path) else None,
            ca_file=access.ca_file if isinstance(access.ca_file, Path) else None,
            mirrors=load_mirrors(access.mirrors) if isinstance(access.mirrors, Path) else usual_mirrors(),
            insecure=frozenset(access.insecure),
            realms={registry: frozenset(hosts) for registry, hosts in access.realms.items()},
            timeout_seconds=access.timeout,
        )

    @property
    def home(self) -> str | None:
        """The cluster with the Lease and, unless a build says otherwise, the runs; None when all are files."""
        return self.daemon.cluster or next((cluster.name for cluster in self.clusters if cluster.api), None)

    def home_namespace(self, service_account_namespace: str | None = None) -> str:
        """The daemon's namespace there: as configured, that of the first build, the ServiceAccount's, or layerwatch."""
        builds = (image.build.namespace for image in self.images if isinstance(image.build, TektonBuild))
        first = next((namespace for namespace in builds if namespace), None)
        return self.daemon.namespace or first or service_account_namespace or DEFAULT_NAMESPACE

    def registry_cluster(self, image: ImageSettings) -> str | None:
        """The cluster that `cluster` means under `registries`: the one the image's base follows, or home."""
        return image.base.cluster if isinstance(image.base, FollowedCluster) else self.home


def _with_defaults(image: Any, defaults: Mapping[str, Any]) -> Any:
    """A repository on this machine is not asked for what only pull requests have."""
    if not isinstance(image, dict) or not isinstance(proposals := image.get("proposals"), list):
        return image
    local = {key: value for key, value in defaults.items() if key != "group"}
    filled = [
        {**(local if entry.get("forge", "local") == "local" else defaults), **entry}
        if isinstance(entry, dict)
        else entry
        for entry in proposals
    ]
    return {**image, "proposals": filled}


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
