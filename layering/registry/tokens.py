"""Bearer tokens for one registry host: fetched from its token service and kept while they last.

Distribution's token specification (distribution/distribution docs/spec/auth/token.md) and the OAuth2 form beside it.
Tokens live in memory only. One token is fetched at a time per scope, however many threads ask.
"""

import base64
import contextlib
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from layering.errors import ContentError, RefusedError, UnavailableError
from layering.registry.addresses import absolute, check_realm, may_tell, parse
from layering.registry.bodies import body
from layering.registry.challenge import Challenge
from layering.registry.credentials import Credential, is_sendable
from layering.registry.deadline import Deadline
from layering.registry.manifest import parse_object
from layering.registry.reach import NotPublicError, Reach
from layering.registry.transport import Call, Transport
from layering.secrets import Secret

_TOKEN_BYTES_MAX = 256 * 1024
_LIFETIME_SHORTEST_SECONDS = 60.0  # also when the service does not say (token.md, `expires_in`)
_LIFETIME_LONGEST_SECONDS = 24 * 3600.0
_EARLY_SECONDS = 30.0
_CLIENT_ID = "layerwatch"
_IDENTITY = "<token>"  # the user whose password is an identity token (docker/docker-credential-helpers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Which token is wanted: by whose challenge, with whose credential, for which scopes."""

    challenge: Challenge
    credential: Credential | None
    scopes: Sequence[str]

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for asks that one token serves."""
        realm, service = (self.challenge.parameters.get(name, "") for name in ("realm", "service"))
        return realm, service, self.credential.source if self.credential else "", *sorted(self.scopes)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Token:
    value: Secret
    expires_at: float


@dataclass(slots=True)
class TokenCache:
    """Tokens of one registry host. `allowed` as in `may_tell`. Thread-safe."""

    transport: Transport
    registry_url: str
    verify: bool
    allowed: Collection[str] = ()
    clock: Callable[[], float] = time.monotonic
    _tokens: dict[tuple[str, ...], _Token] = field(default_factory=dict)
    _locks: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def bearer(self, ask: Ask, deadline: Deadline) -> Secret:
        """A token, from memory or fetched. Raises RefusedError, UnavailableError or ContentError."""
        if ask.credential is not None and ask.credential.bearer_token is not None:
            return ask.credential.bearer_token
        with self._alone(ask.key, deadline):
            token = self._tokens.get(ask.key)
            if token is None or token.expires_at <= self.clock():
                token = self._tokens[ask.key] = self._fetch(ask, deadline)
            return token.value

    def forget(self, ask: Ask, refused: Secret, deadline: Deadline) -> None:
        """Drop a token that the registry did not accept, unless another thread has fetched a new one already."""
        with self._alone(ask.key, deadline):
            if (token := self._tokens.get(ask.key)) is not None and token.value == refused:
                del self._tokens[ask.key]

    @contextlib.contextmanager
    def _alone(self, key: tuple[str, ...], deadline: Deadline) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(deadline.left, 0.0)):
            raise UnavailableError("its token service took too long", where=self.registry_url)
        try:
            yield
        finally:
            lock.release()

    def _fetch(self, ask: Ask, deadline: Deadline) -> _Token:
        realm = absolute(ask.challenge.parameters.get("realm", ""), self.registry_url, self.registry_url)
        check_realm(self.registry_url, realm)
        try:
            raw = self._answer(ask, realm, deadline)
        except NotPublicError as error:
            stranger = parse(realm, self.registry_url).netloc or ""
            raise RefusedError(
                f"its token service is {stranger}, which is not its own host and at no public address",
                where=self.registry_url,
                next_step=allow(stranger, ask.credential),
            ) from error
        return _token(raw, self.registry_url, self.clock())

    def _answer(self, ask: Ask, realm: str, deadline: Deadline) -> bytes:
        """What the service says. One that knows no such form (404, 405) gets an identity token as a password."""
        call = self._call(ask, realm, deadline)
        with self.transport.exchange(call) as response:
            if response.status_code == 200:
                return body(response, limit_bytes=_TOKEN_BYTES_MAX, deadline=deadline)
            status = response.status_code
        known = ask.credential
        if call.method == "POST" and status in (404, 405) and known is not None:
            as_password = Credential(source=known.source, username=_IDENTITY, password=known.identity_token)
            return self._answer(replace(ask, credential=as_password), realm, deadline)
        raise self._refusal(status, ask)

    def _call(self, ask: Ask, realm: str, deadline: Deadline) -> Call:
        """GET with a password or without one; POST with an identity token. Redirects are not followed with either.

        A stranger is asked without credentials, and only where everybody may ask.
        """
        stranger = not may_tell(self.registry_url, realm, self.allowed)
        service, credential = ask.challenge.parameters.get("service"), None if stranger else ask.credential
        named = {"service": service} if service else {}
        if credential is not None and credential.identity_token is not None:
            form = {
                "grant_type": "refresh_token",
                "client_id": _CLIENT_ID,
                "scope": " ".join(ask.scopes),
                "refresh_token": credential.identity_token.reveal(),
                **named,
            }
            return Call(method="POST", url=realm, data=form, deadline=deadline, verify=self.verify, repeatable=True)
        query = urlencode([*named.items(), *(("scope", scope) for scope in ask.scopes)])
        return Call(
            method="GET",
            url=f"{realm}{'&' if '?' in realm else '?'}{query}",
            headers=basic(credential),
            deadline=deadline,
            verify=self.verify,
            redirects=False,
            least=Reach.EVERYWHERE if stranger else None,
        )

    def withheld(self, challenge: Challenge | None, credential: Credential | None) -> str | None:
        """The token service that was not told a credential, because it is a stranger."""
        realm = challenge.parameters.get("realm") if challenge and challenge.scheme == "bearer" else None
        if realm is None or credential is None or credential.bearer_token is not None:
            return None
        url = absolute(realm, self.registry_url, self.registry_url)
        return None if may_tell(self.registry_url, url, self.allowed) else parse(url, self.registry_url).netloc

    def _refusal(self, status: int, ask: Ask) -> RefusedError | UnavailableError:
        if status in (408, 429) or status >= 500:
            return UnavailableError(
                f"its token service answers {status}", where=self.registry_url, next_step="try again later"
            )
        if (stranger := self.withheld(ask.challenge, ask.credential)) is not None:
            return RefusedError(
                f"its token service answers {status} to a request without credentials",
                where=self.registry_url,
                next_step=allow(stranger, ask.credential),
            )
        return RefusedError(
            f"its token service answers {status} to {described(ask.credential)}",
            where=self.registry_url,
            next_step="log in again (podman login) or name other credentials (registries.authFile, --authfile)",
        )


def basic(credential: Credential | None) -> dict[str, str]:
    """The header for a name and password, to be sent at once; none for other credentials."""
    if credential is None or credential.password is None:
        return {}
    pair = f"{credential.username}:{credential.password.reveal()}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def described(credential: Credential | None) -> str:
    """Whose credentials were used, for messages."""
    return f"the credentials in {credential.source}" if credential else "a request without credentials"


def allow(stranger: str, credential: Credential | None) -> str:
    """What to do when a credential was not told to a token service that is none of the registry's own."""
    return (
        f"if {stranger} is this registry's token service, let it have {described(credential)}: "
        f"--auth-realm {stranger} (registries.realms in the configuration)"
    )


def _token(raw: bytes, where: str, now: float) -> _Token:
    try:
        document = parse_object(raw, where)
        value = document.get("token") or document.get("access_token")
        seconds = float(document.get("expires_in") or 0) or _own_lifetime(value)
    except (ContentError, ValueError, TypeError, OverflowError):
        value, seconds = None, 0.0
    if not isinstance(value, str) or not is_sendable(value):
        raise ContentError("its token service answers something that is no token", where=where)
    lifetime = sorted((_LIFETIME_SHORTEST_SECONDS, seconds, _LIFETIME_LONGEST_SECONDS))[1]
    return _Token(value=Secret(value), expires_at=now + lifetime - min(lifetime / 10, _EARLY_SECONDS))


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
