"""Field types that the configuration and the RebuildRequest share: text on the outside, our values on the inside.

A field says what is wrong in words; which field it was, the model that uses it says.
"""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from layering.errors import InputError
from layering.platform import Platform
from layering.reference import ImageReference, Repository

# Deferred: a model is built with the one that it is part of, and not by itself as well.
STRICT = ConfigDict(defer_build=True, extra="forbid", frozen=True, populate_by_name=False, arbitrary_types_allowed=True)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_T = TypeVar("_T")


def _parsed(parse: Callable[[str], _T]) -> Callable[[Any], _T]:
    """`parse` as pydantic wants it: ValueError for what is wrong, so that it is collected with the other faults."""

    def convert(value: Any) -> _T:
        if isinstance(value, ImageReference | Repository | Platform):
            return value  # type: ignore[return-value] # made in Python, parsed already
        if not isinstance(value, str):
            raise ValueError(f"expected text, got {type(value).__name__}")  # noqa: TRY004 pydantic collects ValueError
        try:
            return parse(value)
        except InputError as error:
            raise ValueError(f"{error.what}; {error.next_step}" if error.next_step else error.what) from None

    return convert


def inside_path(text: str) -> str:
    """A relative path that stays inside its tree. Raises InputError for `..`, absolute paths and odd characters."""
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text or not text.isprintable():
        raise InputError(f"{text!r} leaves its tree or is no path", next_step="write a relative path without '..'")
    if ".git" in (part.lower() for part in path.parts):
        raise InputError(f"{text!r} points into git's own files")
    return str(path)


def cluster_name(text: str) -> str:
    """A DNS label of at most 40 characters (names of runs and branches are made of it). Raises InputError."""
    if len(text) > 40 or not _NAME.fullmatch(text):
        raise InputError(
            f"{text!r} is not a name", next_step="use at most 40 lower-case letters, digits and '-', as in worker-os"
        )
    return text


def proposing_cluster(text: str) -> str:
    """The name of a cluster; `layerwatch/group/…` are the branches of grouped proposals. Raises InputError."""
    if text == "group":
        raise InputError("no cluster can be called group", next_step="call it something else")
    return cluster_name(text)


def digest_pinned(text: str) -> ImageReference:
    """A pull spec with a digest. Raises InputError."""
    return ImageReference.parse_pinned(text)


def _tagged(text: str) -> ImageReference:
    reference = ImageReference.parse(text)
    if reference.tag is None or reference.digest is not None:
        raise InputError(f"{text!r} is not REPOSITORY:TAG")
    return reference


_NAME_SCHEMA = {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": 40}

Name = Annotated[str, BeforeValidator(_parsed(cluster_name)), WithJsonSchema(_NAME_SCHEMA)]
InsidePath = Annotated[str, BeforeValidator(_parsed(inside_path)), WithJsonSchema({"type": "string", "minLength": 1})]
PinnedImage = Annotated[ImageReference, BeforeValidator(_parsed(digest_pinned)), WithJsonSchema({"type": "string"})]
TaggedImage = Annotated[ImageReference, BeforeValidator(_parsed(_tagged)), WithJsonSchema({"type": "string"})]
RepositoryField = Annotated[Repository, BeforeValidator(_parsed(Repository.parse)), WithJsonSchema({"type": "string"})]
PlatformField = Annotated[
    Platform,
    BeforeValidator(_parsed(Platform.parse)),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9_.]+(/[a-z0-9_.]+){1,2}$"}),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096), Field(strict=True)]
