"""Reads YAML without surprises: plain values, the line of each place, and what is YAML and yet no configuration.

One document, a mapping; no key twice, no merge keys, nothing that only a program could have written (nesting or aliases
that multiply). It knows nothing of what a configuration may say.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from layering.errors import InputError
from watcher.settings_faults import Fault, Location

_BYTES_MAX = 1024 * 1024
_DEPTH_MAX = 32
_PLACES_MAX = 100_000
_MERGE = "tag:yaml.org,2002:merge"
# What PyYAML's constructors raise for a tag that does not fit its text, such as `!!int x` or `!!timestamp y`.
_UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """Plain values, and the faults met on the way."""

    value: Any
    faults: tuple[Fault, ...]
    raw: bytes = field(repr=False)

    def located(self, faults: Iterable[Fault]) -> list[Fault]:
        """Each with the line of the nearest place that is written. Most files have no fault, so none are kept."""
        (root,) = yaml.compose_all(self.raw, Loader=_Loader)
        return [fault if fault.line else replace(fault, line=_line_of(root, fault.at)) for fault in faults]


def read_document(file: Path) -> Document:
    """Read a file. Raises InputError when it cannot be read as YAML at all."""
    raw = _bytes(file)
    try:
        nodes = list(yaml.compose_all(raw, Loader=_Loader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _not_yaml(file, error) from None
    if len(nodes) != 1 or not isinstance(nodes[0], yaml.MappingNode):
        raise InputError(
            "a configuration is one YAML document, a mapping",
            where=str(file),
            next_step="begin it with apiVersion: layerwatch/v1alpha1",
        )
    reader = _Reader(file=file)
    value = reader.plain(nodes[0], ())
    return Document(value=value, faults=tuple(reader.faults), raw=raw)


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", where=str(file), next_step="name the configuration with -c FILE"
        ) from None
    if len(raw) > _BYTES_MAX:
        raise InputError(
            f"larger than {_BYTES_MAX} bytes", where=str(file), next_step="is it a configuration? name it with -c FILE"
        )
    return raw


def _not_yaml(file: Path, error: Exception) -> InputError:
    if isinstance(error, RecursionError):
        return InputError("nested too deeply", where=str(file), next_step="write it flatter")
    mark = getattr(error, "problem_mark", None)
    where = f"{file}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(file)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be decoded"
    return InputError(f"not YAML: {problem}", where=where, next_step="write it in UTF-8, and indent with spaces")


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a node begins or ends, from 0. PyYAML's own are the larger part of what a long configuration takes."""

    line: int
    column: int


class _Loader(yaml.SafeLoader):
    """Of a node its line is kept, and one mark for all that begin there."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self._beginning = _Mark(0, 0)

    def get_mark(self) -> _Mark:  # type: ignore[override] # what is asked of it are line and column
        return _Mark(self.line, self.column)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        node = super().compose_node(parent, index)
        if node is not None and node.end_mark is not None:  # None: it was met before, and an alias is of it
            if node.start_mark.line != self._beginning.line:
                self._beginning = _Mark(node.start_mark.line, 0)
            node.start_mark, node.end_mark = self._beginning, None
        return node


def _line_of(node: yaml.Node, at: Location) -> int:
    """From 1: of the key in a mapping, of the item in a list."""
    line = node.start_mark.line
    for part in at:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == part), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = (node.value[part], node.value[part])
        else:
            found = None
        if found is None:
            break
        line, node = found[0].start_mark.line, found[1]
    return int(line) + 1


@dataclass(kw_only=True, slots=True)
class _Reader:
    """Goes through the nodes of one file."""

    file: Path
    places: int = 0
    faults: list[Fault] = field(default_factory=list)
    _scalars: yaml.SafeLoader = field(default_factory=lambda: yaml.SafeLoader(""))

    def plain(self, node: yaml.Node, at: Location) -> Any:
        """The plain value of a node."""
        line = node.start_mark.line + 1
        self.places += 1
        if len(at) > _DEPTH_MAX or self.places > _PLACES_MAX:
            raise InputError(
                "nested too deeply, or aliases that multiply",
                where=f"{self.file}, line {line}",
                next_step="write it flatter",
            )
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(child, (*at, number)) for number, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        return self._scalar(node, at, line)

    def _scalar(self, node: yaml.Node, at: Location, line: int) -> Any:
        try:
            return self._scalars.construct_object(node)
        except _UNREADABLE:
            self.faults.append(Fault(at=at, message="cannot be read as what its tag says", line=line))
            return None
        finally:
            self._scalars.constructed_objects.clear()  # it would hold every node

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                self.faults.append(Fault(at=at, message="a key must be plain text, no merge key", line=line))
            elif key in found:
                message = f"the key stands twice, first in line {lines[key]}"
                self.faults.append(Fault(at=(*at, key), message=message, suggestion="keep one", line=line))
            else:
                lines[key] = line
                found[key] = self.plain(value_node, (*at, key))
        return found
