"""Reads a configuration file: YAML without surprises, then the models, then what only the whole can tell.

All faults are reported together, each with its path, its line and, for a misspelt key, the name that was meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from layering.errors import InputError
from layering.suggestion import did_you_mean
from watcher.settings import ClusterTag, Settings, schema

_BYTES_MAX = 1024 * 1024
_DEPTH_MAX = 32

Location = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong: where (`images[3].base.image`), the line if it is known, and what."""

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        line = f" (line {self.line})" if self.line else ""
        return f"{self.path or 'document'}{line}: {self.message}"


class ConfigurationError(InputError):
    """A configuration with its faults, in the order of the file."""

    def __init__(self, file: Path, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        listed = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(f"{count}{listed}", where=str(file), next_step="see docs/reference/configuration.md")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Document:
    """Plain values, and the line of each place."""

    value: Any
    lines: Mapping[Location, int]


def load(file: Path) -> Settings:
    """Read a configuration. Raises ConfigurationError with every fault, or InputError when it cannot be read at all."""
    document = _read(file)
    try:
        settings = Settings.model_validate(_resolved(document.value, file.resolve().parent))
    except ValidationError as error:
        raise ConfigurationError(file, _sorted(_faults(error, document))) from None
    faults = list(_contradictions(settings))
    if faults:
        raise ConfigurationError(file, _sorted(_at_lines(faults, document)))
    return settings


def _read(file: Path) -> _Document:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror}", where=str(file), next_step="name the configuration with -c FILE"
        ) from None
    if len(raw) > _BYTES_MAX:
        raise InputError(f"larger than {_BYTES_MAX} bytes", where=str(file))
    try:
        nodes = list(yaml.compose_all(raw, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be decoded"
        raise InputError(f"not YAML: {problem}", where=f"{file}{line}") from None
    if len(nodes) != 1 or not isinstance(nodes[0], yaml.MappingNode):
        raise InputError("a configuration is one YAML document, a mapping", where=str(file))
    lines: dict[Location, int] = {}
    faults: list[Fault] = []
    value = _plain(nodes[0], (), lines, faults)
    if faults:
        raise ConfigurationError(file, faults)
    return _Document(value=value, lines=lines)


def _plain(node: yaml.Node, at: Location, lines: dict[Location, int], faults: list[Fault]) -> Any:
    """Plain values of a node. Keys that stand twice, aliases' bombs and odd keys are faults."""
    lines[at] = node.start_mark.line + 1
    if len(at) > _DEPTH_MAX or len(lines) > 100_000:
        raise InputError("nested too deeply, or aliases that multiply", where=f"line {lines[at]}")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*at, number), lines, faults) for number, child in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, at, lines, faults)
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError):
        faults.append(Fault(path=_path(at), message="a value that cannot be read", line=lines[at]))
        return None


def _mapping(node: yaml.MappingNode, at: Location, lines: dict[Location, int], faults: list[Fault]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = key_node.value, key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
            faults.append(Fault(path=_path(at), message="a key is plain text; merge keys are not read", line=line))
        elif key in found:
            faults.append(Fault(path=_path((*at, key)), message="the key stands twice", line=line))
        else:
            found[key] = _plain(value_node, (*at, key), lines, faults)
            lines[*at, key] = line
    return found


def _resolved(value: Any, directory: Path) -> Any:
    """The document with its paths made absolute: relative ones are relative to the configuration's directory.

    Whatever has the wrong shape is left as it is, for the models to complain about.
    """
    if not isinstance(value, dict):
        return value
    resolved = dict(value)
    registries = value.get("registries")
    if isinstance(registries, dict):
        resolved["registries"] = _with(registries, ("authFile", "caFile"), lambda path: _absolute(path, directory))
    resolved["clusters"] = _each(
        value.get("clusters"),
        lambda cluster: _inside(
            cluster, "access", lambda access: _with(access, ("file",), lambda path: _absolute(path, directory))
        ),
    )
    resolved["images"] = _each(value.get("images"), lambda image: _image(image, directory))
    return {key: item for key, item in resolved.items() if item is not _ABSENT}


_ABSENT = object()


def _each(value: Any, change: Any) -> Any:
    if value is None:
        return _ABSENT
    if not isinstance(value, list):
        return value
    return [change(item) if isinstance(item, dict) else item for item in value]


def _inside(value: dict[str, Any], key: str, change: Any) -> dict[str, Any]:
    return {**value, key: change(value[key])} if isinstance(value.get(key), dict) else value


def _with(value: dict[str, Any], keys: Iterable[str], change: Any) -> dict[str, Any]:
    return {
        key: change(item) if key in keys and isinstance(item, str) and item else item for key, item in value.items()
    }


def _image(image: dict[str, Any], directory: Path) -> dict[str, Any]:
    changed = _inside(image, "source", lambda source: _with(source, ("git",), lambda url: _url(url, directory)))
    proposals = _each(
        changed.get("proposals"),
        lambda entry: (
            _with(entry, ("repository",), lambda path: _absolute(path, directory))
            if entry.get("forge", "local") == "local"
            else entry
        ),
    )
    return changed if proposals is _ABSENT else {**changed, "proposals": proposals}


def _absolute(path: str, directory: Path) -> str:
    return str(directory / Path(path).expanduser())


def _url(url: str, directory: Path) -> str:
    """A path of this machine is made absolute; `scheme://…` and `user@host:path` are git's to resolve."""
    is_remote = "://" in url or (":" in url.partition("/")[0])
    return url if is_remote else _absolute(url, directory)


def _faults(error: ValidationError, document: _Document) -> Iterable[Fault]:
    seen: set[tuple[str, str]] = set()
    for detail in error.errors(include_url=False):
        at = _written(detail["loc"], document)
        fault = Fault(path=_path(at), message=_message(detail, at, document), line=_line(at, document))
        if (fault.path, fault.message) not in seen:
            seen.add((fault.path, fault.message))
            yield fault


def _written(location: Location, document: _Document) -> Location:
    """The place as it stands in the file: pydantic also names the member of a union, which nobody wrote."""
    return tuple(part for part in location if part not in ("ClusterTag", "FollowedName"))


def _message(detail: Any, at: Location, document: _Document) -> str:
    kind, message = detail["type"], str(detail["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        hint = did_you_mean(str(at[-1]), _known_keys(at[:-1]))
        return f"this key is not known; {hint}" if hint else "this key is not known"
    if kind == "missing":
        return "this key is missing"
    if kind == "literal_error":
        return f"must be {detail['ctx']['expected']}"
    return message[:1].lower() + message[1:]


def _known_keys(at: Location) -> Sequence[str]:
    """The keys that may stand at a place, by the schema."""
    root = schema()
    nodes: list[Mapping[str, Any]] = [root]
    for part in at:
        nodes = [child for node in nodes for child in _children(node, part, root)]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _children(node: Mapping[str, Any], part: str | int, root: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    child = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
    return _unfolded(child, root) if isinstance(child, dict) else ()


def _unfolded(node: Mapping[str, Any], root: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    if "$ref" in node:
        yield from _unfolded(root["$defs"][node["$ref"].rpartition("/")[2]], root)
    for choice in (*node.get("anyOf", ()), *node.get("allOf", ())):
        yield from _unfolded(choice, root)
    yield node


def _contradictions(settings: Settings) -> Iterable[tuple[Location, str]]:
    """What only the whole can tell: names that stand twice, clusters that are not there, two images for one pool."""
    yield from _doubled(("clusters",), [cluster.name for cluster in settings.clusters])
    yield from _doubled(("images",), [image.name for image in settings.images])
    known = {cluster.name for cluster in settings.clusters}
    owners: dict[tuple[str, str], str] = {}
    for number, image in enumerate(settings.images):
        if isinstance(image.base, ClusterTag) and image.base.cluster not in known:
            hint = did_you_mean(image.base.cluster, known) or f"clusters has: {', '.join(sorted(known)) or 'none'}"
            yield ("images", number, "base", "cluster"), f"there is no cluster {image.base.cluster!r}; {hint}"
        for position, entry in enumerate(image.proposals):
            owner = owners.setdefault((entry.cluster, entry.pool), image.name)
            at: Location = ("images", number, "proposals", position)
            first = list(image.proposals).index(entry) == position
            if owner != image.name or not first:
                yield at, f"pool {entry.pool} of cluster {entry.cluster} has an image already: {owner}"
            if isinstance(image.base, ClusterTag) and entry.cluster not in known:
                yield (*at, "cluster"), f"there is no cluster {entry.cluster!r}"


def _doubled(at: Location, names: Sequence[str]) -> Iterable[tuple[Location, str]]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield (*at, number, "name"), f"the name {name} stands twice"


def _at_lines(faults: Iterable[tuple[Location, str]], document: _Document) -> Iterable[Fault]:
    for at, message in faults:
        yield Fault(path=_path(at), message=message, line=_line(at, document))


def _sorted(faults: Iterable[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: fault.line or 0)


def _line(at: Location, document: _Document) -> int | None:
    """The line of the nearest place that is written."""
    for length in range(len(at), -1, -1):
        if at[:length] in document.lines:
            return document.lines[at[:length]]
    return None


def _path(at: Location) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")
