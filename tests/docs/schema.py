"""docs/reference/configuration.md and rebuild-request.md, from the JSON schemas of the models."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from layering.request import RebuildRequest
from tests.docs.markdown import code, page, table
from watcher.settings import schema

_Node = Mapping[str, Any]
_EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "layerwatch.yaml"
_UNITS = "ms|s|m|h"  # in the pattern of a duration
_TYPES = {"boolean": "`true` or `false`", "string": "text", "integer": "number"}


def configuration() -> str:
    """The page about layerwatch.yaml."""
    return page(
        "Configuration: layerwatch.yaml",
        "watcher/settings.py",
        "Unknown keys are errors; `layerwatch validate` shows all faults at once, each with its path. Durations carry "
        "units (`90s`, `5m`, `1h30m`). Relative paths are relative to the file. `layerwatch schema` prints the same as "
        "a JSON schema, for editors.",
        f"## Example\n\n```yaml\n{_EXAMPLE.read_text().rstrip()}\n```",
        *_sections(schema()),
    )


def rebuild_request() -> str:
    """The page about the message from the watcher to the pipeline."""
    return page(
        "RebuildRequest",
        "layering/request.py",
        "The only message between the watcher and the pipeline, as JSON: `layerwatch-step run --request FILE`. Unknown "
        "keys are errors.",
        *_sections(RebuildRequest.model_json_schema(by_alias=True)),
    )


def _sections(root: _Node) -> Iterator[str]:
    """One heading and table for each object, each followed by those inside it."""
    waiting, seen = [("", root)], set()
    while waiting:
        path, node = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        yield f"## {code(path) if path else 'The document'}"
        yield str(node.get("description", ""))
        required = node.get("required", ())
        rows, inside = [], []
        for key, value in node["properties"].items():
            rows.append((code(key), _kind(value, root), _default(value, key in required), value.get("description", "")))
            inside += [(f"{path}.{key}{suffix}".lstrip("."), inner) for suffix, inner in _objects(value, root)]
        yield table(["Key", "Value", "Default", "Meaning"], rows)
        waiting = [*inside, *waiting]


def _objects(node: _Node, root: _Node) -> Iterator[tuple[str, _Node]]:
    """The objects that a value may be or hold, with what they add to its path."""
    node = _resolved(node, root)
    if "properties" in node:
        yield "", node
    if "items" in node:
        yield from ((f"[]{suffix}", inner) for suffix, inner in _objects(node["items"], root))
    choices = [list(_objects(choice, root)) for choice in _choices(node)]
    for found in choices:
        for suffix, inner in found:
            of = f" ({', '.join(inner['properties'])})" if sum(map(bool, choices)) > 1 else ""
            yield f"{suffix}{of}", inner


def _kind(node: _Node, root: _Node) -> str:
    node = _resolved(node, root)
    if "const" in node:
        return code(node["const"])
    if "enum" in node:
        return " or ".join(code(value) for value in node["enum"])
    if choices := [choice for choice in _choices(node) if choice.get("type") != "null"]:
        return " or ".join(dict.fromkeys(_kind(choice, root) for choice in choices))
    if _UNITS in node.get("pattern", ""):
        return "duration"
    if node.get("type") == "array":
        return f"list of {_kind(node['items'], root)}"
    if isinstance(node.get("additionalProperties"), Mapping):
        return f"mapping of {_kind(node['additionalProperties'], root)}"
    kinds = node.get("type", "string")
    return " or ".join(_TYPES.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _default(node: _Node, required: bool) -> str:
    if required:
        return "required"
    default = node.get("default")
    if "$ref" in node or default in (None, [], {}):
        return ""
    if isinstance(default, float):
        return code(f"{default:g}s")
    if isinstance(default, list):
        return ", ".join(
            code("/".join(filter(None, item.values())) if isinstance(item, dict) else str(item)) for item in default
        )
    return code(default if isinstance(default, str) else json.dumps(default))


def _choices(node: _Node) -> Sequence[_Node]:
    return [*node.get("anyOf", ()), *node.get("oneOf", ())]


def _resolved(node: _Node, root: _Node) -> _Node:
    if "$ref" not in node:
        return node
    resolved: _Node = root["$defs"][node["$ref"].rpartition("/")[2]]
    return resolved
