"""A YAML text inside a block scalar of another: from positions in the inner text to positions in the file.

HyperShift keeps MachineConfigs so: a ConfigMap whose key `config` holds them as text (hypershift, NodePool
`spec.config`). Only literal scalars (`|`) can be mapped line by line; folded and quoted ones are not.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

from layering.machineconfig_nodes import Document, Scalar, Tree
from layering.machineconfig_parse import Parsed

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")


@dataclass(frozen=True, kw_only=True, slots=True)
class LineMap:
    """For each line of the inner text where it starts there, and where the same character stands in the outer text."""

    inner: tuple[int, ...]
    outer: tuple[int, ...]
    indent: int
    newline: str

    def outward(self, index: int) -> int:
        """The outer index of an inner one."""
        line = bisect_right(self.inner, index) - 1
        return self.outer[line] + index - self.inner[line]

    def indented(self, text: str) -> str:
        """An inserted text as it must be written in the outer one."""
        return text.replace("\n", self.newline + " " * self.indent)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Embedding:
    """The outer text, the scalar in it that is the inner text, and the way back (None: there is none)."""

    outer: Parsed
    document: Document
    above: tuple[Tree, ...]
    scalar: Scalar
    lines: LineMap | None

    @property
    def origin(self) -> tuple[int, int]:
        """Line and column, from 1, at which the inner text starts in the outer one."""
        return (self.scalar.line + 1, self.lines.indent + 1) if self.lines else (self.scalar.line, self.scalar.column)


def embedded(outer: Parsed, document: Document, above: tuple[Tree, ...], scalar: Scalar) -> Embedding:
    """How the text of `scalar`, which lies in the nodes `above` of `document`, lies in `outer`."""
    lines = _line_map(outer.text, scalar) if scalar.style == "|" else None
    return Embedding(outer=outer, document=document, above=above, scalar=scalar, lines=lines)


def _line_map(text: str, scalar: Scalar) -> LineMap | None:
    """None when a line of the value is not a line of the text with spaces before it, as with rare line breaks."""
    header = _LINE.match(text, scalar.start)
    if header is None or not header[2]:
        return None
    inner, outer, indents = [], [], set()
    position, index = header.end(), 0
    for line in scalar.text.split("\n"):
        content = _LINE.match(text, position)
        if content is None:
            return None
        inner.append(index)
        outer.append(position)
        if line:
            indent = len(content[1]) - len(line)
            if content[1] != " " * indent + line:
                return None
            indents.add(indent)
            outer[-1] += indent
        index += len(line) + 1
        position = content.end()
    if len(indents) != 1:
        return None
    return LineMap(inner=tuple(inner), outer=tuple(outer), indent=indents.pop(), newline=header[2])
