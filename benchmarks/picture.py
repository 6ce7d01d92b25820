"""Draws docs/benchmarks.svg from the tables of docs/benchmarks.md: what one rebuild, and one look, cost whom.

One panel for each column that is worth a look, one bar for each row; its length is its share of the panel's longest.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _BAR, _ROW, _PANEL_WIDTH = 880, 226, 130, 22, 215
_OURS, _THEIRS = "#1d63b8", "#a8b2bd"
_TABLE = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)
_NUMBER = re.compile(r"[0-9.]+")
_UNITS = {"KB": 1e-3, "MB": 1.0}


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The first table under a heading of the page: rows by their first cell, `columns` as its head calls them."""

    heading: str
    title: str
    columns: Sequence[str]


CHARTS = (
    Chart(
        heading="compose against buildah",
        title="One rebuild and push on a large base of 50 layers",
        columns=("received", "CPU s", "on disk"),
    ),
    Chart(
        heading="A thousand references of one registry",
        title="One look at 1,000 references, nothing changed",
        columns=("requests", "received", "CPU s"),
    ),
)


def draw(page: str) -> str:
    """The SVG of the page's text."""
    parts, top = [], 10
    for chart in CHARTS:
        head, *rows = _table(page, chart.heading)
        parts.append(f'<text x="16" y="{top + 16}" font-size="15" font-weight="600">{escape(chart.title)}</text>')
        parts += _chart(chart, head, rows, top + 30)
        top += 30 + 24 + _ROW * len(rows) + 26
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" font-size="12" '
        'font-family="system-ui, sans-serif" fill="#1f2328">\n'
        f'<rect width="{_WIDTH}" height="{top}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _chart(chart: Chart, head: Sequence[str], rows: Sequence[Sequence[str]], top: int) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f'<text x="{_LEFT - 14}" y="{top + 38 + number * _ROW}" text-anchor="end">{escape(row[0])}</text>'
    for panel, column in enumerate(chart.columns):
        x, at = _LEFT + panel * _PANEL_WIDTH, head.index(column)
        yield f'<text x="{x}" y="{top + 14}" fill="#59636e">{escape(column)}</text>'
        amounts = [_amount(row[at]) for row in rows]
        for number, (row, amount) in enumerate(zip(rows, amounts, strict=True)):
            y, length = top + 26 + number * _ROW, max(1.0, _BAR * amount / max(*amounts, 1e-9))
            color = _OURS if row[0].startswith(("layerwatch", "compose")) else _THEIRS
            yield f'<rect x="{x}" y="{y}" width="{length:.1f}" height="{_ROW - 7}" fill="{color}"/>'
            yield f'<text x="{x + length + 6:.1f}" y="{y + 12}">{escape(row[at])}</text>'


def _table(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without the line below its head."""
    section = page.split(f"\n## {heading}\n", 1)[1]
    found = _TABLE.search(section)
    lines = found[0].splitlines() if found else []
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|--")]


def _amount(text: str) -> float:
    """A number as the tables write it, of megabytes where it is of bytes."""
    found = _NUMBER.search(text)
    return float(found[0]) * _UNITS.get(text.split()[-1], 1.0) if found else 0.0
