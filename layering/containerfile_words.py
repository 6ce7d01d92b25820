"""How one logical line of a Containerfile falls into keyword, flags, arguments and words, and which heredocs it begins.

The rules of moby/buildkit v0.34.2 frontend/dockerfile/parser (split_command.go, line_parsers.go, parser.go). Works on
positions, so that a caller knows where each piece stands. Knows no file and no line numbers.
"""

import json
import re
from collections.abc import Iterator

from layering.errors import InputError
from layering.expansion import SPACES, raw_words, unquoted_words

_BLANKS = re.compile(r"[\t\v\f\r ]+")
_NOT_BLANK = re.compile(r"[^\t\v\f\r ]+")
_ASCII_BLANKS = "\t\n\v\f\r "  # around flags, no others count
_HEREDOC = re.compile(r"[0-9]*<<(-?)[ \t\r]*([^<]*)")
_HEREDOC_KEYWORDS = {"ADD", "COPY", "RUN"}


def split_line(text: str, escape: str) -> tuple[str, tuple[str, ...], int, int]:
    """Keyword, flags, and where the arguments start and end (parser/split_command.go)."""
    begin, end = len(text) - len(text.lstrip(SPACES)), len(text.rstrip(SPACES))
    blanks = _BLANKS.search(text, begin, end)
    if blanks is None:
        return text[begin:end].upper(), (), end, end
    flags, start = _flags(text, blanks.end(), end, escape)
    start += len(text[start:end]) - len(text[start:end].lstrip(SPACES))
    return text[begin : blanks.start()].upper(), flags, start, end


def word_spans(text: str, escape: str) -> Iterator[tuple[int, int]]:
    """Start and end of each word; blanks within quotes or behind the escape character do not separate."""
    start, quote, position = None, "", 0
    while position < len(text):
        character = text[position]
        if start is None and character not in SPACES:
            start = position
        if character == escape and quote != "'":
            if position + 1 == len(text):
                break  # nothing to escape: the original drops it
            position += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in SPACES and start is not None:
            yield start, position
            start = None
        position += 1
    if start is not None and start < position:
        yield start, position


def blank_separated_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each word; every blank separates."""
    return (match.span() for match in _NOT_BLANK.finditer(text))


def heredocs_of(line: str, escape: str, where: str) -> Iterator[tuple[str, bool]]:
    """Name of each heredoc, and whether tabs before its end are ignored (parser/parser.go, heredocsFromLine)."""
    keyword, _, start, end = split_line(line, escape)
    if keyword == "ONBUILD":
        keyword, _, inner, _ = split_line(line[start:end], escape)
        start += inner
    if keyword not in _HEREDOC_KEYWORDS or "<<" not in line or _is_json(line[start:end]):
        return
    try:
        words = raw_words(line)
    except InputError:
        return  # buildkit, too, sees no heredoc in a line with an open quote or an odd variable
    for match in filter(None, map(_HEREDOC.fullmatch, words)):
        names = _unquoted(match[2], where)
        if len(names) == 1:
            yield names[0], bool(match[1])


def _flags(text: str, position: int, end: int, escape: str) -> tuple[tuple[str, ...], int]:
    """The leading words that begin with two dashes, without their quotes and escapes, and where the rest begins."""
    flags: list[str] = []
    while True:
        while position < end and text[position] in _ASCII_BLANKS:
            position += 1
        if not text.startswith("--", position, end):
            return tuple(flags), position
        flag, position = _flag(text, position, end, escape)
        if flag == "--":
            return tuple(flags), position
        flags.append(flag)


def _flag(text: str, position: int, end: int, escape: str) -> tuple[str, int]:
    parts: list[str] = []
    quote = ""
    while position < end and (quote or text[position] not in _ASCII_BLANKS):
        character = text[position]
        position += 1
        if character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote = character
        elif character == escape:
            parts.append(text[position : min(position + 1, end)])
            position += 1
        else:
            parts.append(character)
    return "".join(parts), min(position, end)


def _unquoted(name: str, where: str) -> tuple[str, ...]:
    try:
        return unquoted_words(name)
    except InputError as error:
        raise InputError(f"the name of a heredoc: {error.what}", where=where) from None


def _is_json(arguments: str) -> bool:
    if not arguments.startswith("["):
        return False
    try:
        return all(isinstance(word, str) for word in json.loads(arguments))
    except (ValueError, RecursionError):
        return False
