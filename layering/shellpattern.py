"""Shell patterns of `*` and `?`, as `${x#pattern}`, `${x%pattern}` and `${x/pattern/replacement}` use them.

Matching takes time in proportion to the text, whatever the pattern, as in the original (moby/buildkit v0.34.2,
frontend/dockerfile/shell/lex.go, which compiles them for Go's linear regular expressions). There are no brackets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from layering.errors import InputError

_LENGTH_MAX = 1024
_STAR, _ANY = object(), object()


@dataclass(frozen=True, slots=True)
class Pattern:
    """Each token is a character, `_ANY` or `_STAR`; no two stars stand side by side."""

    tokens: Sequence[object]

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern in which a backslash quotes. Raises InputError for a backslash before anything else."""
        tokens: list[object] = []
        characters = iter(text)
        for character in characters:
            if character == "\\":
                tokens.append(_quoted(next(characters, ""), text))
            elif character != "*":
                tokens.append(_ANY if character == "?" else character)
            elif not tokens or tokens[-1] is not _STAR:
                tokens.append(_STAR)
        return cls(tuple(tokens))

    def without_prefix(self, text: str, *, longest: bool) -> str:
        """`text` without the longest or shortest beginning that matches."""
        ends = list(self._ends(_bounded(text), 0, self._takers(text)))
        return text[ends[-1 if longest else 0] :] if ends else text

    def without_suffix(self, text: str, *, longest: bool) -> str:
        """`text` without the longest or shortest end that matches."""
        return Pattern(self.tokens[::-1]).without_prefix(text[::-1], longest=longest)[::-1]

    def replaced(self, text: str, replacement: str, *, everywhere: bool) -> str:
        """`text` with the first match, or every one, replaced; a match is as long as can be."""
        takers = self._takers(_bounded(text))
        parts, position, behind = [], 0, -1
        while position <= len(text):
            end = max(self._ends(text, position, takers), default=-1)
            if end > position or (end == position and position != behind):  # nothing does not follow upon a match
                parts.append(replacement)
                behind = end
                if not everywhere:
                    return "".join([*parts, text[end:]])
            if end <= position:
                parts.append(text[position : position + 1])
            position = max(end, position + 1)
        return "".join(parts)

    def _takers(self, text: str) -> Mapping[str, int]:
        """For each character of `text`, the tokens that take it, one bit each."""
        return {
            character: sum(1 << n for n, token in enumerate(self.tokens) if token is _ANY or token == character)
            for character in set(text)
        }

    def _ends(self, text: str, start: int, takers: Mapping[str, int]) -> Iterator[int]:
        """Where a match from `start` can end, nearest first: all ways at once, one bit for each count of tokens."""
        stars = sum(1 << n for n, token in enumerate(self.tokens) if token is _STAR)
        state = 1 | (stars & 1) << 1
        for position in range(start, len(text) + 1):
            if state >> len(self.tokens) & 1:
                yield position
            if position == len(text) or not state:
                return
            state = (state & takers[text[position]]) << 1 | (state & stars)
            state |= (state & stars) << 1


def _quoted(character: str, pattern: str) -> str:
    if character not in ("}", "/", "*", "?", "\\"):
        raise InputError(f"the pattern {pattern[:80]!r} has a backslash that quotes nothing")
    return character


def _bounded(text: str) -> str:
    if len(text) > _LENGTH_MAX:
        raise InputError(f"patterns work on at most {_LENGTH_MAX} characters")
    return text
