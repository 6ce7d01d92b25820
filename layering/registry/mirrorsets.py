"""OpenShift's mirror objects as rules: ImageDigestMirrorSet, ImageTagMirrorSet and ImageContentSourcePolicy.

openshift/api config/v1 types_image_digest_mirror_set.go, types_image_tag_mirror_set.go, operator/v1alpha1
types_image_content_source_policy.go. This module parses; it asks no cluster.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from layering.errors import InputError
from layering.registry.mirrorrule import Kind, Mirror, MirrorRule

_LISTS: Mapping[str, tuple[str, Kind]] = {
    "ImageDigestMirrorSet": ("imageDigestMirrors", "digest"),
    "ImageTagMirrorSet": ("imageTagMirrors", "tag"),
    "ImageContentSourcePolicy": ("repositoryDigestMirrors", "digest"),
}
_NEVER = "NeverContactSource"
_HINT = "write it with: oc get idms,itms,icsp -o yaml > FILE"


def parse_openshift(documents: Iterable[Any], where: str = "") -> tuple[MirrorRule, ...]:
    """The rules in objects, alone or in a `kind: List`. `where` stands in errors before the object's name.

    What several objects say of one source is merged: each keeps the order of its mirrors. A mirror that is its own
    source is left out. Raises InputError for other kinds, and for what these kinds do not allow.
    """
    found: dict[tuple[str, Kind], list[tuple[str, ...]]] = {}
    never: set[str] = set()
    for document in documents:
        for one in _objects(document, where):
            for key, mirrors, is_never in _entries(one, where):
                found.setdefault(key, []).append(mirrors)
                if is_never:
                    never.add(key[0])
    return tuple(
        MirrorRule(
            source=source,
            mirrors=tuple(Mirror(location=location) for location in merged(orders)),
            kind=kind,
            never_contact_source=source in never,
        )
        for (source, kind), orders in found.items()
    )


def merged(orders: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """One order that keeps each of several, as far as they agree; where they do not, what came first stays first."""
    left = list(dict.fromkeys(name for order in orders for name in order))
    before = {name: {earlier for order in orders for earlier in _before(order, name)} - {name} for name in left}
    result: list[str] = []
    while left:
        free = min(left, key=lambda name: len(before[name].difference(result)))  # 0, but for orders that contradict
        left.remove(free)
        result.append(free)
    return tuple(result)


def _before(order: Sequence[str], name: str) -> Sequence[str]:
    return order[: order.index(name)] if name in order else ()


def _objects(document: Any, where: str, *, in_list: bool = False) -> Iterator[Mapping[str, Any]]:
    """A list in a list is none: one that holds itself, as YAML can have it, would have no end."""
    if document is None:
        return  # an empty document between two `---`
    if not isinstance(document, Mapping):
        raise InputError("not a Kubernetes object", where=where, next_step=_HINT)
    kind = document.get("kind")
    if isinstance(kind, str) and kind.endswith("List") and not in_list:
        items = document.get("items") or []
        if not isinstance(items, list):
            raise InputError("items is not a list", where=where, next_step=_HINT)
        for item in items:
            yield from _objects(item, where, in_list=True)
    elif isinstance(kind, str) and kind in _LISTS:
        yield document
    else:
        raise InputError(f"{str(kind)[:80]!r} is none of {', '.join(_LISTS)}", where=where, next_step=_HINT)


def _entries(document: Mapping[str, Any], where: str) -> Iterator[tuple[tuple[str, Kind], tuple[str, ...], bool]]:
    name, kind = _mapping(document.get("metadata"), where).get("name"), document["kind"]
    located = ": ".join(part for part in (where, f"{kind}/{name}" if name else str(kind)) if part)
    key, sort = _LISTS[kind]
    entries = _mapping(document.get("spec"), located).get(key) or []
    if not isinstance(entries, list):
        raise InputError(f"spec.{key} is not a list", where=located)
    for number, entry in enumerate(entries):
        yield _entry(_mapping(entry, located), sort, f"{located}: spec.{key}[{number}]")


def _entry(entry: Mapping[str, Any], kind: Kind, where: str) -> tuple[tuple[str, Kind], tuple[str, ...], bool]:
    source, mirrors, policy = entry.get("source"), entry.get("mirrors") or [], entry.get("mirrorSourcePolicy") or ""
    if not isinstance(source, str) or not isinstance(mirrors, list):
        raise InputError("source is not text, or mirrors is not a list", where=where)
    if policy not in ("", "AllowContactingSource", _NEVER):
        raise InputError(f"mirrorSourcePolicy {str(policy)[:80]!r} is not known", where=where)
    try:
        MirrorRule(source=source, mirrors=tuple(Mirror(location=_text(mirror)) for mirror in mirrors))
    except InputError as error:
        raise InputError(error.what, where=where, next_step=error.next_step) from None
    return (source, kind), tuple(mirror for mirror in mirrors if mirror != source), policy == _NEVER


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InputError("a mirror is not text")
    return value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError("not of the form of a Kubernetes object", where=where, next_step=_HINT)
    return value
