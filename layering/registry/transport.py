"""One HTTP exchange with a registry: pooled connections, time limits, redirects, and another try for what is temporary.

The only module that sends. It follows redirects itself (GET and HEAD only, without credentials on
another origin) and turns every failure into a LayerwatchError. It knows nothing of tokens or manifests.
"""

import contextlib
import email.utils
import functools
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

import urllib3
from urllib3.util import parse_url

from layering.errors import ContentError, UnavailableError
from layering.once import Once
from layering.registry.addresses import REDIRECTS_MAX, absolute, check_redirect, same_origin
from layering.registry.bodies import give_back
from layering.registry.connections import Connections
from layering.registry.deadline import Deadline
from layering.registry.failures import translated
from layering.registry.proxies import proxy_for
from layering.registry.reach import Reach, check_literal, reach_of_host
from layering.registry.response import Response
from layering.registry.rest import Rest
from layering.registry.settings import RegistrySettings
from layering.registry.trust import authorities, nobody_checked
from layering.registry.watchdog import Watch, Watchdog

TRIES = 4
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_BACKOFF_FIRST_SECONDS = 0.5
_BACKOFF_LONGEST_SECONDS = 30.0
_RETRY_AFTER_LONGEST_SECONDS = 60.0
_TEMPORARY = {408, 429, 500, 502, 503, 504, 522}
_REDIRECTS = {301, 302, 303, 307, 308}
_OURS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "layerwatch"}
_parsed = functools.lru_cache(maxsize=64)(parse_url)  # each is looked at several times in a row
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One HTTP request that was sent, for counters and for tests that no write leaves the process.

    `registry` is HOST[:PORT], `path` has no query, `status` is 0 when no answer came.
    """

    registry: str
    method: str
    path: str
    status: int


class Body(Protocol):
    """A body that is not in memory: so many bytes, from the beginning each time they are gone through."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What to send, and how far to go for an answer.

    `data` is a body, or a form. `verify` asks for a trusted certificate. `repeatable` says whether what is temporary is
    tried again; None means for GET and HEAD. `redirects` says whether GET and HEAD follow them. `least` is for a host
    that is not the registry's own: how public it must be. `probe`: it only finds out how a host is asked, and a failure
    says nothing else of it.
    """

    method: str
    url: str
    deadline: Deadline
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    data: bytes | Mapping[str, str] | Body | None = field(default=None, repr=False)
    verify: bool = True
    repeatable: bool | None = None
    redirects: bool = True
    least: Reach | None = None
    probe: bool = False

    @property
    def tries(self) -> int:
        """How often it may be sent."""
        repeatable = self._is_reading if self.repeatable is None else self.repeatable
        return TRIES if repeatable else 1

    @property
    def follows(self) -> bool:
        """Whether a redirect of it is followed."""
        return self.redirects and self._is_reading

    @property
    def _is_reading(self) -> bool:
        return self.method in ("GET", "HEAD")


class Transport:
    """Connections: some that verify certificates, some for hosts that were named insecure, and some for each kind of
    host that registries send us to. Thread-safe.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        sleep: Callable[[float], None],
        on_request: Callable[[Request], None] | None,
        rest: Rest,
    ) -> None:
        context = authorities(settings.ca_file, settings.ca_pem)
        self._verified = Connections(context)
        self._unverified = Connections(nobody_checked())
        self._foreign = {least: Connections(context, least) for least in Reach}
        self._reach = Once(lambda host: reach_of_host(str(host)))
        self._watchdog = Watchdog()
        self._proxies = Once(lambda origin: proxy_for(str(origin), settings.proxy))
        self._sleep = sleep
        self._rest = rest
        self._on_request = on_request

    def close(self) -> None:
        """Close all connections."""
        for connections in (self._verified, self._unverified, *self._foreign.values()):
            connections.close()
        self._watchdog.close()

    @contextlib.contextmanager
    def exchange(self, call: Call) -> Iterator[Response]:
        """Send and give the answer, whatever its status; its body is still to be read. The connection is given back.

        Raises UnavailableError when no answer comes, RefusedError for an untrusted certificate.
        """
        with self._watchdog.until(call.deadline) as watch:
            response = self._persist(call, watch) if call.probe else self._restful(call, watch)
            try:
                yield response
            finally:
                give_back(response)

    def pause(self, attempt: int, deadline: Deadline, asked_seconds: float = 0.0) -> bool:
        """Wait before the next attempt, at least `asked_seconds`. False, at once, when the time is not there."""
        wait = max(asked_seconds, _backoff(attempt))
        if asked_seconds > _RETRY_AFTER_LONGEST_SECONDS or wait >= deadline.left:
            return False
        self._sleep(wait)
        return True

    def _restful(self, call: Call, watch: Watch) -> Response:
        """See Rest: not while the host is left alone, and it is when it does not answer."""
        host = _parsed(call.url).netloc or ""
        began = self._rest.begin(host)
        try:
            response = self._persist(call, watch)
        except UnavailableError as error:
            self._rest.after_failure(host, error, began)
            raise
        self._rest.answered(host)
        if response.status in _TEMPORARY and same_origin(call.url, response.url):
            self._rest.after_refusal(host, response.status, retry_after(response))
        return response

    def _persist(self, call: Call, watch: Watch) -> Response:
        for attempt in range(1, call.tries):
            try:
                response = self._follow(call, watch)
            except UnavailableError:
                if not self.pause(attempt, call.deadline):
                    raise
                continue
            if response.status not in _TEMPORARY:
                return response
            if not self.pause(attempt, call.deadline, retry_after(response)):
                return response
            give_back(response)
        return self._follow(call, watch)

    def _follow(self, call: Call, watch: Watch) -> Response:
        url, headers, least = call.url, dict(call.headers), call.least
        where = _parsed(call.url).netloc or ""
        for _ in range(REDIRECTS_MAX + 1):
            with watch.sending():
                response = self._once(call, url, headers, least)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not call.follows or location is None:
                return response
            give_back(response)
            target = absolute(location, url, where)
            check_redirect(url, target)
            if not same_origin(call.url, target):
                headers.pop("Authorization", None)
                least = call.least or self._reach(_parsed(call.url).host or "")
            url = target
        raise ContentError(f"more than {REDIRECTS_MAX} redirects", where=where)

    def _connections(self, call: Call, least: Reach | None) -> Connections:
        if least is not None:
            return self._foreign[least]
        return self._verified if call.verify else self._unverified

    def _once(self, call: Call, url: str, headers: Mapping[str, str], least: Reach | None) -> Response:
        asked = _parsed(url)
        where = asked.netloc or ""
        left, proxy = call.deadline.remaining(where), self._proxies(f"{asked.scheme}://{where}")
        if least is not None and proxy is not None:
            check_literal(asked.host or "", least)
        sent, body = _sent(call, headers)
        try:
            raw = self._connections(call, least).ask(
                call.method,
                url,
                headers=sent,
                body=body,
                timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, left), read=min(_READ_SECONDS, left)),
                proxy=proxy,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._note(call.method, url, 0)
            call.deadline.remaining(where)
            raise translated(error, where) from None
        except ValueError as error:  # its text may hold the header
            raise ContentError(f"a header that cannot be sent ({type(error).__name__})", where=where) from None
        self._note(call.method, url, raw.status)
        response = Response(raw=raw, url=url, asked=sent)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raw.close()
            raise ContentError("the registry encodes its answer, which was not asked for", where=where)
        return response

    def _note(self, method: str, url: str, status: int) -> None:
        if self._on_request is not None:
            parsed = _parsed(url)
            self._on_request(
                Request(registry=parsed.netloc or "", method=method, path=parsed.path or "/", status=status)
            )


def _sent(call: Call, headers: Mapping[str, str]) -> tuple[Mapping[str, str], bytes | Body | None]:
    """What is sent of a call: all headers, and the body as bytes, or as pieces whose length stands in a header."""
    ours = {**_OURS, **headers}
    if call.data is None or isinstance(call.data, bytes):
        return ours, call.data
    if isinstance(call.data, Mapping):
        return {**ours, **_FORM}, urlencode(call.data).encode()
    return {**ours, "Content-Length": str(len(call.data))}, call.data


def retry_after(response: Response) -> float:
    """Seconds that the answer asks to wait, in seconds or as a date (RFC 9110 section 10.2.3); 0 when it does not."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _backoff(attempt: int) -> float:
    """Full jitter: a random part of 0.5 s, doubled with each attempt, at most 30 s."""
    return random.uniform(0, min(_BACKOFF_LONGEST_SECONDS, _BACKOFF_FIRST_SECONDS * 2**attempt))  # noqa: S311 no secret
