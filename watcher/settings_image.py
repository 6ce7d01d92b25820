"""The configuration's images: what each follows, is built of and with, and where it is proposed."""

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from layering.fields import STRICT, InsidePath, Name, RepositoryField, Text
from layering.forge.forge import ProposalTarget
from layering.platform import Platform
from layering.request import ProposalEntry
from watcher.settings_fields import (
    ArgumentName,
    Duration,
    FollowedImageField,
    GitRef,
    GitUrl,
    MatchField,
    Namespace,
    ObjectName,
    PlatformName,
    RemoteName,
    WorkflowFile,
    local_directory,
)
from watcher.settings_manners import ProposalManners


class FollowedCluster(BaseModel):
    """Follow a cluster: the base is what its release payload has under a tag, or what its OS image stream has."""

    model_config = STRICT

    cluster: Name = Field(description="One of `clusters`.")
    tag: Text | None = Field(default=None, description="The payload's tag, such as rhel-coreos or rhel-coreos-10.")
    stream: Text | None = Field(
        default=None, description="Instead of a tag: the cluster's OS image stream, such as rhel-9 or rhel-10."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.tag is None) == (self.stream is None):
            raise ValueError("has exactly one of tag and stream")
        return self


class FollowedName(BaseModel):
    """Follow a name: the base is the image that a tag names."""

    model_config = STRICT

    image: FollowedImageField = Field(
        description="The image with its tag, such as quay.io/fedora/fedora-coreos:stable."
    )


def _followed(value: Any) -> str | None:
    """Which of the two forms is meant, so that faults are told about that one only; None: neither, or both."""
    if isinstance(value, FollowedCluster | FollowedName):
        return type(value).__name__
    if not isinstance(value, dict) or ("image" in value and not value.keys().isdisjoint({"cluster", "tag", "stream"})):
        return None
    return FollowedName.__name__ if "image" in value else FollowedCluster.__name__


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


_ENGINES = ("local", "tekton", "githubActions")


def _known_engine(value: Any) -> Any:
    if value not in _ENGINES:
        raise ValueError(f"must be {', '.join(_ENGINES[:-1])} or {_ENGINES[-1]}")
    return value


class LocalBuild(BaseModel):
    """How the image is built: on this machine."""

    model_config = STRICT

    engine: Annotated[Literal["local"], BeforeValidator(_known_engine)] = Field(
        default="local", description="local: on this machine."
    )
    builder: Literal["auto", "buildah", "compose"] = Field(
        default="auto", description="auto: compose when it can prove that it gives the same image, else buildah."
    )
    args: dict[ArgumentName, str] = Field(default_factory=dict, description="Build arguments: name and value, as text.")


def _unchanged(value: Any) -> Any:
    """A part of a PipelineRun, handed on as it stands; Tekton's own webhook is the judge of it."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError("must be a mapping")
    return value


def _binding(value: Any) -> Any:
    if not isinstance(_unchanged(value).get("name"), str):
        raise ValueError("has no name; a WorkspaceBinding names the workspace it binds")  # noqa: TRY004 as above
    return value


_TektonPart = Annotated[dict[str, Any], BeforeValidator(_unchanged)]
_WorkspaceBinding = Annotated[dict[str, Any], BeforeValidator(_binding)]


def _a_second_or_more(seconds: float) -> float:
    if seconds < 1:
        raise ValueError("must be 1s or more")
    return seconds


class TektonBuild(LocalBuild):
    """How the image is built: by a PipelineRun in a cluster."""

    engine: Literal["tekton"] = Field(description="tekton: as a PipelineRun.")  # type: ignore[assignment]
    cluster: Name | None = Field(default=None, description="Where it runs; without it, the daemon's home cluster.")
    namespace: Namespace | None = Field(default=None, description="Where it runs; without it, the daemon's namespace.")
    pipeline: ObjectName = Field(default="layered-image-rebuild", description="The Pipeline, in that namespace.")
    service_account: ObjectName = Field(
        default="layerwatch-build", alias="serviceAccountName", description="The ServiceAccount of its pods."
    )
    timeout: Duration = Field(default="2h", validate_default=True, description="How long one run may take.")
    attempts: StrictInt = Field(default=3, ge=1, le=100, description="How often a failing build is tried.")
    backoff: Duration = Field(
        default="1m",
        validate_default=True,
        description="How long to wait after the first failure; twice as long after each further one, at most 1h.",
    )
    workspaces: tuple[_WorkspaceBinding, ...] = Field(
        default=(),
        description="Tekton's WorkspaceBindings, unchanged. Without one for source, a 1Gi volume is claimed.",
    )
    params: dict[Text, str] = Field(
        default_factory=dict, description="Params of the Pipeline: name and value, as text."
    )
    pod_template: _TektonPart | None = Field(
        default=None, alias="podTemplate", description="Tekton's pod template, unchanged."
    )

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, seconds: float) -> float:
        return _a_second_or_more(seconds)

    @field_validator("params")
    @classmethod
    def _not_ours(cls, params: dict[str, str]) -> dict[str, str]:
        if "request" in params:
            raise ValueError("request is what layerwatch itself gives; name another param")
        return params


class GitHubActionsBuild(LocalBuild):
    """How the image is built: by a workflow on GitHub Actions."""

    engine: Literal["githubActions"] = Field(description="githubActions: as a workflow's run.")  # type: ignore[assignment]
    forge: Name = Field(default="github", description="One of `forges`, of kind github.")
    repository: RemoteName = Field(description="The workflow's repository, OWNER/NAME.")
    workflow: WorkflowFile = Field(default="rebuild.yml", description="The workflow's file in .github/workflows.")
    ref: GitRef = Field(default="main", description="The branch or tag whose workflow is run.")
    attempts: StrictInt = Field(default=3, ge=1, le=100, description="How often a failing build is tried.")
    backoff: tuple[Duration, ...] = Field(
        default=("1m", "5m", "30m"),
        validate_default=True,
        min_length=1,
        description="How long to wait after the first failure, the second and so on; the last one for all further.",
    )
    timeout: Duration = Field(default="2h", validate_default=True, description="How long one run may take.")

    @field_validator("timeout")
    @classmethod
    def _some_time(cls, seconds: float) -> float:
        return _a_second_or_more(seconds)


_AS_USUAL = LocalBuild()


def _engine(value: Any) -> str | None:
    if isinstance(value, LocalBuild):
        return value.engine
    engine = value.get("engine", "local") if isinstance(value, dict) else None
    return engine if engine in _ENGINES else "local"


Build = Annotated[
    Annotated[LocalBuild, Tag("local")]
    | Annotated[TektonBuild, Tag("tekton")]
    | Annotated[GitHubActionsBuild, Tag("githubActions")],
    Discriminator(_engine),
]


class ProposalSettings(ProposalManners, ProposalEntry):
    """Where the digest is proposed: one file in one repository, for one pool of one cluster.

    Keys of `proposalDefaults` that stand here, too, go for this proposal instead.
    """

    cluster: Name = Field(description="One of `clusters`; any name when the image follows a tag.")
    forge: Name = Field(
        default="local", description="One of `forges`, or github, gitlab, or local: a repository on this machine."
    )
    branch: GitRef = Field(default="main", description="The branch it is proposed into.")
    create: StrictBool = Field(
        default=False,
        description="Make what is not there: the file, osImageURL; in a file of MachineConfigs so made, a further one.",
    )

    @field_validator("repository")
    @classmethod
    def _where_it_is(cls, text: str, info: ValidationInfo) -> str:
        return local_directory(text, info) if info.data.get("forge") == "local" else text

    @model_validator(mode="after")
    def _grouped_on_a_forge(self) -> Self:
        if self.group is not None and self.forge == "local":
            raise ValueError("group is for pull requests; a repository on this machine has none")
        return self

    @model_validator(mode="after")
    def _into_another_branch(self) -> Self:
        if self.branch == self.target.proposal_branch:
            raise ValueError(f"branch is the proposal's own, {self.branch}; name the one it is merged into")
        return self

    @property
    def target(self) -> ProposalTarget:
        """The same place, as a forge takes it."""
        return replace(super().target, group=self.group)


class ImageSettings(BaseModel):
    """One layered image."""

    model_config = STRICT

    name: Name = Field(description="What reports call it.")
    base: Annotated[
        Annotated[FollowedCluster, Tag(FollowedCluster.__name__)] | Annotated[FollowedName, Tag(FollowedName.__name__)],
        Discriminator(
            _followed,
            custom_error_type="base_form",
            custom_error_message="follows a cluster (and its tag or stream) or an image; write one of the two forms",
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
    build: Build = Field(default_factory=lambda: _AS_USUAL, description="How it is built.")
    proposals: tuple[ProposalSettings, ...] = Field(default=(), description="Where its digest is proposed.")

    @field_validator("platforms")
    @classmethod
    def _some_platform(cls, platforms: tuple[Platform, ...]) -> tuple[Platform, ...]:
        if not platforms:  # not min_length, which does not count a platform that has a fault of its own
            raise ValueError("must not be empty")
        return platforms
