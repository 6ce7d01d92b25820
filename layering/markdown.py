"""Markdown into which no outside text can slip anything: no link, no mention, no HTML, no table cell.

CommonMark 0.31, "Code spans". Names that come from images, branches or people only ever stand in code spans.
"""

from collections.abc import Sequence

_CELL_LENGTH_MAX = 200


def code(text: str, length_max: int = _CELL_LENGTH_MAX) -> str:
    """`text` as a code span on one line; cut when it is longer than `length_max`."""
    one_line = "".join(character if character.isprintable() else " " for character in text).strip() or " "
    shown = one_line if len(one_line) <= length_max else one_line[: length_max - 1] + "…"
    shown = shown.replace("|", "¦")  # a table is split at bars before code spans are read
    fence = "`"
    while fence in shown:
        fence += "`"
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


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
