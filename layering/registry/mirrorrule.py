"""Where else an image may be read: one rule per source, with its mirrors.

A rule is routing below a name that stays the same: what is decided by name (pins, signatures, proposals) never sees a
mirror. Rules are for reading alone. This module reads no file and asks no registry.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from layering.errors import InputError
from layering.reference import ImageReference

Kind = Literal["digest", "tag", "any"]
DEFAULT_TAG = "latest"

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[A-Fa-f0-9:]+\])(?::[0-9]+)?"
_LOCATION = re.compile(rf"{_HOST}(?:/[A-Za-z0-9._-]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?(?:@[a-z0-9]+:[a-f0-9]+)?")
_WILDCARD = re.compile(r"\*\.[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """A place that holds what a source holds: `HOST[:PORT][/PATH]`. `insecure` as in RegistrySettings.

    Raises InputError for a location that is none.
    """

    location: str
    insecure: bool = False

    def __post_init__(self) -> None:
        check_location(self.location)


@dataclass(frozen=True, kw_only=True, slots=True)
class MirrorRule:
    """What to do for references below `source`: `HOST[:PORT][/PATH]`, or `*.DOMAIN` for all hosts of a domain.

    `kind` says for which references the mirrors are: with a digest, with a tag only, or both. Rules of one source are
    taken together, in their order. `never_contact_source` (OpenShift's NeverContactSource) and `blocked`
    (registries.conf) both say that only mirrors are asked. `location` is where the source really is, if not under its
    own name; `insecure` is of the source, as in RegistrySettings. Raises InputError for a source that is none.
    """

    source: str
    mirrors: tuple[Mirror, ...] = ()
    kind: Kind = "any"
    never_contact_source: bool = False
    blocked: bool = False
    insecure: bool = False
    location: str | None = None

    def __post_init__(self) -> None:
        if not _WILDCARD.fullmatch(self.source):
            check_location(self.source)
        if self.location is not None:
            check_location(self.location)


def check_location(text: str) -> None:
    """Raises InputError for what is not `HOST[:PORT][/PATH]`."""
    if len(text) > 1024 or not _LOCATION.fullmatch(text):
        raise InputError(
            f"{text[:160]!r} is no registry or repository", next_step="write HOST[:PORT][/PATH], without https://"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where to ask for one reference: what it is called there. `is_source`: it is the place the name itself means."""

    reference: ImageReference
    insecure: bool = False
    is_source: bool = False


def addresses(reference: ImageReference, rules: Sequence[MirrorRule], *, content: bool = False) -> tuple[Place, ...]:
    """The places that may be asked for a reference, in order; none when it is blocked.

    The rules of the longest source that matches count, and no others. With a digest the mirrors for digests are asked,
    else those for tags; `content` asks both, for what belongs to a manifest that was found already. Raises InputError
    for a mirror that makes no image reference of it. containers/image pkg/sysregistriesv2, `PullSourcesFromReference`.
    """
    text = _asked(reference)
    own = _rules_for(text, rules)
    if not own:
        return (Place(reference=reference, is_source=True),)
    kinds = {"any", "digest" if reference.digest else "tag"} | ({"digest", "tag"} if content else set())
    matched = _match(text, own[0].source) or 0
    places: dict[ImageReference, Place] = {}
    for mirror in (mirror for rule in own if rule.kind in kinds for mirror in rule.mirrors):
        place = _moved(mirror.location, text[matched:], own[0].source)
        blocked, insecure = standing(place, rules)
        if not blocked:
            places.setdefault(place, Place(reference=place, insecure=mirror.insecure or insecure))
    location = next((rule.location for rule in own if rule.location is not None), None)
    source = reference if location is None else _moved(location, text[matched:], own[0].source)
    blocked, insecure = standing(reference, rules)
    if not blocked:
        places.setdefault(source, Place(reference=source, insecure=insecure, is_source=True))
    return tuple(places.values())


def standing(reference: ImageReference, rules: Sequence[MirrorRule]) -> tuple[bool, bool]:
    """Whether the rules block the place that a reference means itself, and whether they call it insecure."""
    own = _rules_for(_asked(reference), rules)
    return any(rule.blocked or rule.never_contact_source for rule in own), any(rule.insecure for rule in own)


def _asked(reference: ImageReference) -> str:
    """The reference as it is looked up: by digest where it has one, else by a tag."""
    if reference.digest is not None:
        return str(reference.without_tag())
    return str(reference if reference.tag else reference.repository.tagged(DEFAULT_TAG))


def _rules_for(text: str, rules: Sequence[MirrorRule]) -> tuple[MirrorRule, ...]:
    matching = {rule.source for rule in rules if _match(text, rule.source) is not None}
    if not matching:
        return ()
    longest = min(matching, key=lambda source: (-len(source), source))
    return tuple(rule for rule in rules if rule.source == longest)


def _match(text: str, source: str) -> int | None:
    """How much of a reference a source matches, up to a boundary; None for nothing.

    `refMatchingPrefix`: a host without a port matches it with any port too, because that is what nodes do.
    """
    end = len(source)
    if source.startswith("*."):
        at = text.partition("/")[0].find(source[1:])
        if at < 0:
            return None
        end = at + len(source) - 1
    elif not text.startswith(source):
        return None
    return end if text[end : end + 1] in ("", "/", ":", "@") else None


def _moved(location: str, rest: str, source: str) -> ImageReference:
    try:
        moved = ImageReference.parse(location + rest)
    except InputError as error:
        raise InputError(error.what, where=f"the mirror rule for {source}", next_step=error.next_step) from None
    if moved.repository.domain != (location + rest).partition("/")[0]:
        raise InputError(
            f"{location + rest!r} begins with no registry host",
            where=f"the mirror rule for {source}",
            next_step="a registry host has a '.' or a port, or is localhost; a mirror of a repository is a repository",
        )
    return moved
