"""Read YAML into the tree of layering/machineconfig_nodes: the only module here that calls PyYAML.

PyYAML's own composer forgets which values came from an alias and calls itself once per level; this one does neither,
so that no depth and no "billion laughs" can hurt. Tags are resolved as YAML 1.1, which is what Kubernetes reads.
It knows nothing of MachineConfigs.
"""

import json
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import Resolver
from yaml.scanner import Scanner
from yaml.tokens import ScalarToken, Token

from layering.errors import InputError
from layering.machineconfig_nodes import (
    Alias,
    Document,
    Mapping,
    Scalar,
    Sequence,
    Signature,
    Tree,
    place,
    refuse_repeated_keys,
)

_DEPTH_MAX = 200  # PyYAML's scanner needs time by the square of the depth; no Kubernetes object comes near


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parsed:
    """A text, its documents, and the parser's events, by which two texts can be compared."""

    text: str
    documents: tuple[Document, ...]
    signatures: tuple[Signature, ...]


def parse(text: str, where: str = "", origin: tuple[int, int] = (1, 1)) -> Parsed:
    """Read every document of a YAML or JSON text. Raises InputError, with line and column, for what is neither.

    `origin` is the line and column of the first character for people, when the text lies in another one.
    """
    builder = _Builder(where, origin)
    parser: Any = None
    try:
        parser = _Parser(_without_tabs(text))
        while parser.check_event():
            builder.take(parser.get_event(), parser.scalar_starts)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two: escapes and numbers out of range
        raise _fault(error, text, parser, where) from None
    return Parsed(text=text, documents=tuple(builder.documents), signatures=tuple(builder.signatures))


def resolved_tag(text: str) -> str:
    """The tag that `text` has when it is written plain."""
    return _resolved(text, (True, False))


_RESOLVER: Any = Resolver()


def _resolved(text: str, implicit: tuple[bool, bool]) -> str:
    return str(_RESOLVER.resolve(yaml.ScalarNode, text, implicit))


class _Parser(Reader, Scanner, Parser):
    """PyYAML's parser, which also notes where scalars start: its events count anchor and tag to the scalar.

    PyYAML's types leave its events' positions optional; here they are taken as they come (`Any`).
    """

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        self.scalar_starts: dict[int, int] = {}

    def get_token(self) -> Token:
        token: Token = super().get_token()  # type: ignore[no-untyped-call]
        if isinstance(token, ScalarToken):
            self.scalar_starts[token.end_mark.index] = token.start_mark.index
        return token


class _Builder:
    """Takes the parser's events one by one and makes documents of them."""

    def __init__(self, where: str, origin: tuple[int, int]) -> None:
        self.documents: list[Document] = []
        self.signatures: list[Signature] = []
        self._where = where
        self._line, self._column = origin
        self._open: list[Mapping | Sequence] = []
        self._key: list[Tree | None] = []  # for each open collection the key that waits for its value
        self._anchors: dict[str, Tree] = {}
        self._aliases: list[Alias] = []
        self._root: Tree | None = None

    def take(self, event: yaml.Event, scalar_starts: dict[int, int]) -> None:
        """Add one event."""
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event, scalar_starts))
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._alias(event))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(event)
        elif isinstance(event, yaml.DocumentEndEvent):
            self._end_document()
        else:
            self.signatures.append((type(event).__name__,))

    def _scalar(self, event: Any, starts: dict[int, int]) -> Scalar:
        end = event.end_mark.index
        empty = event.start_mark.index == end
        node = Scalar(
            **self._position(event),
            text=event.value,
            tag=_resolved(event.value, event.implicit) if event.tag in (None, "!") else event.tag,
            style=event.style or "",
            explicit_tag=event.tag,
            start=end if empty else starts.get(end, end),
            end=end,
        )
        self.signatures.append(node.signature)
        return node

    def _alias(self, event: Any) -> Alias:
        position = self._position(event) | {"anchor": None}
        if event.anchor not in self._anchors:
            raise InputError(
                f"the alias *{event.anchor[:80]} has no anchor",
                where=place(self._where, position["line"], position["column"]),
                next_step="write the anchor (&) before the alias (*)",
            )
        node = Alias(**position, name=event.anchor, target=self._anchors[event.anchor], end=event.end_mark.index)
        self.signatures.append(("alias", event.anchor))
        self._aliases.append(node)
        return node

    def _begin(self, event: Any) -> None:
        node: Mapping | Sequence
        of_keys = isinstance(event, yaml.MappingStartEvent)  # kept apart: narrowed, its positions would be optional
        if of_keys:
            node = Mapping(
                **self._position(event),
                flow=bool(event.flow_style),
                opening=event.end_mark.index,
                opening_column=event.end_mark.column,
                plain_start=event.anchor is None and event.tag is None,
            )
        else:
            node = Sequence(**self._position(event), flow=bool(event.flow_style))
        if len(self._open) == _DEPTH_MAX:
            raise InputError(
                f"this is nested deeper than {_DEPTH_MAX} levels",
                where=place(self._where, node.line, node.column),
                next_step="name a file that holds a MachineConfig",
            )
        self.signatures.append((type(event).__name__, event.anchor, event.tag))
        self._add(node)
        self._open.append(node)
        self._key.append(None)

    def _end(self, event: Any) -> None:
        node = self._open.pop()
        self._key.pop()
        node.extent.event = len(self.signatures)
        node.extent.end = event.end_mark.index if node.flow else None
        self.signatures.append((type(event).__name__,))
        if isinstance(node, Mapping):
            refuse_repeated_keys(node, self._where)

    def _end_document(self) -> None:
        if self._root is not None:
            self.documents.append(Document(root=self._root, aliases=tuple(self._aliases)))
        self._root, self._anchors, self._aliases = None, {}, []
        self.signatures.append(("end of document",))

    def _add(self, node: Tree) -> None:
        if node.anchor is not None:
            self._anchors[node.anchor] = node
        if not self._open:
            self._root = node
        elif isinstance(parent := self._open[-1], Sequence):
            parent.items.append(node)
        elif (key := self._key[-1]) is None:
            self._key[-1] = node
        else:
            parent.entries.append((key, node))
            self._key[-1] = None

    def _position(self, event: Any) -> dict[str, Any]:
        mark = event.start_mark
        return {
            "index": mark.index,
            "line": mark.line + self._line,
            "column": mark.column + self._column,
            "event": len(self.signatures),
            "anchor": event.anchor,
        }


def _without_tabs(text: str) -> str:
    """JSON may be indented with tabs and PyYAML does not read it then; outside of strings JSON has no other tabs."""
    if "\t" not in text or not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return text
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return text
    return text.replace("\t", " ")


def _fault(error: Exception, text: str, parser: Any, where: str) -> InputError:
    line, column, problem = 1, 1, str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        if mark := error.problem_mark or error.context_mark:
            line, column = mark.line + 1, mark.column + 1
    elif isinstance(error, ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        problem = f"the character {error.character!r} is not allowed in YAML"
    elif parser is not None:
        line, column = parser.line + 1, parser.column + 1
    return InputError(
        f"this is not YAML: {problem}",
        where=place(where, line, column),
        next_step="a MachineConfig is a YAML or JSON text; a template must be rendered first",
    )
