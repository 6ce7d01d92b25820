"""Draws docs/pull-request.svg: a proposal as forges show it, from the very text that we send. `make docs` writes it.

A small part of Markdown is set, the part that proposals use: paragraphs, lists, tables, code, bold, links, and what is
folded away. Widths are those of Helvetica and of the fonts made to measure with it, and are told to the reader of the
picture (`textLength`), so that nothing overlaps in another font.
"""

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from layering.proposal import body, title
from tests.docs.proposal_sample import SAMPLE

_ROOM = 60_000
_WIDTH, _MARGIN, _SIZE, _LINE, _GAP, _INDENT = 880.0, 32.0, 14.0, 22.0, 12.0, 22.0
_PAD_X, _PAD_Y = 12.0, 7.0
_MONO = 7.5  # one character of 12.5 pixels in a monospaced font
_BOLD = 1.06  # Helvetica Bold is about that much wider
# Adobe Font Metrics of Helvetica, in thousandths of the size, by what is so wide; all else is as wide as an `o`.
_WIDTHS = {
    "'ijl": 222,
    " !,./:;I[]ft\\": 278,
    "()-`r": 333,
    "Jcksvxyz": 500,
    "FTZ": 611,
    "ABEKPSVXY&": 667,
    "CDHNRUw": 722,
    "GOQ": 778,
    "Mm": 833,
    "W": 944,
}
_STYLE = """\
text{font-family:Helvetica,Arial,'Liberation Sans',sans-serif;font-size:14px;fill:#1f2328}
.m{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:12.5px}
.b{font-weight:700} .l{fill:#0969da} .h{font-size:22px} .w{fill:#fff} .g{fill:#59636e}
rect.c{fill:#eff1f3} .t{stroke:#d1d9e0;fill:none}"""


@dataclass(frozen=True, slots=True)
class _Word:
    """A piece that is not broken. `style` is of `b`, `m`, `l`; `spaced` says that a blank comes before it."""

    text: str
    style: frozenset[str]
    spaced: bool

    @property
    def width(self) -> float:
        if "m" in self.style:
            return len(self.text) * _MONO + 8
        return _measure(self.text) * (_BOLD if "b" in self.style else 1)


def _measure(text: str, size: float = _SIZE) -> float:
    widths = {character: width for characters, width in _WIDTHS.items() for character in characters}
    return sum(widths.get(character, 556) for character in text) * size / 1000


@dataclass(slots=True)
class _Page:
    """What was drawn so far, and down to where."""

    y: float
    drawn: list[str] = field(default_factory=list)

    def words(self, words: Sequence[_Word], x: float, room: float) -> None:
        """One paragraph, broken into lines."""
        left = x
        for word in words:
            blank = _measure(" ") if word.spaced and left > x else 0
            if left > x and left + blank + word.width > x + room:
                left, blank = x, 0.0
                self.y += _LINE
            self._word(word, left + blank)
            left += blank + word.width
        self.y += _LINE

    def _word(self, word: _Word, x: float) -> None:
        width = word.width
        if "m" in word.style:
            self.drawn.append(
                f'<rect class="c" x="{x:.1f}" y="{self.y - 14:.1f}" width="{width:.1f}" height="19" rx="5"/>'
            )
            x, width = x + 4, width - 8
        self.text(word.text, x, " ".join(sorted(word.style)), width)

    def text(self, text: str, x: float, style: str, width: float) -> None:
        """One line at `x`, exactly so wide."""
        told = f' class="{style}"' if style else ""
        self.drawn.append(
            f'<text{told} x="{x:.1f}" y="{self.y:.1f}" textLength="{width:.1f}">{html.escape(text, quote=False)}</text>'
        )


def draw() -> str:
    """The SVG of the sample."""
    page = _Page(y=_MARGIN + 18)
    name = title(SAMPLE)
    page.text(name, _MARGIN, "h", _measure(name, 22))
    page.y += 32
    _head(page)
    nodes = SyntaxTreeNode(MarkdownIt("commonmark", {"html": True}).enable("table").parse(body(SAMPLE, _ROOM))).children
    for node in _unfolded_away(nodes):
        _block(page, node, _MARGIN, _WIDTH - 2 * _MARGIN)
    height = page.y + 4
    drawn = "\n".join(page.drawn)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height:.0f}">
<title>A proposal as a forge shows it</title>
<style>
{_STYLE}
</style>
<rect class="t" x=".5" y=".5" width="{_WIDTH - 1:.0f}" height="{height - 1:.0f}" rx="9" style="fill:#fff"/>
{drawn}
</svg>
"""


def _head(page: _Page) -> None:
    """As forges say what is to become of it."""
    page.drawn.append(f'<rect x="{_MARGIN}" y="{page.y - 16:.1f}" width="56" height="24" rx="12" fill="#1f883d"/>')
    page.text("Open", _MARGIN + 11, "w", _measure("Open"))
    line = f"1 commit into main from layerwatch/{SAMPLE.cluster}/{SAMPLE.pool}"
    page.text(line, _MARGIN + 70, "g", _measure(line))
    page.y += 22
    page.drawn.append(f'<path class="t" d="M{_MARGIN} {page.y:.1f}H{_WIDTH - _MARGIN}"/>')
    page.y += 32


def _unfolded_away(nodes: Sequence[SyntaxTreeNode]) -> Iterator[SyntaxTreeNode]:
    """Without what is folded; its summary alone stands."""
    folded = False
    for node in nodes:
        if node.type == "html_block":
            folded = node.content.startswith("<details>")
        if folded == (node.type == "html_block"):
            yield node


def _block(page: _Page, node: SyntaxTreeNode, x: float, room: float) -> None:
    if node.type == "table":
        _table(page, node, x)
    elif node.type == "bullet_list":
        for item in node.children:
            page.drawn.append(f'<circle cx="{x + 9:.1f}" cy="{page.y - 5:.1f}" r="2.5" fill="#1f2328"/>')
            for child in item.children:
                page.words(_words(child.children[0]), x + _INDENT, room - _INDENT)
    elif node.type == "html_block":
        summary = node.content.partition("<summary>")[2].partition("</summary>")[0]
        page.drawn.append(f'<path d="M{x + 1:.1f} {page.y - 10:.1f}l8 5l-8 5z" fill="#1f2328"/>')
        page.text(summary, x + 16, "", _measure(summary))
        page.y += _LINE
    else:
        page.words(_words(node.children[0]), x, room)
    page.y += _GAP


def _table(page: _Page, node: SyntaxTreeNode, x: float) -> None:
    rows = [[_words(cell.children[0]) for cell in row.children] for part in node.children for row in part.children]
    rows[0] = [[_Word(w.text, w.style | {"b"}, w.spaced) for w in cell] for cell in rows[0]]
    widths = [max(_width(row[column]) for row in rows) + 2 * _PAD_X for column in range(len(rows[0]))]
    height, top = _LINE + 2 * _PAD_Y - 6, page.y - 16
    for number, row in enumerate(rows):
        left = x
        page.y = top + number * height + 20
        for cell, width in zip(row, widths, strict=True):
            fill = "#f6f8fa" if number % 2 == 0 and number else "#fff"
            page.drawn.append(
                f'<rect class="t" x="{left:.1f}" y="{page.y - 20:.1f}" width="{width:.1f}" height="{height}" '
                f'style="fill:{fill}"/>'
            )
            at = page.y
            page.words(cell, left + _PAD_X, width)
            page.y = at
            left += width
    page.y = top + len(rows) * height + 18


def _width(words: Sequence[_Word]) -> float:
    return sum(word.width + (_measure(" ") if word.spaced else 0) for word in words)


def _words(inline: SyntaxTreeNode) -> list[_Word]:
    """The words of a paragraph or cell, each with its style."""
    words: list[_Word] = []
    style: frozenset[str] = frozenset()
    spaced = False
    for token in _children(inline):
        if token.type in ("strong_open", "link_open"):
            style |= {"b" if token.type == "strong_open" else "l"}
        elif token.type in ("strong_close", "link_close"):
            style -= {"b", "l"}
        elif token.type == "code_inline":
            words.append(_Word(token.content, style | {"m"}, spaced))
            spaced = False
        elif token.type == "softbreak":
            spaced = True
        else:
            for number, text in enumerate(token.content.split(" ")):
                spaced = spaced or number > 0
                if text:
                    words.append(_Word(text, style, spaced))
                    spaced = False
    return words


def _children(inline: SyntaxTreeNode) -> Sequence[Token]:
    return inline.token.children or () if inline.token else ()
