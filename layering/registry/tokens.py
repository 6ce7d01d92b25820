"""Bearer tokens for one registry host: fetched from its token service and kept while they last.

Distribution's token specification (distribution/distribution docs/spec/auth/token.md) and the OAuth2 form beside it.
Tokens live in memory only. One token is fetched at a time per scope, however many threads ask.

To pull from many repositories one token is asked for (token.md: `scope` may be repeated). A service may say no to that,
or grant a part of it: then each repository gets a token of its own, and a registry where that helped is not asked for
shared ones again.
"""

import base64
import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from layering.errors import ContentError, RefusedError, UnavailableError
from layering.registry.addresses import absolute, check_realm, may_tell, parse
from layering.registry.bearertoken import TOKEN_BYTES_MAX, Key, Token, parse_token
from layering.registry.bodies import body
from layering.registry.challenge import Challenge
from layering.registry.credentials import Credential
from layering.registry.deadline import Deadline
from layering.registry.reach import NotPublicError, Reach
from layering.registry.transport import Call, Transport

_SCOPES_MAX = 20  # of a shared token
_SCOPES_BYTES_MAX = 4096  # of them in a URL; servers take 8 KiB for a whole head
# What registries answer to a token without the right to pull (some hide what they have), or to one that is too long.
_DOUBTFUL = (400, 401, 403, 404, 431)
_CLIENT_ID = "layerwatch"
_IDENTITY = "<token>"  # the user whose password is an identity token (docker/docker-credential-helpers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Which token is wanted: by whose challenge, with whose credential, for which scopes.

    `others` gives scopes that the same credential will be used for as well; None when the token must not be shared.
    """

    challenge: Challenge
    credential: Credential | None
    scopes: Sequence[str]
    others: Callable[[], Iterable[str]] | None = None

    @property
    def account(self) -> Key:
        """Equal for asks that one token may serve, if the service will have it so."""
        realm, service = (self.challenge.parameters.get(name, "") for name in ("realm", "service"))
        return realm, service, self.credential

    @property
    def key(self) -> Key:
        """Equal for asks that one token serves."""
        return *self.account, *sorted(self.scopes)


@dataclass(slots=True)
class TokenCache:
    """Tokens of one registry host. `allowed` as in `may_tell`. Thread-safe."""

    transport: Transport
    registry_url: str
    verify: bool
    allowed: Collection[str] = ()
    clock: Callable[[], float] = time.monotonic
    _tokens: dict[Key, Token] = field(default_factory=dict)
    _locks: dict[Key, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _shares: bool = True
    _apart: dict[Key, bool] = field(default_factory=dict)  # of no shared token; whether that helped is known

    def bearer(self, ask: Ask, deadline: Deadline) -> Token:
        """A token, from memory or fetched. Raises RefusedError, UnavailableError or ContentError."""
        if ask.credential is not None and ask.credential.bearer_token is not None:
            return Token(value=ask.credential.bearer_token)
        if (token := self._valid(ask.key)) is not None:
            return token
        with self._alone(ask.account if self._may_share(ask) else ask.key, deadline):
            return self._valid(ask.key) or self._fetch(ask, deadline)

    def heard(self, ask: Ask, token: Token, status: int) -> bool:
        """Learn from the registry's answer to a token. True when one for this repository alone may be answered better.

        When that is answered well where the shared one was not, this registry wants no shared tokens.
        """
        is_good = status < 400
        if token.is_shared:
            if is_good:
                token.granted.add(ask.key)
            return status in _DOUBTFUL and ask.key not in token.granted
        with self._guard:
            if self._apart.get(ask.key) is False and (is_good or status in _DOUBTFUL):
                self._apart[ask.key] = True
                self._shares = self._shares and not is_good
        return False

    def forget(self, ask: Ask, token: Token) -> None:
        """Drop a token that the registry did not accept, unless another thread has fetched a new one already.

        A shared one that has served this ask is at its end for all. Another is only not for this ask.
        """
        with self._guard:
            if token.is_shared and ask.key not in token.granted:
                self._apart.setdefault(ask.key, False)
                ends = [ask.key]
            else:
                ends = [key for key, held in self._tokens.items() if held is token]
            for key in ends:
                if self._tokens.get(key) is token:
                    del self._tokens[key]

    def _valid(self, key: Key) -> Token | None:
        token = self._tokens.get(key)
        return token if token is not None and token.expires_at > self.clock() else None

    def _may_share(self, ask: Ask) -> bool:
        return self._shares and ask.others is not None and ask.key not in self._apart

    @contextlib.contextmanager
    def _alone(self, key: Key, deadline: Deadline) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=max(deadline.left, 0.0)):
            raise UnavailableError("its token service took too long", where=self.registry_url)
        try:
            yield
        finally:
            lock.release()

    def _fetch(self, ask: Ask, deadline: Deadline) -> Token:
        """A new token, kept: a shared one if there is somebody to share it with, else one for these scopes only."""
        several = self._with_others(ask)
        if several is not ask:
            with contextlib.suppress(ContentError):
                status, raw = self._answer(several, deadline)
                if status in (408, 429):
                    raise self._refusal(status, ask)
                if status == 200:
                    token = replace(parse_token(raw, self.registry_url, self.clock()), is_shared=True)
                    return self._keep(token, [replace(ask, scopes=(scope,)) for scope in several.scopes])
        status, raw = self._answer(ask, deadline)
        if status != 200:
            raise self._refusal(status, ask)
        self._shares = self._shares and several is ask  # it gives one token at a time
        return self._keep(parse_token(raw, self.registry_url, self.clock()), [ask])

    def _keep(self, token: Token, asks: Iterable[Ask]) -> Token:
        with self._guard:
            self._tokens.update((ask.key, token) for ask in asks)
        return token

    def _with_others(self, ask: Ask) -> Ask:
        """The ask itself when there is none to share with. Its own scope comes first: some services read no more."""
        if ask.others is None or not self._may_share(ask):
            return ask
        scopes, left = dict.fromkeys(ask.scopes), _SCOPES_BYTES_MAX
        for scope in ask.others():
            key, size = (*ask.account, scope), len(urlencode({"scope": scope})) + 1
            if scope in scopes or key in self._apart or self._valid(key) is not None or size > left:
                continue
            if len(scopes) == _SCOPES_MAX:
                break
            scopes[scope], left = None, left - size
        return replace(ask, scopes=tuple(scopes)) if len(scopes) > len(ask.scopes) else ask

    def _answer(self, ask: Ask, deadline: Deadline) -> tuple[int, bytes]:
        """The status, and what the service says with a 200. Raises UnavailableError, or RefusedError for a stranger
        that is not public.
        """
        realm = absolute(ask.challenge.parameters.get("realm", ""), self.registry_url, self.registry_url)
        check_realm(self.registry_url, realm)
        try:
            return self._exchange(ask, realm, deadline)
        except NotPublicError as error:
            stranger = parse(realm, self.registry_url).netloc or ""
            raise RefusedError(
                f"its token service is {stranger}, which is not its own host and at no public address",
                where=self.registry_url,
                next_step=allow(stranger, ask.credential),
            ) from error

    def _exchange(self, ask: Ask, realm: str, deadline: Deadline) -> tuple[int, bytes]:
        """One that knows no such form (404, 405) gets an identity token as a password."""
        call = self._call(ask, realm, deadline)
        with self.transport.exchange(call) as response:
            status = response.status
            if status == 200:
                return status, body(response, limit_bytes=TOKEN_BYTES_MAX, deadline=deadline)
        known = ask.credential
        if call.method == "POST" and status in (404, 405) and known is not None:
            as_password = Credential(source=known.source, username=_IDENTITY, password=known.identity_token)
            return self._exchange(replace(ask, credential=as_password), realm, deadline)
        return status, b""

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
