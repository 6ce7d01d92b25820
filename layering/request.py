"""The RebuildRequest: the only message between the watcher and a pipeline.

It holds everything a rebuild depends on, so that an engine needs nothing else. JSON on the wire, these values inside.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, ValidationError, field_serializer

from layering.errors import InputError
from layering.excerpt import beginning
from layering.fields import STRICT, InsidePath, Name, PinnedImage, PlatformField, TaggedImage, Text
from layering.forge.forge import ProposalTarget
from layering.platform import Platform
from layering.reference import ImageReference

API_VERSION = "layerwatch/v1alpha1"
Commit = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
_NAMED_LENGTH_MAX = 200  # characters of a path, and of what is said of it
_LISTED_LENGTH_MAX = 1500
KeyHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ProposalEntry(BaseModel):
    """Where a digest is proposed: one file in one repository, for one pool of one cluster."""

    model_config = STRICT

    cluster: Name = Field(description="The cluster's name: part of the branch's, and of the text.")
    pool: Name = Field(description="The MachineConfigPool.")
    forge: Name = Field(
        default="local", description="github or gitlab, at its public address, or local: a repository on this machine."
    )
    repository: Text = Field(description="OWNER/NAME; GitLab: the full path; local: the repository's path.")
    branch: Text = Field(default="main", description="The branch it is proposed into.")
    file: InsidePath = Field(description="The file with the MachineConfig, relative to the repository's root.")
    name: Text | None = Field(default=None, description="Which MachineConfig of the file, when it has several.")
    create: bool = Field(
        default=False,
        description="Make what is not there: the file, osImageURL; in a file of MachineConfigs so made, a further one.",
    )
    hold: Literal["completed", "none"] = Field(
        default="completed", description="As in the configuration; `run` does not wait for the cluster's update."
    )

    @property
    def target(self) -> ProposalTarget:
        """The same place, as a forge takes it."""
        return ProposalTarget(
            repository=self.repository,
            branch=self.branch,
            file=self.file,
            cluster=self.cluster,
            pool=self.pool,
            name=self.name,
            create=self.create,
        )


class SourceEntry(BaseModel):
    """The exact source: one commit of a git repository; both paths are relative to its root."""

    model_config = STRICT

    git: Text = Field(description="Any URL git takes; no password in it.")
    commit: Commit = Field(description="The full commit id.")
    context: InsidePath = Field(default=".", description="The build context.")
    containerfile: InsidePath = Field(default="Containerfile", description="The Containerfile.")


class RebuildRequest(BaseModel):
    """One rebuild. `parse(x.to_json()) == x`."""

    model_config = STRICT

    api_version: Literal["layerwatch/v1alpha1"] = Field(alias="apiVersion", description="The form of this message.")
    kind: Literal["RebuildRequest"] = Field(description="What this message is.")
    image: Name = Field(description="The image's name in the configuration; notes call it so.")
    base: PinnedImage = Field(description="What it is built FROM, REPOSITORY@sha256:….")
    release: Text | None = Field(
        default=None, description="The release's version the base is of; without it, the base's version label."
    )
    platforms: tuple[PlatformField, ...] = Field(
        min_length=1, description="OS/ARCH; all of them, or nothing, is built."
    )
    source: SourceEntry = Field(description="What it is built of.")
    match: tuple[Text, ...] = Field(
        default=(), description="Which FROM is the base, when in doubt: REPOSITORY, stage:NAME or arg:NAME."
    )
    build_args: Mapping[str, str] = Field(
        default_factory=dict, alias="buildArgs", description="Build arguments: name and value, as text."
    )
    target: TaggedImage = Field(description="Where it is pushed, REPOSITORY:TAG; a tag that is there is not moved.")
    builder: Literal["auto", "buildah", "compose"] = Field(
        default="auto",
        description="auto: compose when it can prove that it gives the same image, else buildah.",
    )
    key: KeyHex | None = Field(
        default=None, description="The build key; refused when the inputs give another. Without it, computed."
    )
    proposals: tuple[ProposalEntry, ...] = Field(
        default=(), description="Where the digest is proposed when the check found no error; nowhere without any."
    )

    @field_serializer("base", "target")
    def _reference_as_text(self, reference: ImageReference) -> str:
        return str(reference)

    @field_serializer("platforms")
    def _platforms_as_text(self, platforms: tuple[Platform, ...]) -> list[str]:
        return [str(platform) for platform in platforms]

    @classmethod
    def parse(cls, text: str, where: str = "request") -> Self:
        """Read JSON. Raises InputError that names the faults with their paths, the first ones of very many."""
        try:
            document = json.loads(text, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not JSON: {error}", where=where) from None
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise InputError(_faults(error), where=where, next_step="see docs/reference/rebuild-request.md") from None

    def to_json(self) -> str:
        """One line of JSON, keys in the order of docs/reference/rebuild-request.md.

        No `$` stands in it: it travels through Tekton params and variables of a pod, which both expand `$(NAME)`, and
        Kubernetes makes one of two `$`.
        """
        return self.model_dump_json(by_alias=True).replace("$", r"\u0024")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def _faults(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]).lstrip(".")
        said = fault["msg"].removeprefix("Value error, ")
        lines.append(f"{path[:_NAMED_LENGTH_MAX] or 'document'}: {said[:_NAMED_LENGTH_MAX]}")
    return "\n  ".join(beginning(lines, _LISTED_LENGTH_MAX))
