"""A comparison for people: a few lines of Markdown."""

from collections.abc import Sequence

from layering.comparison import HOW_IT_CAME_TO_BE, VERSION_LABELS, Comparison
from layering.markdown import code, size, table

_ROWS_SHOWN_MAX = 20
_TOLD_ELSEWHERE = HOW_IT_CAME_TO_BE | {*VERSION_LABELS, "io.openshift.build.versions"}


def as_markdown(comparison: Comparison) -> str:
    """Version, layers and bytes by platform, and the labels that changed."""
    old, new = comparison.versions
    parts = []
    if comparison.same_content:
        parts.append("Same content: only dates, history or the names of what it was built from differ.")
    if old or new:
        parts.append(f"OS version {code(old or '-')} → {code(new or '-')}")
    parts.append(layers_table(comparison))
    if labels := label_rows(comparison):
        parts.append(table(("Label", "Old", "New"), labels))
    return "\n\n".join(parts) + "\n"


def layers_table(comparison: Comparison) -> str:
    """Layers kept, new and gone, and what a node must fetch."""
    rows = [
        (
            code(str(change.platform)),
            str(change.shared),
            str(change.added),
            str(change.removed),
            size(change.fetch_bytes),
        )
        for change in comparison.layers
    ]
    return table(("Platform", "Layers kept", "new", "gone", "A node fetches"), _first(rows))


def label_rows(comparison: Comparison) -> Sequence[Sequence[str]]:
    """The labels that differ, at most twenty; not those that only say what it was built from, nor the OS version."""
    labels = comparison.labels
    rows = [(name, code(old), code(new)) for name, (old, new) in labels.changed.items()]
    rows += [(name, "-", code(value)) for name, value in labels.added.items()]
    rows += [(name, code(value), "-") for name, value in labels.removed.items()]
    return _first([(code(name), old, new) for name, old, new in rows if name not in _TOLD_ELSEWHERE])


def _first(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """At most twenty rows, and how many there are more."""
    if len(rows) <= _ROWS_SHOWN_MAX:
        return rows
    rest = [f"and {len(rows) - _ROWS_SHOWN_MAX} more", *[""] * (len(rows[0]) - 1)]
    return [*rows[:_ROWS_SHOWN_MAX], rest]
