"""Secrets that cannot be printed by accident, and texts from which they are taken out.

A password or token read from a file becomes a `Secret` at once and stays one until the line that sends it. Texts that
may quote a URL go through `redact`.
"""

import re
from dataclasses import dataclass

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/@'\"]*@")
_SIGNED_QUERY = re.compile(r"(?P<url>[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s?'\"]+)\?[^\s'\"]+")
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
    text = _SIGNED_QUERY.sub(r"\g<url>?***", text)
    return _AUTHORIZATION.sub(r"\g<scheme> ***", text)
