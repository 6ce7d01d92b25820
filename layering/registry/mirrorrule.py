"""Where else an image may be read: one rule per source, with its mirrors.

A rule is routing below a name that stays the same: what is decided by name (pins, signatures, proposals) never sees a
mirror. Rules are for reading alone. This module reads no file and asks no registry.
"""

import re
from dataclasses import dataclass
from typing import Literal

from layering.errors import InputError

Kind = Literal["digest", "tag", "any"]

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
