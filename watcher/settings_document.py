"""Reads YAML without surprises: plain values, the line of each place, and what is YAML and yet no configuration.

One document, a mapping; no key twice, no merge keys, nothing that only a program could have written (nesting or aliases
that multiply). It knows nothing of what a configuration may say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """Plain values, the line of each place, and the faults met on the way."""

    value: Any
    lines: Mapping[Location, int]
    faults: tuple[Fault, ...]

    def line(self, at: Location) -> int | None:
        """The line of the nearest place that is written."""
        return next((self.lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in self.lines), None)


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
    return Document(value=value, lines=reader.lines, faults=tuple(reader.faults))


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
    def get_mark(self) -> _Mark:  # type: ignore[override] # what is asked of it are line and column
        return _Mark(self.line, self.column)


@dataclass(kw_only=True, slots=True)
class _Reader:
    """Goes through the nodes of one file."""

    file: Path
    lines: dict[Location, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    _scalars: yaml.SafeLoader = field(default_factory=lambda: yaml.SafeLoader(""))

    def plain(self, node: yaml.Node, at: Location) -> Any:
        """The plain value of a node."""
        line = node.start_mark.line + 1
        self.lines.setdefault(at, line)
        if len(at) > _DEPTH_MAX or len(self.lines) > _PLACES_MAX:
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
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                self.faults.append(Fault(at=at, message="a key must be plain text, no merge key", line=line))
            elif key in found:
                first = self.lines[*at, key]
                message = f"the key stands twice, first in line {first}"
                self.faults.append(Fault(at=(*at, key), message=message, suggestion="keep one", line=line))
            else:
                self.lines[*at, key] = line
                found[key] = self.plain(value_node, (*at, key))
        return found
