"""One HTTP exchange with a registry: pooled connections, time limits, redirects, and another try for what is temporary.

The only module that sends through `requests`. It follows redirects itself (GET and HEAD only, without credentials on
another origin) and turns every failure into a LayerwatchError. It knows nothing of tokens or manifests.
"""

import contextlib
import email.utils
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import requests
import urllib3
from urllib3.util import parse_url

from layering.errors import ContentError, UnavailableError
from layering.once import Once
from layering.registry.addresses import REDIRECTS_MAX, absolute, check_redirect, same_origin
from layering.registry.bodies import give_back
from layering.registry.deadline import Deadline
from layering.registry.failures import translated
from layering.registry.proxies import proxies_for
from layering.registry.reach import Reach, check_literal, reach_of_host
from layering.registry.rest import Rest
from layering.registry.settings import RegistrySettings
from layering.registry.trust import authorities, unverified_session, verified_session
from layering.registry.watchdog import Watch, Watchdog

TRIES = 4
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_BACKOFF_FIRST_SECONDS = 0.5
_BACKOFF_LONGEST_SECONDS = 30.0
_RETRY_AFTER_LONGEST_SECONDS = 60.0
_TEMPORARY = {408, 429, 500, 502, 503, 504, 522}
_REDIRECTS = {301, 302, 303, 307, 308}
_OURS = {"Accept-Encoding": "identity", "User-Agent": "layerwatch"}


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
    """Sessions: one that verifies certificates, one for hosts that were named insecure, and one for each kind of host
    that registries send us to. Thread-safe.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        sleep: Callable[[float], None],
        on_request: Callable[[Request], None] | None,
        rest: Rest,
    ) -> None:
        context = authorities(settings.ca_file, settings.ca_pem)
        self._verified = verified_session(context)
        self._unverified = unverified_session()
        self._foreign = {least: verified_session(context, least) for least in Reach}
        self._reach = Once(lambda host: reach_of_host(str(host)))
        self._watchdog = Watchdog()
        self._proxies = Once(lambda origin: proxies_for(str(origin), settings.proxy))
        self._sleep = sleep
        self._rest = rest
        self._on_request = on_request

    def close(self) -> None:
        """Close all connections."""
        for session in (self._verified, self._unverified, *self._foreign.values()):
            session.close()
        self._watchdog.close()

    @contextlib.contextmanager
    def exchange(self, call: Call) -> Iterator[requests.Response]:
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

    def _restful(self, call: Call, watch: Watch) -> requests.Response:
        """See Rest: not while the host is left alone, and it is when it does not answer."""
        host = parse_url(call.url).netloc or ""
        began = self._rest.begin(host)
        try:
            response = self._persist(call, watch)
        except UnavailableError as error:
            self._rest.after_failure(host, error, began)
            raise
        self._rest.answered(host)
        if response.status_code in _TEMPORARY and same_origin(call.url, response.url):
            self._rest.after_refusal(host, response.status_code, retry_after(response))
        return response

    def _persist(self, call: Call, watch: Watch) -> requests.Response:
        for attempt in range(1, call.tries):
            try:
                response = self._follow(call, watch)
            except UnavailableError:
                if not self.pause(attempt, call.deadline):
                    raise
                continue
            if response.status_code not in _TEMPORARY:
                return response
            if not self.pause(attempt, call.deadline, retry_after(response)):
                return response
            give_back(response)
        return self._follow(call, watch)

    def _follow(self, call: Call, watch: Watch) -> requests.Response:
        url, headers, least = call.url, dict(call.headers), call.least
        where = parse_url(call.url).netloc or ""
        for _ in range(REDIRECTS_MAX + 1):
            with watch.sending():
                response = self._once(call, url, headers, least)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not call.follows or location is None:
                return response
            give_back(response)
            target = absolute(location, url, where)
            check_redirect(url, target)
            if not same_origin(call.url, target):
                headers.pop("Authorization", None)
                least = call.least or self._reach(parse_url(call.url).host or "")
            url = target
        raise ContentError(f"more than {REDIRECTS_MAX} redirects", where=where)

    def _session(self, call: Call, least: Reach | None) -> requests.Session:
        if least is not None:
            return self._foreign[least]
        return self._verified if call.verify else self._unverified

    def _once(self, call: Call, url: str, headers: Mapping[str, str], least: Reach | None) -> requests.Response:
        asked = parse_url(url)
        where, session = asked.netloc or "", self._session(call, least)
        left, proxies = call.deadline.remaining(where), self._proxies(f"{asked.scheme}://{where}")
        if least is not None and proxies:
            check_literal(asked.host or "", least)
        try:
            request = session.prepare_request(
                requests.Request(call.method, url, headers={**_OURS, **headers}, data=call.data)
            )
            request.url = url  # to the letter: what is escaped without need is spelt otherwise in what was prepared
            response = session.send(
                request,
                stream=True,
                allow_redirects=False,
                timeout=(min(_CONNECT_SECONDS, left), min(_READ_SECONDS, left)),
                proxies=proxies,
                verify=session is not self._unverified,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._note(call.method, url, 0)
            call.deadline.remaining(where)
            raise translated(error, where) from None
        self._note(call.method, url, response.status_code)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise ContentError("the registry encodes its answer, which was not asked for", where=where)
        return response

    def _note(self, method: str, url: str, status: int) -> None:
        if self._on_request is not None:
            parsed = parse_url(url)
            self._on_request(
                Request(registry=parsed.netloc or "", method=method, path=parsed.path or "/", status=status)
            )


def retry_after(response: requests.Response) -> float:
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
