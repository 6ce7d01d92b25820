"""Secrets that cannot be printed by accident, and texts from which they are taken out.

A password or token read from a file becomes a `Secret` at once and stays one until the line that sends it. Texts that
may quote a URL go through `redact`.
"""

import re
from dataclasses import dataclass

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/@'\"]*@")
_WORD = re.compile(r"[^\s'\"]+")
_AUTHORIZATION = re.compile(r"(?i)\b(?P<scheme>Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{8,}")


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A value for one receiver. `repr`, `str` and `format` give `***`; only `reveal()` gives the value."""

    _value: str

    def reveal(self) -> str:
        """The value itself; call it in the expression that sends it, never keep the result."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"


def redact(text: str) -> str:
    """`text` without what could be a credential: user info and queries of URLs, Authorization values."""
    text = _USERINFO.sub(r"\g<scheme>***@", text)
    text = _WORD.sub(_without_query, text)
    return _AUTHORIZATION.sub(r"\g<scheme> ***", text)


def _without_query(word: re.Match[str]) -> str:
    """Word by word: a text full of `://` without a `?` would be searched to its end from each of them."""
    text = word[0]
    scheme_end = text.find("://")
    path_end = text.find("?", scheme_end) if scheme_end > 0 else -1
    return f"{text[:path_end]}?***" if 0 < path_end < len(text) - 1 else text
