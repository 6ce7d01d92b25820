"""What one edit of a text did."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One replaced span: the text that stood there, the text that stands there now, and the line (from 1)."""

    line: int
    old: str
    new: str
