"""One registry host: under which URL it answers, how it wants to be asked, and what its refusals mean.

It learns the scheme of an insecure host and the challenge once, and then sends the right Authorization at once. It
knows HTTP statuses and scopes, but no manifests.
"""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from layering.errors import ContentError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.reference import DEFAULT_DOMAIN, Repository
from layering.registry.addresses import absolute, check_own, may_tell, same_origin
from layering.registry.bearertoken import Token
from layering.registry.bodies import BrokenOffError, body, error_text, host_of
from layering.registry.challenge import Challenge, parse_challenges
from layering.registry.credentials import Credential
from layering.registry.deadline import Deadline
from layering.registry.keychain import Keychain
from layering.registry.response import Response
from layering.registry.tokens import Ask, TokenCache, allow, basic, described
from layering.registry.transport import TRIES, Body, Call, Transport, retry_after

_OTHER_CREDENTIALS = "name credentials that may do this: --authfile, or registries.authFile in the configuration"
_API_HOSTS = {DEFAULT_DOMAIN: "registry-1.docker.io"}
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """One request under a host. `path` begins with `/v2/`, or is a URL that the host gave. `data` is the whole body.

    `actions` are what is to be done with `repository`; `also_pull` is a second one, to read from. `repeatable` and
    `redirects` as in transport.Call. `what` stands in errors instead of the repository.
    """

    method: str
    path: str
    repository: Repository
    deadline: Deadline
    actions: str = "pull"
    also_pull: Repository | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | Body | None = field(default=None, repr=False)
    repeatable: bool | None = None
    redirects: bool = True
    what: str = ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What a token for it must allow (token.md, `scope`); what matters most comes first."""
        scopes = [f"repository:{self.repository.path}:{self.actions}"]
        if self.also_pull is not None:
            scopes.append(f"repository:{self.also_pull.path}:pull")
        return tuple(scopes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A small body, whole, with the headers it came with and the URL it came from."""

    raw: bytes = field(repr=False)
    headers: Mapping[str, str]
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Endpoint:
    url: str
    tokens: TokenCache


@dataclass(frozen=True, kw_only=True, slots=True)
class _Authorization:
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    wanted: Ask | None = None
    token: Token | None = None

    def is_doubted(self, tokens: TokenCache, status: int) -> bool:
        """See TokenCache.heard."""
        return self.wanted is not None and self.token is not None and tokens.heard(self.wanted, self.token, status)


class RegistryHost:
    """Requests to one host, with authorization. Thread-safe."""

    def __init__(
        self,
        domain: str,
        transport: Transport,
        keychain: Keychain,
        *,
        insecure: bool,
        allowed: Collection[str] = (),
    ) -> None:
        """`allowed` as in `may_tell`."""
        self.domain = domain
        self._allowed = allowed
        self._transport = transport
        self._keychain = keychain
        self._insecure = insecure
        self._endpoint: _Endpoint | None = None
        self._challenge: Challenge | None = None
        self._read: dict[Repository, None] = {}
        self._finding = threading.Lock()

    def expect(self, repository: Repository) -> None:
        """It will be read from: a token for others may be one for it as well."""
        self._read[repository] = None

    @contextlib.contextmanager
    def ask(self, asking: Asking) -> Iterator[Response]:
        """Send, with authorization; a 401 is answered once. Gives any other answer as it is, and a second 401.

        What a shared token does not get is asked for once more, with a token of its own.
        """
        endpoint = self._find(asking.deadline)
        url = absolute(asking.path, endpoint.url, self.domain)
        check_own(endpoint.url, url)
        credential = self._keychain.find(asking.repository)
        for number in range(3):
            challenge = self._challenge
            sent = self._authorized(asking, endpoint.tokens, credential, challenge)
            with self._transport.exchange(self._call(asking, url, sent.headers)) as response:
                status, ours = response.status, same_origin(url, response.url)
                again = sent.is_doubted(endpoint.tokens, status) and ours and number < 2
                if status == 401 and ours and (again or number == 0):
                    again = self._learn(response, endpoint, credential, challenge) or again
                if not again:
                    yield response
                    return
            if sent.wanted is not None and sent.token is not None:
                endpoint.tokens.forget(sent.wanted, sent.token)

    def fetch(self, asking: Asking, limit_bytes: int) -> Fetched:
        """Send a GET and read the answer whole; begun anew when it breaks off. Raises for anything but a 200."""

        def once() -> Fetched:
            with self.ask(asking) as answer:
                if answer.status != 200:
                    raise self.refusal(answer, asking)
                raw = body(answer, limit_bytes=limit_bytes, deadline=asking.deadline)
                return Fetched(raw=raw, headers=answer.headers, url=answer.url)

        return self.anew(once, asking.deadline, BrokenOffError)

    def anew(self, attempt: Callable[[], _T], deadline: Deadline, failure: type[UnavailableError]) -> _T:
        """The result of `attempt`, made again from its beginning, after a pause, when it fails with `failure`."""
        for number in range(1, TRIES):
            try:
                return attempt()
            except failure:
                if not self.pause(number, deadline):
                    raise
        return attempt()

    def pause(self, attempt: int, deadline: Deadline) -> bool:
        """See Transport.pause."""
        return self._transport.pause(attempt, deadline)

    def refusal(self, response: Response, asking: Asking) -> LayerwatchError:
        """The error for an answer that is none of the expected."""
        status, text = response.status, error_text(response, asking.deadline)
        where = asking.what or str(asking.repository)
        said = f"the registry answers {status}" + (f" ({text})" if text else "")
        if status in (408, 429) or status >= 500:
            wait = f" in {seconds:.0f} s" if (seconds := retry_after(response)) else " later"
            return UnavailableError(said, where=where, next_step=f"try again{wait}")
        if not same_origin(response.url, self._find(asking.deadline).url):
            return RefusedError(f"{host_of(response)}, where the registry sends us, answers {status}", where=where)
        if status < 400 and "Location" not in response.headers:
            return ContentError(f"{said}, which is no answer to that", where=where)
        if status == 404:
            return NotFoundError(
                f"there is no such thing: {said}",
                where=where,
                next_step="check the name and the tag or digest; some registries hide what a login may not read",
            )
        if status in (401, 403):
            credential = self._keychain.find(asking.repository)
            self._keychain.forget(asking.repository)
            used, next_step = described(credential), _OTHER_CREDENTIALS
            if stranger := self._find(asking.deadline).tokens.withheld(self._challenge, credential):
                used, next_step = described(None), allow(stranger, credential)
            return RefusedError(f"{said} to {used}", where=where, next_step=next_step)
        return RefusedError(said, where=where)

    def _authorized(
        self, asking: Asking, tokens: TokenCache, credential: Credential | None, challenge: Challenge | None
    ) -> _Authorization:
        try:
            return self._authorize(asking, tokens, credential, challenge)
        except RefusedError:
            self._keychain.forget(asking.repository)
            raise

    def _authorize(
        self, asking: Asking, tokens: TokenCache, credential: Credential | None, challenge: Challenge | None
    ) -> _Authorization:
        """What to send for a challenge that is known; nothing before there is one."""
        if challenge is None:
            return _Authorization()
        if challenge.scheme == "basic":
            return _Authorization(headers=basic(credential))
        wanted = Ask(challenge=challenge, credential=credential, scopes=asking.scopes)
        if asking.actions == "pull" and asking.also_pull is None:
            self.expect(asking.repository)
            wanted = replace(wanted, others=lambda: self._pulls(credential))
        token = tokens.bearer(wanted, asking.deadline)
        return _Authorization(headers={"Authorization": f"Bearer {token.value.reveal()}"}, wanted=wanted, token=token)

    def _pulls(self, credential: Credential | None) -> list[str]:
        """Scopes for all that is read with one credential."""
        return [
            f"repository:{repository.path}:pull"
            for repository in list(self._read)
            if self._keychain.find(repository) == credential
        ]

    def _call(self, asking: Asking, url: str, authorization: Mapping[str, str]) -> Call:
        return Call(
            method=asking.method,
            url=url,
            headers={**asking.headers, **authorization},
            data=asking.data,
            deadline=asking.deadline,
            verify=not self._insecure,
            repeatable=asking.repeatable,
            redirects=asking.redirects,
        )

    def _find(self, deadline: Deadline) -> _Endpoint:
        """The URL before `/v2`, and the tokens for it. What answered is remembered; what did not is not."""
        with self._finding:
            if self._endpoint is None:
                host = _API_HOSTS.get(self.domain, self.domain)
                url = f"https://{host}"
                if self._insecure:
                    url = self.anew(lambda: self._first_scheme(host, deadline), deadline, UnavailableError)
                self._endpoint = _Endpoint(
                    url=url, tokens=TokenCache(self._transport, url, verify=not self._insecure, allowed=self._allowed)
                )
            return self._endpoint

    def _first_scheme(self, host: str, deadline: Deadline) -> str:
        """For a host that was named insecure: https without verification, else http."""
        try:
            return self._ping(f"https://{host}", deadline)
        except (UnavailableError, RefusedError):
            return self._ping(f"http://{host}", deadline)

    def _ping(self, url: str, deadline: Deadline) -> str:
        call = Call(
            method="GET",
            url=f"{url}/v2/",
            deadline=deadline,
            verify=False,
            repeatable=False,
            redirects=False,
            probe=True,
        )
        with self._transport.exchange(call):
            return url

    def _learn(
        self,
        response: Response,
        endpoint: _Endpoint,
        credential: Credential | None,
        known: Challenge | None,
    ) -> bool:
        """Take the challenge of a 401. False when there is nothing new to try."""
        offered = parse_challenges(response.headers.getlist("WWW-Authenticate"))
        chosen = _choose(offered, endpoint.url, self._allowed, has_password=bool(basic(credential)))
        if chosen is None or (chosen.scheme == "basic" and chosen == known):
            return False
        self._challenge = chosen
        return True


def _choose(
    offered: tuple[Challenge, ...], url: str, allowed: Collection[str], *, has_password: bool
) -> Challenge | None:
    """A token service that may hear of our credentials, else the password itself, else a service that may not.

    The last is asked without them.
    """
    services = [one for one in offered if one.scheme == "bearer" and one.parameters.get("realm")]
    fit = [one for one in services if _is_fit(one.parameters["realm"], url, allowed)]
    passwords = [one for one in offered if one.scheme == "basic" and has_password]
    return next(iter([*fit, *passwords, *services]), None)


def _is_fit(realm: str, url: str, allowed: Collection[str]) -> bool:
    try:
        return may_tell(url, absolute(realm, url, url), allowed)
    except ContentError:
        return False
