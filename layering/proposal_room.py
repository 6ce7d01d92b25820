"""A text that has to fit: its parts, and in what order they are left out.

A part is left out whole, the least important first, and the text then says so; nothing is cut in the middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Keep(IntEnum):
    """How long a part is kept: the first of these goes first. The last one never goes."""

    LABELS = 0
    LAYERS = 1
    LINKS = 2
    NAMES = 3
    CHECKS = 4
    ANSWERS = 5
    ROLLOUT = 6
    ALWAYS = 7


_CALLED = {
    Keep.LABELS: "the labels that differ",
    Keep.LAYERS: "the layers",
    Keep.LINKS: "the links",
    Keep.NAMES: "the full names",
    Keep.CHECKS: "what was checked",
    Keep.ANSWERS: "how to answer",
    Keep.ROLLOUT: "what merging does",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One or more blocks of Markdown. An empty one is as good as none."""

    text: str
    keep: Keep = Keep.ALWAYS


def fitted(parts: Sequence[Part], length_max: int) -> str:
    """The parts that have room in `length_max` characters, and which kinds were left out.

    Of a kind either all parts stand or none. What is always kept stands even when it is too long itself.
    """
    parts = [part for part in parts if part.text]
    for gone in Keep:
        text = _joined(parts, gone)
        if len(text) <= length_max:
            return text
    return text


def _joined(parts: Sequence[Part], gone: Keep) -> str:
    """Those that are kept longer than `gone`."""
    blocks = [part.text for part in parts if part.keep >= gone]
    left_out = sorted({part.keep for part in parts if part.keep < gone})
    if left_out:
        blocks.append(f"*Left out, for there is no room: {', '.join(_CALLED[keep] for keep in left_out)}.*")
    return "\n\n".join(blocks) + "\n"
