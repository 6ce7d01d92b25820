"""Variables, quotes and escapes in the words of a Containerfile: `$x`, `${x}`, `${x:-default}`, `${x#pattern}`, …

The rules are those of moby/buildkit v0.34.2 frontend/dockerfile/shell/lex.go, oddities included; the Go original judges
every one of them (tests/containerfile/test_expansion.py). The builders have stricter rules of their own (words.py).
Nothing here knows instructions or lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from layering.errors import InputError
from layering.shellpattern import Pattern

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_END = ""
_SPECIAL_PARAMETERS = "@*#?-$!0"
_BLANKS_BEFORE_HEREDOC = " \t\r"
_DEPTH_MAX = 100


def expand(word: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """`word` with its variables replaced and its quotes removed; an unknown variable is empty. Raises InputError."""
    return _Lexer(word, values, escape).read(until=_END)


def raw_words(line: str, escape: str = "\\") -> tuple[str, ...]:
    """`line` split at blanks outside of quotes; quotes, escapes and variables stay as they are. Raises InputError."""
    lexer = _Lexer(line, {}, escape, raw_quotes=True, raw_escapes=True, keep_unset=True)
    lexer.read(until=_END)
    return tuple(lexer.words.done)


def unquoted_words(text: str) -> tuple[str, ...]:
    """`text` split at blanks outside of quotes, its quotes and escapes removed, variables as they are. InputError."""
    lexer = _Lexer(text, {}, "\\", keep_unset=True)
    lexer.read(until=_END)
    return tuple(lexer.words.done)


@dataclass(slots=True)
class _Words:
    """Collects characters into words; blanks separate unless they are added raw."""

    done: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        for character in text:
            if character in SPACES:
                self.end()
            else:
                self.current.append(character)

    def add_raw(self, text: str) -> None:
        if text:
            self.current.append(text)

    def end(self) -> None:
        if self.current:
            self.done.append("".join(self.current))
            self.current.clear()


class _Lexer:
    """Reads one text from left to right. `keep_unset` leaves variables without a value as they stand."""

    def __init__(
        self,
        text: str,
        values: Mapping[str, str],
        escape: str,
        *,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
        keep_unset: bool = False,
    ) -> None:
        self.words = _Words()
        self._text = text
        self._position = 0
        self._depth = 0
        self._values = values
        self._escape = escape
        self._raw_quotes = raw_quotes
        self._raw_escapes = raw_escapes
        self._keep_unset = keep_unset

    def read(self, *, until: str, raw_escapes: bool | None = None, in_pattern: bool = False) -> str:
        """The text up to an unquoted `until`, which is consumed. `in_pattern` keeps what quotes a pattern's `*`."""
        outer, self._raw_escapes = self._raw_escapes, self._raw_escapes if raw_escapes is None else raw_escapes
        words = self.words if until == _END else _Words()
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise self._unreadable("its variables are nested too deeply")
        self.words.current.clear()  # the original has one buffer for all levels: a ${x:-…} eats what stands before it
        parts = []
        while (character := self._next()) != until:
            if character == _END:
                raise self._unreadable(f"a {until} is missing")
            parts.append(self._special(character, words, in_pattern=in_pattern))
        words.end()
        self._depth -= 1
        self._raw_escapes = outer
        return "".join(parts)

    def _special(self, character: str, words: _Words, *, in_pattern: bool) -> str:
        if character == "$":
            text = self._variable()
            words.add(text)
            return text
        if character in "'\"<":
            text = self._less_than() if character == "<" else self._quoted(character, in_pattern=in_pattern)
            words.add_raw(text)
            return text
        if character == self._escape:
            text = (character if self._raw_escapes else "") + self._next()
            words.add_raw(text)
            return text
        words.add(character)
        return character

    def _less_than(self) -> str:
        """Keeps blanks between `<<` and a heredoc's name within the word."""
        if self._peek() != "<":
            return "<"
        self._next()
        blanks = ""
        while (character := self._peek()) and character in _BLANKS_BEFORE_HEREDOC:
            blanks += self._next()
        return "<<" + blanks

    def _quoted(self, quote: str, *, in_pattern: bool) -> str:
        parts = [quote] if self._raw_quotes else []
        while (character := self._next()) != quote:
            if character == _END:
                raise self._unreadable(f"a {quote} is not closed")
            if quote == '"' and character == "$":
                parts.append(self._variable())
            elif character == self._escape:
                parts.append(self._escape_within(quote, in_pattern=in_pattern))
            else:
                parts.append(character)
        return "".join([*parts, quote] if self._raw_quotes else parts)

    def _escape_within(self, quote: str, *, in_pattern: bool) -> str:
        """In single quotes an escape character is one like any other; in double quotes it escapes only some."""
        escape = self._escape
        if quote == "'":
            return escape * 2 if in_pattern else escape
        following = self._peek()
        if following == _END:
            return ""
        if following in ('"', "$", escape):
            return (escape if self._raw_escapes else "") + self._next()
        return escape * 2 if self._raw_escapes and (in_pattern or not self._raw_quotes) else escape

    def _variable(self) -> str:
        """What the `$` that was just read begins."""
        if self._peek() != "{":
            name = self._name()
            return self._value(name, f"${name}") if name else "$"
        self._next()
        if self._peek() in ("{", "}", ":", _END):
            raise self._unreadable("this is no variable")
        name = self._name()
        operator = self._next()
        if operator == "}":
            return self._value(name, f"${{{name}}}")
        if operator == "/":
            return self._substituted(name)
        if operator == ":":
            operator += self._next()
        return self._modified(name, operator)

    def _value(self, name: str, as_written: str) -> str:
        value = self._values.get(name)
        if value is None:
            return as_written if self._keep_unset else ""
        return value

    def _modified(self, name: str, operator: str) -> str:
        if operator not in ("-", "+", "?", ":-", ":+", ":?", "#", "%"):
            raise self._unreadable(f"{operator!r} does nothing to a variable")
        in_pattern = operator in "#%"
        word = self.read(until="}", raw_escapes=in_pattern, in_pattern=in_pattern)
        value = self._values.get(name)
        if value is None and self._keep_unset:
            return f"${{{name}{operator}{word}}}"
        if in_pattern:
            return _trimmed(value or "", word, operator)
        is_set = bool(value) if operator[0] == ":" else value is not None
        if operator[-1] == "-":
            return value or "" if is_set else word
        if operator[-1] == "?" and not is_set:
            raise self._unreadable(f"{name}: {word or 'it has no value'}")
        return (word if is_set else "") if operator[-1] == "+" else value or ""

    def _substituted(self, name: str) -> str:
        everywhere = self._peek() == "/"
        if everywhere:
            self._next()
        pattern = self.read(until="/", raw_escapes=True, in_pattern=True)
        replacement = self.read(until="}", raw_escapes=True)
        value = self._values.get(name)
        if value is None and self._keep_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        return Pattern.parse(pattern).replaced(value or "", replacement, everywhere=everywhere)

    def _name(self) -> str:
        start = self._position
        first = self._peek()
        if first and not first.isdecimal() and first in _SPECIAL_PARAMETERS:
            return self._next()
        while (character := self._peek()) and (
            character.isdecimal() or (not first.isdecimal() and (character.isalpha() or character == "_"))
        ):
            self._next()
        return self._text[start : self._position]

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _next(self) -> str:
        character = self._peek()
        self._position += len(character)
        return character

    def _unreadable(self, why: str) -> InputError:
        return InputError(f"{self._text[:80]!r} cannot be read: {why}")


def _trimmed(value: str, word: str, operator: str) -> str:
    """`${x#p}`, `${x##p}`, `${x%p}`, `${x%%p}`: the shortest match is cut off, or the longest when it is doubled."""
    longest = word.startswith(operator)
    pattern = Pattern.parse(word[longest:])
    cut = pattern.without_prefix if operator == "#" else pattern.without_suffix
    return cut(value, longest=longest)
