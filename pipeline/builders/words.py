"""Words of a Containerfile instruction: split at spaces, quotes taken off, variables put in.

Only the spellings that every builder reads alike: `$NAME`, `${NAME}`, `${NAME:-text}`, `${NAME:+text}`, whole or partly
quoted words. A backslash, a nested or unset variable, an open quote are refused rather than guessed at.
Source: imagebuilder's shell_parser.go and dockerfile/parser/line_parsers.go, which buildah uses.
"""

import re
from collections.abc import Mapping

from pipeline.builders.refusal import RefusalReason, Refused

_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+""")
_PART = re.compile(r"""'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>[^'"]+)""")
_VARIABLE = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<operator>[-+])(?P<word>[^${}'\"]*))?\})"
)


def split_words(text: str) -> tuple[str, ...]:
    """`text` at its unquoted white space, quotes kept. Raises Refused for backslashes and open quotes."""
    if "\\" in text or "`" in text:
        raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "it escapes characters")
    words, end = [], 0
    for match in _WORD.finditer(text):
        if text[end : match.start()].strip():
            break
        words.append(match.group())
        end = match.end()
    if text[end:].strip():
        raise Refused(RefusalReason.ARGUMENTS_NOT_COMPOSABLE, "a quote is not closed")
    return tuple(words)


def expand(word: str, variables: Mapping[str, str]) -> str:
    """One word without its quotes and with its variables put in; nothing is put in between single quotes."""
    parts = []
    for match in _PART.finditer(word):
        if (single := match.group("single")) is not None:
            parts.append(single)
        else:
            parts.append(_put_in(match.group("double") or match.group("bare") or "", variables))
    return "".join(parts)


def _put_in(text: str, variables: Mapping[str, str]) -> str:
    if "$" in _VARIABLE.sub("", text):
        raise Refused(RefusalReason.VARIABLE_NOT_COMPOSABLE, f"{text[:80]!r} has a $ that is no simple variable")
    return _VARIABLE.sub(lambda match: _value(match, variables), text)


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name = match.group("plain") or match.group("name")
    value, operator, word = variables.get(name), match.group("operator"), match.group("word") or ""
    if operator == "-":
        return value or word
    if operator == "+":
        return word if value else ""
    if value is None:
        raise Refused(RefusalReason.VARIABLE_NOT_COMPOSABLE, f"the variable {name} is not set")
    return value
