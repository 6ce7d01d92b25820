"""A YAML text as a tree that knows where each part stands in the text.

The tree keeps aliases and merge keys as they are written: an editor must know whether a value stands where it was found
or was only referred to. This module does not parse and does not edit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from layering.errors import InputError

STRING_TAG = "tag:yaml.org,2002:str"
NULL_TAG = "tag:yaml.org,2002:null"
MERGE_TAG = "tag:yaml.org,2002:merge"

Signature = tuple[str | None, ...]
"""One parser event without its position: what it is, its anchor, its tag as resolved, its value."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Node:
    """What all nodes have. Indices count code points from 0; line and column count from 1 and are for people."""

    index: int  # the first character, anchor and tag included
    line: int
    column: int
    event: int  # the number of the (first) parser event
    anchor: str | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scalar(Node):
    """A value: `start` to `end` is its text with its quotes, without its anchor and tag."""

    text: str
    tag: str
    style: str  # '' plain, or one of ' " | >
    explicit_tag: str | None
    start: int
    end: int

    @property
    def signature(self) -> Signature:
        """Its parser event."""
        return ("scalar", self.anchor, self.tag, self.text)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Alias(Node):
    """`*name`; `target` is the node that carries the anchor, which may be one that the alias lies in."""

    name: str
    target: "Tree"
    end: int


@dataclass(kw_only=True, slots=True, eq=False)
class _Extent:
    """What is known only when the end of a collection was seen: its last event, and where its text ends."""

    event: int = 0
    end: int | None = None  # None: a block collection, which ends where its last part does


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mapping(Node):
    """Keys and values in the order of the text. `opening` is the place after `{`, or of a block mapping's first key."""

    flow: bool
    opening: int
    opening_column: int
    plain_start: bool  # has neither anchor nor tag
    entries: list[tuple["Tree", "Tree"]] = field(default_factory=list)
    extent: _Extent = field(default_factory=_Extent)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sequence(Node):
    """A list."""

    flow: bool
    items: list["Tree"] = field(default_factory=list)
    extent: _Extent = field(default_factory=_Extent)


Tree = Scalar | Alias | Mapping | Sequence


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Document:
    """One YAML document and every alias in it."""

    root: Tree
    aliases: tuple[Alias, ...]

    def shared(self, node: Tree) -> bool:
        """Whether an alias refers to this node, so that it stands in more than one place."""
        return any(alias.target is node for alias in self.aliases)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Entry:
    """What a mapping says of one key. `merged` tells that a merge key (`<<`) gave it."""

    key: Scalar
    value: Scalar | Mapping | Sequence
    merged: bool


def followed(node: Tree) -> Scalar | Mapping | Sequence:
    """The node itself, or what an alias refers to."""
    while isinstance(node, Alias):
        node = node.target
    return node


def lookup(mapping: Mapping, name: str) -> Entry | None:
    """The key `name`: written in the mapping, or else given by a merge key (yaml.org/type/merge, earlier ones win)."""
    pending, seen = [mapping], set[int]()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for key, value in _pairs(current):
            if key.text == name and key.tag == STRING_TAG:
                return Entry(key=key, value=followed(value), merged=current is not mapping)
        pending.extend(reversed(list(_merged(current))))
    return None


def text_at(mapping: Mapping, *names: str) -> str | None:
    """The text of the scalar under these keys, one inside the other; None when there is no scalar."""
    node: Scalar | Mapping | Sequence = mapping
    for name in names:
        entry = lookup(node, name) if isinstance(node, Mapping) else None
        if entry is None:
            return None
        node = entry.value
    return node.text if isinstance(node, Scalar) and node.tag != NULL_TAG else None


def refuse_repeated_keys(mapping: Mapping, where: str) -> None:
    """Raise InputError when one key stands twice (YAML 1.2 section 3.2.1.1: keys are unique)."""
    first: dict[tuple[str, str], Scalar] = {}
    for key, _ in _pairs(mapping):
        earlier = first.setdefault((key.tag, key.text), key)
        if earlier is not key:
            raise InputError(
                f"the key {key.text[:80]!r} stands twice in one mapping, in line {earlier.line} and in line {key.line}",
                where=place(where, key.line, key.column),
                next_step="remove one of the two: programs differ in which they take",
            )


def place(where: str, line: int, column: int) -> str:
    """A position for people: `file:3:5`, or in words when the text has no name."""
    return f"{where}:{line}:{column}" if where else f"line {line}, column {column}"


def _pairs(mapping: Mapping) -> Iterator[tuple[Scalar, Tree]]:
    for key, value in mapping.entries:
        scalar = followed(key)
        if isinstance(scalar, Scalar):
            yield scalar, value


def _merged(mapping: Mapping) -> Iterator[Mapping]:
    """What the merge keys of this mapping refer to, first the one that wins."""
    for key, value in _pairs(mapping):
        if key.tag != MERGE_TAG:
            continue
        node = followed(value)
        sources = [followed(item) for item in node.items] if isinstance(node, Sequence) else [node]
        yield from (source for source in sources if isinstance(source, Mapping))
