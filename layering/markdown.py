"""Markdown into which no outside text can slip anything: no link, no mention, no HTML, no table cell.

CommonMark 0.31, "Code spans". Names that come from images, branches or people only ever stand in code spans.
"""

import re
from collections.abc import Sequence

_CELL_LENGTH_MAX = 200
_FOLD = re.compile(r"^<details>\n<summary>([^<\n]*)</summary>$|\n\n</details>$", re.MULTILINE)
_MARKER = "<!-- layerwatch:"
# GitLab looks for "Closes #1" in the text as it stands, code spans included (lib/gitlab/closing_issue_extractor.rb; the
# pattern in config/initializers/1_settings.rb wants a plain space).
_CLOSING = re.compile(r"(?i)\b(clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?)(:?) ")


def code(text: str, length_max: int = _CELL_LENGTH_MAX) -> str:
    """`text` as a code span on one line; cut when it is longer than `length_max`."""
    one_line = "".join(character if character.isprintable() else " " for character in text).strip() or " "
    shown = one_line if len(one_line) <= length_max else one_line[: length_max - 1] + "…"
    shown = shown.replace("|", "¦")  # a table is split at bars before code spans are read
    shown = _CLOSING.sub("\\1\\2\N{NO-BREAK SPACE}", shown.replace(_MARKER, "<!- layerwatch:"))
    fence = "`"
    while fence in shown:
        fence += "`"
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def folded(summary: str, text: str) -> str:
    """`text` behind one click, where HTML is shown; `summary` is ours, and no Markdown."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def unfolded(text: str) -> str:
    """`text` for those who see no HTML, a commit's message for one: what was folded stands under its summary."""
    return _FOLD.sub(lambda match: f"{match[1]}:" if match[1] else "", text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that also reads well as plain text. Cells are Markdown already."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in lines
    )


def size(count: int) -> str:
    """Bytes for people, in powers of 1000."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:  # what would be rounded up belongs to the next unit
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
