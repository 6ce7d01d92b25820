"""Titles that would make drafts on the forge they are for: a proposal's own, the defaults', a group's usual one.

As in settings_rules.py the rule reads plain values, and what has the wrong shape is passed over.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from layering.errors import InputError
from layering.forge.forge import repository_identity
from layering.forge.settings import DEFAULT_URLS, Kind
from layering.forge.titles import check_no_draft
from watcher.settings_faults import Fault, Location

_Place = tuple[Location, Mapping[str, Any]]


def drafts_by_title(document: Mapping[str, Any]) -> Iterator[Fault]:
    """All of them, without lines."""
    kinds: dict[Any, Any] = {str(kind): str(kind) for kind in DEFAULT_URLS}
    kinds |= {str(forge.get("name")): forge.get("kind") for _, forge in _mappings(document, (), "forges")}
    defaults = document.get("proposalDefaults")
    usual = defaults if isinstance(defaults, dict) else {}
    entries = [
        (image, place, entry)
        for at, image in _mappings(document, (), "images")
        for place, entry in _mappings(image, at, "proposals")
    ]
    has_title = {_group(entry, usual) for _, _, entry in entries if isinstance(entry.get("title"), str)}
    for image, place, entry in entries:
        kind = kinds.get(str(entry.get("forge")))
        titled = _titled(place, entry, usual, is_titled=_group(entry, usual) in has_title)
        if kind in (Kind.GITLAB, Kind.GITEA) and titled is not None:
            names = {"cluster": entry.get("cluster"), "pool": entry.get("pool"), "image": image.get("name")}
            yield from _drafts(*titled, Kind(kind), {name: str(value) for name, value in names.items()})


def _group(entry: Mapping[str, Any], usual: Mapping[str, Any]) -> tuple[str, ...]:
    """What is equal for all that share a title."""
    of = (
        entry.get("forge"),
        repository_identity(str(entry.get("repository"))),
        entry.get("branch", "main"),
        entry.get("group", usual.get("group")),
    )
    return tuple(map(str, of))


def _titled(
    place: Location, entry: Mapping[str, Any], usual: Mapping[str, Any], *, is_titled: bool
) -> tuple[Location, str] | None:
    """Where it is written what its title is made of, and the pattern. None: it has the usual one, which makes none, or
    that of another entry of its group, which `is_titled` says.
    """
    for key in ("title",) if is_titled else ("title", "group"):
        at, holder = (place, entry) if key in entry else (("proposalDefaults",), usual)
        value = holder.get(key)
        if isinstance(value, str):
            return (*at, key), value if key == "title" else f"{value}: {{version}}"
    return None


def _drafts(at: Location, pattern: str, kind: Kind, values: Mapping[str, str]) -> Iterator[Fault]:
    try:
        check_no_draft(pattern, kind, values)
    except InputError as error:
        hint = error.next_step if at[-1] == "title" else "call the group otherwise, or give it a title"
        yield Fault(at=at, message=error.what, suggestion=hint)


def _mappings(holder: Mapping[str, Any], at: Location, key: str) -> Iterator[_Place]:
    """The mappings in the list under `key`, each with its place."""
    items = holder.get(key)
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield (*at, key, number), item
