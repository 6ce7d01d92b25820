"""The Link header of a list that comes in pages (RFC 8288). Nothing is asked here."""

import re

_LINK = re.compile(r'<(?P<url>[^<>]*)>(?P<parameters>(?:[^<>"]|"[^"]*")*)')
_RELATION = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s";,]*))', re.IGNORECASE)


def next_in(header: str) -> str | None:
    """The URL whose relation is `next`, as it stands there; None when there is none."""
    for link in _LINK.finditer(header):
        relation = _RELATION.search(link["parameters"])
        if relation is not None and "next" in (relation[1] or relation[2] or "").lower().split():
            return link["url"].strip()
    return None
