"""The tables of docs/permissions.md: what the page says may be done, and what it says is really used."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.deploy.files import NAMESPACE, ROOT, Right

PAGE = ROOT / "docs/permissions.md"
_PLACE = re.compile(r"^(?P<kind>ClusterRole|Role) `layerwatch`(?: in `(?P<namespace>[a-z-]+)`)?:")
_ROW = re.compile(r"^\| `(?P<object>[^`]+)`(?P<names>: `[^|]+)? \| (?P<may>[a-z, ]+) \| (?P<uses>[a-z, ]*)\|")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One right of the page; `names` limits it, none: to no name."""

    right: Right
    names: frozenset[str]
    is_used: bool


def rows() -> Iterator[Row]:
    """Every right that the page names."""
    namespace = ""
    for line in PAGE.read_text().splitlines():
        if place := _PLACE.match(line):
            namespace = place["namespace"] or ""
        if row := _ROW.match(line):
            resource, _, group = row["object"].partition(".")
            used = set(re.findall(r"\w+", row["uses"]))
            for verb in re.findall(r"\w+", row["may"]):
                yield Row(
                    right=Right(group=group, resource=resource, verb=verb, namespace=namespace),
                    names=frozenset(re.findall(r"`([^`]+)`", row["names"] or "")),
                    is_used=verb in used,
                )


def told_of(namespace: str = NAMESPACE) -> set[Right]:
    """The rights in one namespace."""
    return {row.right for row in rows() if row.right.namespace == namespace}
