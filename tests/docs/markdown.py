"""Markdown of the generated pages: tables, and the note that a page is generated."""

from collections.abc import Iterable, Sequence


def page(title: str, source: str, *parts: str) -> str:
    """A whole page; `source` says what it is made from."""
    note = f"<!-- Made from {source} by `make docs`; `make check` compares. -->"
    return "\n\n".join([f"# {title}", note, *filter(None, parts)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell may hold anything."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def code(text: str) -> str:
    """`text` as code, or nothing for an empty one."""
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return text if text.startswith("`") else text.replace("<", "&lt;")
