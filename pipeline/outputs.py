"""Where a step's outputs go: JSON on stdout, Tekton result files, `$GITHUB_OUTPUT`.

The only module that knows Tekton's results; what the runner of GitHub Actions reads is layering/githubactions.py's.
It computes nothing.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from layering.errors import InputError
from layering.githubactions import as_text, output
from layering.platform import Platform
from layering.reference import Digest, ImageReference, Repository

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
_TEXT_TYPES = (Digest, ImageReference, Repository, Platform, Path)


def to_json(value: Any) -> Json:
    """Our values as JSON: names and digests as text, dataclasses as objects, enums as their value.

    Of a dataclass, a field with metadata `unlisted` is left out, and one with `inlined` (a mapping) stands for its
    own entries.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, str):
        return value
    if isinstance(value, _TEXT_TYPES):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(to_json(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _fields(value: Any) -> dict[str, Json]:
    document: dict[str, Json] = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if field.metadata.get("inlined"):
            document.update({name: to_json(entry) for name, entry in item.items()})
        elif not field.metadata.get("unlisted"):
            document[field.name] = to_json(item)
    return document


def keys(outputs: type) -> list[str]:
    """The keys that a step's outputs have as JSON, those of `inlined` entries left out."""
    fields = dataclasses.fields(outputs)
    return [field.name for field in fields if not field.metadata.keys() & {"inlined", "unlisted"}]


def as_object(outputs: Any) -> dict[str, Json]:
    """A step's outputs (a dataclass or a mapping) as one JSON object."""
    document = to_json(outputs)
    if not isinstance(document, dict):
        raise TypeError(f"{type(outputs).__name__} is not an object")
    return document


def dump(document: Mapping[str, Json]) -> str:
    """The object as people and programs read it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write_results(document: Mapping[str, Json], directory: Path) -> None:
    """One file per key, without a final newline: Tekton takes the bytes as the result (tekton.dev docs, "Results")."""
    if not directory.is_dir():
        raise InputError(f"{directory} is not a directory", where="--results-dir", next_step="create it first")
    try:
        for key, value in document.items():
            (directory / key).write_text(as_text(value), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{directory} cannot be written: {error.strerror}", where="--results-dir") from None


def write_result(document: Mapping[str, Json], flag: str) -> None:
    """One output, named `KEY=FILE`, in a file of its own. Raises InputError for a KEY that is not there."""
    name, equals, file = flag.partition("=")
    value: Json = dict(document)
    for key in name.split("."):
        if not equals or not isinstance(value, dict) or key not in value:
            raise InputError(
                f"{flag!r} is not KEY=FILE", where="--result", next_step=f"KEY is one of {', '.join(document)}"
            )
        value = value[key]
    try:
        Path(file).write_text(as_text(value), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}", where="--result") from None


def deliver(document: Mapping[str, Json], results_directory: Path | None, results: Sequence[str]) -> None:
    """Write the files that were asked for, `results` as KEY=FILE; the caller prints the JSON itself."""
    if results_directory is not None:
        write_results(document, results_directory)
    for flag in results:
        write_result(document, flag)
    output(document)
