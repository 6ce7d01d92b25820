"""Authorization for one registry host: Basic, or Bearer tokens fetched from its token service and kept while they last.

Distribution's token specification (distribution/distribution docs/spec/auth/token.md) and the OAuth2 form beside it.
Tokens live in memory only. One token is fetched at a time per scope, however many threads ask.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from layering.errors import ContentError, RefusedError, UnavailableError
from layering.registry.addresses import absolute, check_realm
from layering.registry.challenge import Challenge
from layering.registry.credentials import Credential
from layering.registry.transport import Deadline, Transport, body
from layering.secrets import Secret

_TOKEN_BYTES_MAX = 256 * 1024
_LIFETIME_DEFAULT_SECONDS = 60.0
_CLIENT_ID = "layerwatch"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Token:
    value: Secret
    expires_at: float


@dataclass(slots=True)
class TokenCache:
    """Tokens of one registry host."""

    transport: Transport
    registry_url: str
    verify: bool
    clock: Callable[[], float] = time.monotonic
    _tokens: dict[tuple[str, ...], _Token] = field(default_factory=dict)
    _locks: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def bearer(
        self, challenge: Challenge, credential: Credential | None, scopes: Sequence[str], deadline: Deadline
    ) -> Secret:
        """A token for `scopes`, from memory or fetched. Raises RefusedError, UnavailableError or ContentError."""
        if credential is not None and credential.bearer_token is not None:
            return credential.bearer_token
        key = self._key(challenge, credential, scopes)
        with self._lock(key):
            token = self._tokens.get(key)
            if token is None or token.expires_at <= self.clock():
                token = self._tokens[key] = self._fetch(challenge, credential, scopes, deadline)
            return token.value

    def forget(self, challenge: Challenge, credential: Credential | None, scopes: Sequence[str]) -> None:
        """Drop a token that the registry did not accept."""
        self._tokens.pop(self._key(challenge, credential, scopes), None)

    def _key(self, challenge: Challenge, credential: Credential | None, scopes: Sequence[str]) -> tuple[str, ...]:
        parameters = challenge.parameters
        return (
            parameters.get("realm", ""),
            parameters.get("service", ""),
            credential.source if credential else "",
            *scopes,
        )

    def _lock(self, key: tuple[str, ...]) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def _fetch(
        self, challenge: Challenge, credential: Credential | None, scopes: Sequence[str], deadline: Deadline
    ) -> _Token:
        realm = absolute(challenge.parameters.get("realm", ""), self.registry_url, self.registry_url)
        check_realm(self.registry_url, realm)
        service = challenge.parameters.get("service")
        if credential is not None and credential.identity_token is not None:
            form = {
                "grant_type": "refresh_token",
                "client_id": _CLIENT_ID,
                "scope": " ".join(scopes),
                "refresh_token": credential.identity_token.reveal(),
                **({"service": service} if service else {}),
            }
            return self._ask("POST", realm, {}, form, deadline, credential)
        query = [*([("service", service)] if service else []), *(("scope", scope) for scope in scopes)]
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        headers = {"Authorization": basic(credential)} if credential and credential.password else {}
        return self._ask("GET", url, headers, None, deadline, credential)

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None,
        deadline: Deadline,
        credential: Credential | None,
    ) -> _Token:
        with self.transport.exchange(
            method, url, headers=headers, data=form, deadline=deadline, verify=self.verify, retry=True
        ) as response:
            if response.status_code != 200:
                raise self._refusal(response.status_code, credential)
            raw = body(response, limit_bytes=_TOKEN_BYTES_MAX, deadline=deadline)
        return _token(raw, self.registry_url, self.clock())

    def _refusal(self, status: int, credential: Credential | None) -> RefusedError | UnavailableError:
        if status == 429 or status >= 500:
            return UnavailableError(f"its token service answers {status}", where=self.registry_url)
        return RefusedError(
            f"its token service answers {status} to {described(credential)}",
            where=self.registry_url,
            next_step="log in again (podman login) or name other credentials with --authfile",
        )


def basic(credential: Credential) -> str:
    """The value of an Authorization header; send it at once, keep it nowhere."""
    password = credential.password.reveal() if credential.password else ""
    return "Basic " + base64.b64encode(f"{credential.username}:{password}".encode()).decode()


def described(credential: Credential | None) -> str:
    """Whose credentials were used, for messages."""
    return f"the credentials in {credential.source}" if credential else "a request without credentials"


def _token(raw: bytes, where: str, now: float) -> _Token:
    try:
        document = json.loads(raw)
        value = document.get("token") or document.get("access_token")
        seconds = float(document.get("expires_in") or _LIFETIME_DEFAULT_SECONDS)
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        value, seconds = None, 0.0
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ContentError("its token service answers something that is no token", where=where)
    lifetime = max(seconds, _LIFETIME_DEFAULT_SECONDS)
    return _Token(value=Secret(value), expires_at=now + lifetime - min(lifetime / 10, 30.0))
