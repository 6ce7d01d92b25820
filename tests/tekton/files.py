"""The files in tekton/ as objects, and what in them refers to what."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path(__file__).parents[2] / "tekton"
Document = dict[str, Any]
_REFERENCE = re.compile(r"\$\(([^()]+)\)")


def documents(*patterns: str) -> list[tuple[Path, Document]]:
    """All documents of the files below tekton/ that match, in order."""
    files = sorted(file for pattern in patterns for file in DIRECTORY.glob(pattern))
    return [(file, document) for file in files for document in yaml.safe_load_all(file.read_text())]


def tasks() -> list[Document]:
    return [document for _, document in documents("tasks/*.yaml")]


def task(name: str) -> Document:
    return next(document for document in tasks() if document["metadata"]["name"] == name)


def pipeline() -> Document:
    return documents("pipelines/*.yaml")[0][1]


def strings(value: Any) -> Iterator[str]:
    """Every text below a value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def references(value: Any) -> set[str]:
    """What stands in `$(…)` anywhere below a value, without `[*]`."""
    return {found.removesuffix("[*]") for text in strings(value) for found in _REFERENCE.findall(text)}


def names(entries: Any) -> set[str]:
    return {entry["name"] for entry in entries or []}
