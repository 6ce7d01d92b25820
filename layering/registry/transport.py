"""One HTTP exchange with a registry: pooled connections, time limits, retries, and errors of ours.

The only module that calls `requests`. It follows redirects itself (GET and HEAD only, without credentials on another
origin), keeps no cookies, reads no netrc, decodes no bodies, and turns every failure into a LayerwatchError. It knows
nothing of tokens or manifests.
"""

import contextlib
import email.utils
import os
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import parse_url

from layering.errors import ContentError, InputError, RefusedError, UnavailableError
from layering.registry.addresses import REDIRECTS_MAX, absolute, check_redirect, same_origin
from layering.registry.settings import RegistrySettings

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
TRIES = 4
_BACKOFF_FIRST_SECONDS = 0.5
_BACKOFF_LONGEST_SECONDS = 30.0
_RETRY_AFTER_LONGEST_SECONDS = 60.0
_TEMPORARY = {408, 429, 500, 502, 503, 504, 522}
_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK_BYTES = 64 * 1024
_ERROR_BODY_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One HTTP request that was sent, for counters and for tests that no write leaves the process."""

    registry: str
    method: str
    path: str
    status: int


@dataclass(slots=True)
class Deadline:
    """The end of one operation, on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """`seconds` from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self, where: str) -> float:
        """Seconds left. Raises UnavailableError when there are none."""
        if (left := self.at - time.monotonic()) > 0:
            return left
        raise UnavailableError("the registry took too long", where=where, next_step="try again later")


class Transport:
    """Two connection pools, one that verifies certificates and one for hosts that were named insecure. Thread-safe."""

    def __init__(
        self,
        settings: RegistrySettings,
        sleep: Callable[[float], None],
        on_request: Callable[[Request], None] | None,
    ) -> None:
        self._verified = _session(_trust(settings))
        self._insecure = _session(None)
        self._sleep = sleep
        self._on_request = on_request

    def close(self) -> None:
        """Close all connections."""
        self._verified.close()
        self._insecure.close()

    @contextlib.contextmanager
    def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        deadline: Deadline,
        data: Any = None,
        verify: bool = True,
        retry: bool | None = None,
    ) -> Iterator[requests.Response]:
        """Send and give the answer, whatever its status; its body is still to be read. The connection is given back.

        What is temporary is tried again: `retry` says whether it may be, by default for GET and HEAD. Raises
        UnavailableError when it stays so, RefusedError for an untrusted certificate.
        """
        again = method in ("GET", "HEAD") if retry is None else retry
        response = self._persist(method, url, headers, data, deadline, verify, TRIES if again else 1)
        try:
            yield response
        finally:
            response.close()

    def _persist(
        self, method: str, url: str, headers: Mapping[str, str], data: Any, deadline: Deadline, verify: bool, tries: int
    ) -> requests.Response:
        where = parse_url(url).host or ""
        for attempt in range(1, tries + 1):
            last = attempt == tries
            wait = _backoff(attempt)
            try:
                response = self._follow(method, url, headers, data, deadline, verify)
            except UnavailableError:
                if last:
                    raise
            else:
                if response.status_code not in _TEMPORARY or last:
                    return response
                wait = _retry_after(response.headers.get("Retry-After"), wait)
                response.close()
            if wait > min(deadline.remaining(where), _RETRY_AFTER_LONGEST_SECONDS):
                raise UnavailableError(f"the registry asks to wait {wait:.0f} s", where=where, next_step="try later")
            self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], data: Any, deadline: Deadline, verify: bool
    ) -> requests.Response:
        first, sent = url, dict(headers)
        for _ in range(REDIRECTS_MAX + 1):
            response = self._once(method, url, sent, data, deadline, verify)
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or method not in ("GET", "HEAD") or location is None:
                return response
            response.close()
            target = absolute(location, url, parse_url(first).host or "")
            check_redirect(url, target)
            if not same_origin(first, target):
                sent.pop("Authorization", None)
                verify = True
            url = target
        raise ContentError(f"more than {REDIRECTS_MAX} redirects", where=parse_url(first).host or "")

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], data: Any, deadline: Deadline, verify: bool
    ) -> requests.Response:
        where = parse_url(url).netloc or ""
        left = deadline.remaining(where)
        session = self._verified if verify else self._insecure
        try:
            response = session.request(
                method,
                url,
                headers={"Accept-Encoding": "identity", "User-Agent": "layerwatch", **headers},
                data=data,
                stream=True,
                allow_redirects=False,
                timeout=(min(CONNECT_SECONDS, left), min(READ_SECONDS, left)),
                proxies=requests.utils.get_environ_proxies(url),
                verify=verify,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _translated(error, where) from None
        if self._on_request is not None:
            path = parse_url(url).path or "/"
            self._on_request(Request(registry=where, method=method, path=path, status=response.status_code))
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise ContentError("the registry encodes its answer, which was not asked for", where=where)
        return response


def body(response: requests.Response, *, limit_bytes: int, deadline: Deadline) -> bytes:
    """The whole body. Raises ContentError when it is longer than `limit_bytes`, UnavailableError when it breaks off."""
    where = parse_url(response.url).host or ""
    parts: list[bytes] = []
    length = 0
    for chunk in chunks(response, deadline=deadline):
        length += len(chunk)
        if length > limit_bytes:
            raise ContentError(f"the answer is longer than {limit_bytes} bytes", where=where)
        parts.append(chunk)
    return b"".join(parts)


def chunks(response: requests.Response, *, deadline: Deadline) -> Iterator[bytes]:
    """The body as it comes, undecoded. Raises UnavailableError when it breaks off or takes too long."""
    where = parse_url(response.url).host or ""
    try:
        for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
            deadline.remaining(where)
            yield chunk
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise _translated(error, where) from None


def error_text(response: requests.Response, deadline: Deadline) -> str:
    """What the registry says of a refusal (distribution-spec, error codes), as one short printable line."""
    try:
        raw = body(response, limit_bytes=_ERROR_BODY_BYTES_MAX, deadline=deadline)
    except (ContentError, UnavailableError):
        return ""
    try:
        import json

        errors = json.loads(raw)["errors"]
        text = "; ".join(f"{error.get('code', '')} {error.get('message', '')}".strip() for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = ""
    return "".join(character for character in text if character.isprintable())[:300]


def _session(context: ssl.SSLContext | None) -> requests.Session:
    """Without a context certificates are not verified, and the warning about it is the user's own wish repeated."""
    if context is None:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", _Adapter(context))
    session.mount("http://", _Adapter(None))
    return session


class _Adapter(HTTPAdapter):
    """A pool for many threads; `context` adds to the trusted certificates."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=16, pool_maxsize=8, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        return super().proxy_manager_for(proxy, **kwargs)


def _trust(settings: RegistrySettings) -> ssl.SSLContext:
    """The system's certificates, those the environment names, and the one that was configured."""
    context = ssl.create_default_context()
    named = [path for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE") if (path := os.environ.get(name))]
    for path in named:
        with contextlib.suppress(OSError, ssl.SSLError):  # the environment is not ours to refuse
            context.load_verify_locations(path)
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InputError(
                f"no certificates can be read from it: {error.strerror or 'not PEM'}", where=str(settings.ca_file)
            ) from None
    return context


def _backoff(attempt: int) -> float:
    """Full jitter: a random part of 0.5 s, doubled with each attempt, at most 30 s."""
    return random.uniform(0, min(_BACKOFF_LONGEST_SECONDS, _BACKOFF_FIRST_SECONDS * 2**attempt))  # noqa: S311 no secret


def _retry_after(value: str | None, default: float) -> float:
    """Seconds to wait: the header's, in seconds or as a date (RFC 9110 section 10.2.3), or `default`."""
    if not value:
        return default
    if (digits := value.strip()).isascii() and digits.isdecimal():
        return float(digits[:9])
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return default


def _translated(error: Exception, where: str) -> RefusedError | UnavailableError:
    """Our error for one of theirs. Their texts may hold URLs with secrets, so little of them is kept."""
    chain = _causes(error)
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RefusedError(
                f"its certificate is not trusted: {cause.verify_message}",
                where=where,
                next_step="name the authority's certificate with --ca-file (caFile in the configuration)",
            )
    innermost = chain[-1]
    detail = getattr(innermost, "strerror", None) or type(innermost).__name__
    if any(isinstance(cause, requests.Timeout | TimeoutError) for cause in chain):
        detail = "no answer in time"
    return UnavailableError(
        f"the registry cannot be reached: {detail}", where=where, next_step="see whether it is up; then try again"
    )


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what is behind it, outermost first; requests and urllib3 hide causes in args and `reason`."""
    found: list[BaseException] = []
    queue: list[Any] = [error]
    while queue and len(found) < 20:
        current = queue.pop(0)
        if isinstance(current, BaseException) and current not in found:
            found.append(current)
            queue += [getattr(current, "reason", None), current.__cause__, current.__context__, *current.args]
    return found
