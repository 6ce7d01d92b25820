"""One bearer token, as a token service gives it, and until when it is used.

Distribution's token specification (docs/spec/auth/token.md, "Token Response Fields"). Its content is nobody's business
but the registry's: nothing is read from it but how long it lasts.
"""

import base64
import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from layering.errors import ContentError
from layering.registry.credentials import is_sendable
from layering.registry.manifest import parse_object
from layering.secrets import Secret

TOKEN_BYTES_MAX = 256 * 1024
_LIFETIME_SHORTEST_SECONDS = 60.0  # also when the service does not say (token.md, `expires_in`)
_LIFETIME_LONGEST_SECONDS = 24 * 3600.0
_EARLY_SECONDS = 30.0

Key = tuple[Hashable, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Token:
    """One token. `granted` holds the keys of asks that a shared one has served; one that is not shared needs none."""

    value: Secret
    expires_at: float = math.inf
    is_shared: bool = False
    granted: set[Key] = field(default_factory=set)


def parse_token(raw: bytes, where: str, now: float) -> Token:
    """What a service answered at `now`. Raises ContentError for what no header can carry."""
    try:
        document = parse_object(raw, where)
        value = document.get("token") or document.get("access_token")
        seconds = float(document.get("expires_in") or 0) or _own_lifetime(value)
    except (ContentError, ValueError, TypeError, OverflowError):
        value, seconds = None, 0.0
    if not isinstance(value, str) or not is_sendable(value):
        raise ContentError("its token service answers something that is no token", where=where)
    lifetime = sorted((_LIFETIME_SHORTEST_SECONDS, seconds, _LIFETIME_LONGEST_SECONDS))[1]
    return Token(value=Secret(value), expires_at=now + lifetime - min(lifetime / 10, _EARLY_SECONDS))


def _own_lifetime(token: Any) -> float:
    """Seconds that a token says of itself (RFC 7519: `exp` less `iat` or `nbf`); 0 for one that says nothing.

    Quay's token service does not say how long its tokens last, and they last an hour. It is believed for nothing but
    when to fetch another one: a token that is refused before is fetched again anyway.
    """
    try:
        _, claims, _ = token.split(".")
        found = parse_object(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), "")
        seconds = float(found["exp"]) - float(found.get("iat") or found["nbf"])
        return seconds if math.isfinite(seconds) else 0.0
    except (AttributeError, ContentError, KeyError, OverflowError, TypeError, ValueError):
        return 0.0
