"""Words of a Containerfile instruction: split at spaces, quotes and escapes taken off, variables put in.

Source: imagebuilder's shell_parser.go (`ProcessWord`) and dockerfile/parser/line_parsers.go, which buildah uses. What
it says no to, and what newer readers understand differently (`${A#x}`, `${A:?x}`, a backtick), is refused.
"""

from collections.abc import Mapping

from layering.containerfile_words import word_spans
from pipeline.builders.refusal import RefusalReason, Refused

_ESCAPE = "\\"
_ESCAPED_IN_QUOTES = ('"', "$", _ESCAPE)


def split_words(text: str) -> tuple[str, ...]:
    """`text` at its unquoted white space, quotes and escapes kept. Raises Refused for a backtick."""
    if "`" in text:
        raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "a backtick may be an escape character")
    return tuple(text[start:end] for start, end in word_spans(text, _ESCAPE))


def expand(word: str, variables: Mapping[str, str]) -> str:
    """One word without its quotes and with its variables put in; a variable that is not set is empty."""
    reader = _Reader(word, variables)
    return reader.until("")


class _Reader:
    """imagebuilder's `shellWord`."""

    def __init__(self, word: str, variables: Mapping[str, str]) -> None:
        self._word = word
        self._at = 0
        self._variables = variables

    def _peek(self) -> str:
        return self._word[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._word[self._at - 1 : self._at]

    def until(self, stop: str) -> str:
        """Up to the character `stop`, which is taken too, or to the end."""
        parts: list[str] = []
        while character := self._peek():
            if character == stop:
                self._at += 1
                return "".join(parts)
            if character == "'":
                parts.append(self._single_quoted())
            elif character == '"':
                parts.append(self._double_quoted())
            elif character == "$":
                parts.append(self._variable())
            else:
                self._at += 1
                parts.append(self._next() if character == _ESCAPE else character)
        if stop:
            raise Refused(RefusalReason.VARIABLE_NOT_COMPOSABLE, f"in {self._word[:80]!r} a {stop} is missing")
        return "".join(parts)

    def _single_quoted(self) -> str:
        end = self._word.find("'", self._at + 1)
        if end == -1:
            raise self._open_quote()
        text, self._at = self._word[self._at + 1 : end], end + 1
        return text

    def _double_quoted(self) -> str:
        self._at += 1
        parts: list[str] = []
        while (character := self._peek()) != '"':
            if not character:
                raise self._open_quote()
            if character == "$":
                parts.append(self._variable())
                continue
            self._at += 1
            if character == _ESCAPE and not self._peek():
                continue
            parts.append(self._next() if character == _ESCAPE and self._peek() in _ESCAPED_IN_QUOTES else character)
        self._at += 1
        return "".join(parts)

    def _variable(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            return self._variables.get(name, "") if name else "$"
        self._at += 1
        value = self._variables.get(self._name(), "")
        character, operator = self._next(), ""
        if character == ":":
            operator = self._next()
            word = self.until("}")
        if character == "}":
            return value
        if operator not in ("+", "-"):
            raise Refused(
                RefusalReason.VARIABLE_NOT_COMPOSABLE, f"{self._word[:80]!r} has a $ that is no simple variable"
            )
        return (word if value else "") if operator == "+" else value or word

    def _name(self) -> str:
        """Letters, digits and underscores; one digit alone when it is the first."""
        start = self._at
        while (character := self._peek()).isalnum() or character == "_":
            self._at += 1
            if self._at == start + 1 and character.isdigit():
                break
        return self._word[start : self._at]

    def _open_quote(self) -> Refused:
        return Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "a quote is not closed")
