"""containers-registries.conf(5), version 2: its `[[registry]]` tables as rules, and rules as such tables.

Short names, aliases and credential helpers are read for nobody here, because every reference this project asks for
names its registry; `render_others` keeps them for builders. What container tools refuse is refused.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from layering.errors import InputError
from layering.registry.mirrorrule import Kind, Mirror, MirrorRule, check_location

_KINDS: Mapping[str, Kind] = {"all": "any", "digest-only": "digest", "tag-only": "tag"}
_WORDS = {kind: word for word, kind in _KINDS.items()}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_T = TypeVar("_T")


def parse_registries_conf(text: str, where: str = "") -> tuple[MirrorRule, ...]:
    """The rules in a file's text. Raises InputError for what is no TOML, of version 1, or contradicts itself."""
    document = _document(text, where)
    if isinstance(document.get("registries"), dict):
        raise InputError(
            "written in the old form of registries.conf, version 1, which is not read",
            where=where,
            next_step="write [[registry]] tables instead of [registries.…], see containers-registries.conf(5)",
        )
    registries = _tables(document, "registry", where)
    _check_agreement(registries, where)
    found: dict[str, tuple[MirrorRule, ...]] = {}
    for number, registry in enumerate(registries):
        rules = _registry(registry, f"{where}: registry[{number}]" if where else f"registry[{number}]")
        found.setdefault(rules[0].source, rules)  # of two tables for one prefix container tools take the first
    return tuple(rule for rules in found.values() for rule in rules)


def _check_agreement(registries: Sequence[Mapping[str, Any]], where: str) -> None:
    """Raises InputError when one location is blocked or insecure in one table and not in another."""
    for key in ("blocked", "insecure"):
        said: dict[str, bool] = {}
        for registry in registries:
            location = _location(_get(registry, "location", "", where) or _get(registry, "prefix", "", where))
            value = _get(registry, key, False, where)
            if said.setdefault(location, value) != value:
                raise InputError(f"{location[:160]!r} stands there twice, and is {key} only once", where=where)


def render_others(text: str, where: str = "") -> str:
    """What a file says beside its `[[registry]]` tables, as the beginning of another file. Raises InputError."""
    document = _document(text, where)
    document.pop("registry", None)
    lines = list(_assignments(document))
    for name, table in document.items():
        if isinstance(table, dict):
            lines += ["", f"[{_key(name)}]", *_assignments(table)]
    return "".join(f"{line}\n" for line in lines)


def render_registries_conf(rules: Sequence[MirrorRule]) -> str:
    """The rules as a file for container tools; parsed again they mean the same."""
    by_source: dict[str, list[MirrorRule]] = {}
    for rule in rules:
        by_source.setdefault(rule.source, []).append(rule)
    return "\n".join("\n".join(_rendered(source, own)) + "\n" for source, own in by_source.items())


def _assignments(table: Mapping[str, Any]) -> Iterator[str]:
    """Texts, numbers, booleans and lists of texts: nothing else stands in such a file."""
    for name, value in table.items():
        if isinstance(value, str | int) or (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            yield f"{_key(name)} = {_quoted(value)}"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _quoted(name)


def _quoted(value: Any) -> str:
    """JSON is TOML here, but for the one control character that JSON lets stand (TOML v1.0.0, "String")."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _document(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"not TOML: {str(error)[:200]}", where=where) from None


def _rendered(source: str, rules: Sequence[MirrorRule]) -> Iterator[str]:
    location = next((rule.location for rule in rules if rule.location is not None), None)
    yield "[[registry]]"
    yield f"prefix = {json.dumps(source)}"
    if location is not None or not source.startswith("*."):
        yield f"location = {json.dumps(location or source)}"
    if any(rule.insecure for rule in rules):
        yield "insecure = true"
    if any(rule.blocked or rule.never_contact_source for rule in rules):
        yield "blocked = true"
    for rule in rules:
        for mirror in rule.mirrors:
            yield ""
            yield "[[registry.mirror]]"
            yield f"location = {json.dumps(mirror.location)}"
            if mirror.insecure:
                yield "insecure = true"
            if rule.kind != "any":
                yield f"pull-from-mirror = {json.dumps(_WORDS[rule.kind])}"


def _registry(table: Mapping[str, Any], where: str) -> tuple[MirrorRule, ...]:
    prefix, location = (_location(_get(table, key, "", where)) for key in ("prefix", "location"))
    if not prefix and not location:
        raise InputError("neither prefix nor location is set", where=where)
    if not location and not prefix.startswith("*."):
        raise InputError("location is not set, and prefix is not of the form *.example.com", where=where)
    mirrors = tuple(_mirror(mirror, table, where) for mirror in _tables(table, "mirror", where))
    source = prefix or location
    runs = [(kind, tuple(mirror for _, mirror in run)) for kind, run in groupby(mirrors, key=lambda pair: pair[0])]
    try:
        if location:
            check_location(location)
        return tuple(
            MirrorRule(
                source=source,
                location=location if location not in ("", source) else None,
                mirrors=run,
                kind=kind,
                blocked=_get(table, "blocked", False, where),
                insecure=_get(table, "insecure", False, where),
            )
            for kind, run in runs or [("any", ())]
        )
    except InputError as error:
        raise InputError(error.what, where=where, next_step=error.next_step) from None


def _mirror(mirror: Mapping[str, Any], registry: Mapping[str, Any], where: str) -> tuple[Kind, Mirror]:
    by_digest_only = _get(registry, "mirror-by-digest-only", False, where)
    word = _get(mirror, "pull-from-mirror", "", where)
    if word and by_digest_only:
        raise InputError("mirror-by-digest-only and pull-from-mirror exclude each other", where=where)
    if word and word not in _KINDS:
        raise InputError(f"pull-from-mirror {word[:80]!r} is none of {', '.join(_KINDS)}", where=where)
    try:
        found = Mirror(
            location=_location(_get(mirror, "location", "", where)), insecure=_get(mirror, "insecure", False, where)
        )
    except InputError as error:
        raise InputError(f"a mirror: {error.what}", where=where, next_step=error.next_step) from None
    return ("digest" if by_digest_only else _KINDS[word or "all"]), found


def _location(text: str) -> str:
    return text.rstrip("/")


def _tables(table: Mapping[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise InputError(f"{key} is not a list of tables", where=where, next_step=f"write [[{key}]]")
    return value


def _get(table: Mapping[str, Any], key: str, default: _T, where: str) -> _T:
    value = table.get(key, default)
    if not isinstance(value, type(default)):
        raise InputError(f"{key} is not {'true or false' if isinstance(default, bool) else 'text'}", where=where)
    return value
