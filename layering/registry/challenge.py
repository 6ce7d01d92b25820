"""What a registry asks for: the WWW-Authenticate header, read by the grammar of RFC 9110 section 11.

Several challenges in one header and several headers are one list. What cannot be read is left out; whether anything
usable remains is the caller's question.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?=\s|,|$)\s*")
_PARAMETER = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"=][^\s,"]*))\s*(?=,|$|\s)')
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*\s*(?=,|$)")
_ESCAPED = re.compile(r"\\(.)")
_HEADER_LENGTH_MAX = 16 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """One scheme, lower-case, with its parameters; parameter names are lower-case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges in the order they stand. Never raises."""
    return tuple(challenge for header in headers for challenge in _challenges(header[:_HEADER_LENGTH_MAX]))


def _challenges(header: str) -> Iterable[Challenge]:
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        if (credentials := _TOKEN68.match(header, position)) and not _PARAMETER.match(header, position):
            position = credentials.end()
        while parameter := _PARAMETER.match(header, position):
            name, quoted, plain = parameter.groups()
            parameters.setdefault(name.lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted))
            position = parameter.end()
        yield Challenge(scheme=scheme.group(1).lower(), parameters=parameters)
