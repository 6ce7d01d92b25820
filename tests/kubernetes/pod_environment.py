"""What a container's environment and command line become, as a kubelet makes them.

Core v1 EnvVar, EnvFromSource and the `$(NAME)` of command, args and env
(https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/).
It knows no resourceFieldRef and no variables of Services.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Body = Mapping[str, Any]
Lookup = Callable[[str, str], Body | None]  # (plural, name) -> the object of the pod's namespace
_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class MissingReferenceError(Exception):
    """A Secret, ConfigMap or key that the pod needs is not there."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` by its value, `$$` by `$`; a name that is not known stays as it is."""
    return _REFERENCE.sub(lambda m: "$" if m[0] == "$$" else variables.get(m[1], m[0]), text)


def environment(container: Body, pod: Body, lookup: Lookup) -> dict[str, str]:
    """The variables of `container`. Raises MissingReferenceError."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix", "")
        variables |= {prefix + key: value.decode() for key, value in _source(source, lookup).items()}
    for variable in container.get("env") or ():
        value = _value(variable, pod, lookup)
        if value is not None:
            variables[variable["name"]] = expand(value, variables)
    return variables


def contents(plural: str, name: str, lookup: Lookup, *, optional: bool = False) -> dict[str, bytes]:
    """The data of a Secret or ConfigMap. Raises MissingReferenceError when it is not there and not optional."""
    found = lookup(plural, name)
    if found is None and not optional:
        raise MissingReferenceError(f"{plural} {name!r} not found")
    data, binary = (found or {}).get("data") or {}, (found or {}).get("binaryData") or {}
    if plural == "secrets":
        return {key: base64.b64decode(value) for key, value in data.items()}
    plain = {key: value.encode() for key, value in data.items()}
    return plain | {key: base64.b64decode(value) for key, value in binary.items()}


def field(pod: Body, path: str) -> str:
    """A field of the downward API, such as `metadata.name` or `metadata.annotations['a']`; "" when it is not set."""
    keyed = _KEYED.fullmatch(path)
    if keyed:
        return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    value: Any = pod
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        return "\n".join(f'{key}="{text}"' for key, text in sorted(value.items()))
    return "" if value is None else str(value)


def _source(source: Body, lookup: Lookup) -> dict[str, bytes]:
    for key, plural in (("secretRef", "secrets"), ("configMapRef", "configmaps")):
        if key in source:
            return contents(plural, source[key]["name"], lookup, optional=source[key].get("optional", False))
    return {}


def _value(variable: Body, pod: Body, lookup: Lookup) -> str | None:
    origin = variable.get("valueFrom") or {}
    if "fieldRef" in origin:
        return field(pod, origin["fieldRef"]["fieldPath"])
    for kind, plural in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
        if kind in origin:
            return _keyed(plural, origin[kind], lookup)
    return str(variable.get("value", ""))


def _keyed(plural: str, reference: Body, lookup: Lookup) -> str | None:
    optional = reference.get("optional", False)
    data = contents(plural, reference["name"], lookup, optional=optional)
    if reference["key"] not in data and not optional:
        raise MissingReferenceError(f"key {reference['key']!r} not found in {plural} {reference['name']!r}")
    return data[reference["key"]].decode() if reference["key"] in data else None


def command_line(container: Body, variables: Mapping[str, str]) -> Sequence[str]:
    """command and args; what the image would add is not known here."""
    return [expand(word, variables) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
