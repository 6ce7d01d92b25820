"""Which keys may stand at a place of the configuration, by its JSON schema."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from watcher.settings import schema
from watcher.settings_faults import Location

_schema = cache(schema)


def known_keys(at: Location) -> Sequence[str]:
    """The keys of a place, sorted; none for a place that holds no mapping."""
    nodes: list[Mapping[str, Any]] = [_schema()]
    for part in at:
        nodes = [child for node in nodes for child in _children(node, part)]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _children(node: Mapping[str, Any], part: str | int) -> Iterable[Mapping[str, Any]]:
    child = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
    return _unfolded(child) if isinstance(child, dict) else ()


def _unfolded(node: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """A schema and what it refers to or chooses from."""
    yield node
    if "$ref" in node:
        yield from _unfolded(_schema()["$defs"][node["$ref"].rpartition("/")[2]])
    for keyword in ("anyOf", "oneOf", "allOf"):
        for choice in node.get(keyword, ()):
            yield from _unfolded(choice)
