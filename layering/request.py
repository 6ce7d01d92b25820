"""The RebuildRequest: the only message between the watcher and a pipeline.

It holds everything a rebuild depends on, so that an engine needs nothing else. JSON on the wire, these values inside.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, ValidationError, field_serializer

from layering.errors import InputError
from layering.fields import STRICT, InsidePath, Name, PinnedImage, PlatformField, TaggedImage, Text
from layering.forge.forge import ProposalTarget
from layering.platform import Platform
from layering.reference import ImageReference

API_VERSION = "layerwatch/v1alpha1"
Commit = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
KeyHex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ProposalEntry(BaseModel):
    """Where a digest is proposed: one file in one repository, for one pool of one cluster."""

    model_config = STRICT

    cluster: Name
    pool: Name
    forge: Name = "local"
    repository: Text
    branch: Text = "main"
    file: InsidePath
    name: Text | None = None
    create: bool = False
    hold: Literal["completed", "none"] = "completed"

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

    git: Text
    commit: Commit
    context: InsidePath = "."
    containerfile: InsidePath = "Containerfile"


class RebuildRequest(BaseModel):
    """One rebuild. `parse(x.to_json()) == x`."""

    model_config = STRICT

    api_version: Literal["layerwatch/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["RebuildRequest"]
    image: Name
    base: PinnedImage
    release: Text | None = None
    platforms: tuple[PlatformField, ...] = Field(min_length=1)
    source: SourceEntry
    match: tuple[Text, ...] = ()
    build_args: Mapping[str, str] = Field(default_factory=dict, alias="buildArgs")
    target: TaggedImage
    builder: Literal["auto", "buildah", "compose"] = "auto"
    key: KeyHex | None = None
    proposals: tuple[ProposalEntry, ...] = ()

    @field_serializer("base", "target")
    def _reference_as_text(self, reference: ImageReference) -> str:
        return str(reference)

    @field_serializer("platforms")
    def _platforms_as_text(self, platforms: tuple[Platform, ...]) -> list[str]:
        return [str(platform) for platform in platforms]

    @classmethod
    def parse(cls, text: str, where: str = "request") -> Self:
        """Read JSON. Raises InputError that names every fault with its path."""
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
        lines.append(f"{path or 'document'}: {fault['msg'].removeprefix('Value error, ')}")
    return "\n  ".join(lines)
