"""Variables in a Containerfile: `$x`, `${x}`, `${x:-default}`, `${x:+other}`, quotes and escapes.

The rules of moby/buildkit frontend/dockerfile/shell/lex.go for one word. Pattern forms (`${x#p}`, `${x/a/b}`) are not
supported: a word that has one raises, so that nobody builds on a wrong guess.
"""

import re
from collections.abc import Mapping

from layering.errors import InputError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#]")
_MODIFIERS = (":-", ":+", "-", "+")


def expand(word: str, values: Mapping[str, str], escape: str = "\\") -> str:
    """`word` with its variables replaced and its quotes removed; an unknown variable is empty. Raises InputError."""
    expanded, rest = _expand(word, values, escape, "")
    if rest:
        raise InputError(f"the word {word[:80]!r} cannot be read")
    return expanded


def _expand(text: str, values: Mapping[str, str], escape: str, until: str) -> tuple[str, str]:
    """The expansion up to an unquoted `until`, and what follows it."""
    parts: list[str] = []
    quote, position = "", 0
    while position < len(text):
        character = text[position]
        if not quote and until and character == until:
            return "".join(parts), text[position:]
        if character == escape and quote != "'" and position + 1 < len(text):
            following = text[position + 1]
            parts.append(following if not quote or following in f"\"$'{escape}" else character + following)
            position += 2
        elif character == "$" and quote != "'":
            value, position = _variable(text, position, values, escape)
            parts.append(value)
        elif character == quote:
            quote, position = "", position + 1
        elif not quote and character in "\"'":
            quote, position = character, position + 1
        else:
            parts.append(character)
            position += 1
    if quote:
        raise InputError(f"a {quote} is not closed in {text[:80]!r}")
    return "".join(parts), ""


def _variable(text: str, position: int, values: Mapping[str, str], escape: str) -> tuple[str, int]:
    """The value of the variable at `position`, and the position behind it."""
    if text.startswith("${", position):
        return _braced(text, position, values, escape)
    name = _NAME.match(text, position + 1)
    if name is None:
        return "$", position + 1
    return values.get(name.group(), ""), name.end()


def _braced(text: str, position: int, values: Mapping[str, str], escape: str) -> tuple[str, int]:
    name = _NAME.match(text, position + 2)
    if name is None:
        raise InputError(f"{text[position : position + 40]!r} is not a variable")
    behind = text[name.end() :]
    if behind.startswith("}"):
        return values.get(name.group(), ""), name.end() + 1
    modifier = next((known for known in _MODIFIERS if behind.startswith(known)), None)
    if modifier is None:
        raise InputError(f"{text[position : position + 40]!r} is a form of variable that is not supported here")
    word, rest = _expand(behind[len(modifier) :], values, escape, "}")
    if not rest:
        raise InputError(f"a }} is missing in {text[:80]!r}")
    end = len(text) - len(rest) + 1
    value = values.get(name.group())
    is_set = bool(value) if modifier.startswith(":") else value is not None
    if modifier.endswith("-"):
        return (value or "") if is_set else word, end
    return word if is_set else "", end
