"""HTTP with one forge: its limits kept, its failures told in our errors. Knows no pull request.

The only module of `layering/forge/` that sends. Redirects are not followed: a token goes to the address that was
configured and nowhere else. A read that fails for now is repeated as long as the thread's patience lasts; a write whose
answer is lost is not: who wrote looks first.
"""

import itertools
import json as jsonlib
import logging
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from layering.causes import causes
from layering.errors import LayerwatchError, RefusedError, UnavailableError
from layering.forge.addresses import check_address
from layering.forge.answers import RIGHTS_TO_PROPOSE, Answer, refusal
from layering.forge.credentials import Credentials, authorization, usual_variables
from layering.forge.limit import Limit
from layering.forge.patience import Patience
from layering.forge.ratelimits import parse_date, pause_seconds, retry_after, wait_seconds
from layering.forge.settings import ForgeSettings
from layering.linkheader import next_in
from layering.reasons import Reason
from layering.registry.connections import Connections
from layering.registry.deadline import Deadline
from layering.registry.failures import is_timeout
from layering.registry.proxies import proxy_for
from layering.registry.trust import authorities
from layering.registry.watchdog import Watchdog

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_READ_LEAST_SECONDS = 5.0
_log = logging.getLogger("layerwatch.forge")
_BODY_BYTES_MAX = 32 * 1024 * 1024
_REMEMBERED = 512
_TEMPORARY = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
_OURS = {"User-Agent": "layerwatch", "Accept-Encoding": "identity"}

Params = Mapping[str, str | int | Sequence[int]]
"""Of a query; a name with several values is in it as often."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One API request that was sent, for counters and budgets: `status` 0 when no answer came, `path` without query."""

    forge: str
    method: str
    path: str
    status: int


class LostAnswerError(UnavailableError):
    """A write was sent and no answer came: it may have been done. Look before writing again (exit 4)."""


class Exchange:
    """Thread-safe. What may wait (5xx, dropped connections, limits) waits as long as the thread's patience lasts."""

    def __init__(
        self,
        settings: ForgeSettings,
        credentials: Credentials,
        *,
        headers: Mapping[str, str],
        on_request: Callable[[Sent], None] | None = None,
        patience: Patience | None = None,
        rights: str = RIGHTS_TO_PROPOSE,
    ) -> None:
        """`headers` go with each request. `rights`: see `refusal`. Raises InputError for an address or a caFile that
        cannot be.
        """
        self._settings = settings
        self._base = check_address(settings.url, settings.insecure, what="the address of a forge's API").rstrip("/")
        self._credentials = credentials
        self._headers = {**_OURS, **headers}
        self._rights = rights
        self._on_request = on_request
        self._patience = patience or Patience(settings.max_wait_seconds)
        self._connections = Connections(authorities(settings.ca_file))
        self._watchdog = Watchdog()
        self._remembered: OrderedDict[str, tuple[str, Answer]] = OrderedDict()
        self._ahead = timedelta()
        self._limit = Limit(self._patience)
        self._guard = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()
        self._watchdog.close()
        self._credentials.close()

    def begin(self, *, briefly: bool = False) -> None:
        """An operation of this thread begins: it may wait `max_wait_seconds` in all from now, or `briefly`."""
        self._patience.begin(briefly=briefly)

    def now(self) -> datetime:
        """The forge's clock as its last answer told it (`Date`); ours before the first. UTC."""
        return datetime.now(UTC) + self._ahead

    def get(self, path: str, params: Params | None = None, *, expect: Collection[int] = ()) -> Answer:
        """`path` below the forge's `url` (segments quoted by the caller), or a `next_page`.

        Sends If-None-Match when it knows an ETag for this very URL; a 304 gives the remembered answer. Raises as
        `send`.
        """
        return self._asked("GET", self._url(path, params), None, expect)

    def pages(self, path: str, params: Params | None = None, limit: int | None = 100) -> Iterator[Answer]:
        """The answer, and those that its Link header's rel="next" leads to as they are read; at most `limit`."""
        answer = self.get(path, params)
        yield answer
        for _ in itertools.count() if limit is None else range(limit - 1):
            if answer.next_page is None:
                return
            answer = self.get(answer.next_page)
            yield answer

    def send(
        self, method: str, path: str, json: Mapping[str, Any] | None = None, *, expect: Collection[int] = ()
    ) -> Answer:
        """POST, PUT, PATCH, DELETE. Of the statuses from 400 on only those in `expect` come back as answers.

        Raises LostAnswerError, after a pause, when no answer came or one of 5xx; a limit (429, 403, 503 with
        Retry-After) is waited for and sent again. 401: the token is read again; another one is tried once. 401, 403:
        RefusedError; 404: NotFoundError; both with reason ForgeRefused and what scope is missing where the forge says
        so; other 4xx: InputError with the forge's message. UnavailableError when the patience is used up.
        """
        body = None if json is None else jsonlib.dumps(json).encode()
        return self._asked(method, self._url(path, None), body, expect)

    def _asked(self, method: str, url: str, body: bytes | None, expect: Collection[int]) -> Answer:
        where = f"{self._settings.name}: {method} {urlsplit(url).path}"
        renewed = False
        while True:
            self._await_limit(where)
            try:
                answer = self._once(method, url, body, where)
            except UnavailableError as error:
                self._pause_or_raise(method, error)
                continue
            wait = wait_seconds(answer.status, answer.headers, answer.message, self.now())
            if wait is not None:
                self._limit.hold(wait)
            elif answer.status in expect or answer.status < 300:
                return answer
            elif answer.status in _TEMPORARY:
                failure = self._unavailable(f"the forge fails (status {answer.status})", where)
                self._pause_or_raise(method, failure, retry_after(answer.headers, self.now()))
            elif answer.status == 401 and not renewed and self._credentials.refused(_repository_in(url, self._base)):
                renewed = True
            else:
                raise self._refused(answer, where, url)

    def _refused(self, answer: Answer, where: str, url: str) -> LayerwatchError:
        if answer.status < 400:
            return RefusedError(
                f"the forge redirects elsewhere (status {answer.status})",
                where=where,
                next_step="name the repository as it is called now, and the forge's own address as url",
                reason=Reason.FORGE_REFUSED,
            )
        nobody = self._credentials.token(_repository_in(url, self._base)) is None
        variables = usual_variables(self._settings) if nobody else ()
        return refusal(answer, where, variables=variables, rights=self._rights)

    def _pause_or_raise(self, method: str, error: UnavailableError, asked: float | None = None) -> None:
        """Wait before another read, at least as long as the forge `asked` for, in seconds. Raises after a write, which
        must not be repeated blindly, and without patience.
        """
        if asked is not None:
            self._limit.hold(asked)  # which is waited for before the next request
        may_go_on = self._patience.back_off() if asked is None else self._limit.is_near
        if not may_go_on:
            raise error
        _log.warning(
            "%s: %s; trying again for up to %.0f s more", error.where, error.what, max(0.0, self._patience.left)
        )
        if method != "GET":
            raise LostAnswerError(error.what, where=error.where, next_step=error.next_step, reason=error.reason)

    def _await_limit(self, where: str) -> None:
        """Send nothing before the forge said so. Raises UnavailableError at once when that is too long."""
        seconds = self._limit.left
        if not self._limit.wait():
            raise self._unavailable(
                f"the forge's limit of requests is used up for {seconds:.0f} s more", where, "wait for that long"
            )

    def _once(self, method: str, url: str, body: bytes | None, where: str) -> Answer:
        known = self._remembered.get(url) if method == "GET" else None
        headers = {"If-None-Match": known[0]} if known else {}
        response, content = self._exchanged(method, url, body, headers, where)
        self._learn_time(response)
        if response.status == 304 and known:
            return known[1]
        answer = Answer(
            status=response.status,
            json=self._parsed(response, content, where),
            headers=response.headers,
            next_page=self._next_page(response, url),
        )
        if method == "GET" and answer.status == 200 and (etag := response.headers.get("ETag")):
            self._remember(url, etag, answer)
        return answer

    def _exchanged(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], where: str
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        """One request, and the whole of its answer. Raises UnavailableError; RefusedError for who is not trusted."""
        token = self._credentials.token(_repository_in(url, self._base))
        sent = {**self._headers, **headers, **({"Content-Type": "application/json"} if body is not None else {})}
        read_seconds = min(_READ_SECONDS, max(_READ_LEAST_SECONDS, self._patience.left))
        whole = Deadline.after(_CONNECT_SECONDS + read_seconds)  # also of an answer that drips
        try:
            with self._watchdog.until(whole) as watch, watch.sending():
                response = self._connections.ask(
                    method,
                    url,
                    headers={**sent, **(authorization(self._settings.kind, token) if token else {})},
                    body=body,
                    timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds),
                    proxy=proxy_for(url, None),
                )
                content = response.read(_BODY_BYTES_MAX + 1, decode_content=True)
                response.close()
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._note(method, url, 0)
            raise self._translated(error, where) from None
        except ValueError as error:  # its text may hold the header
            raise RefusedError(
                f"the token cannot be sent ({type(error).__name__})",
                where=where,
                next_step="see whether it is whole, and nothing else is in its file",
                reason=Reason.FORGE_REFUSED,
            ) from None
        self._note(method, url, response.status)
        if whole.left <= 0:
            raise self._unavailable("its answer took too long", where, _IS_URL_RIGHT)
        if len(content) > _BODY_BYTES_MAX:
            raise self._unavailable(f"its answer is longer than {_BODY_BYTES_MAX} bytes", where, _IS_URL_RIGHT)
        if token is not None and response.status >= 400:  # some say which token it is that they do not take
            content = content.replace(token.reveal().encode(), str(token).encode())
        return response, content

    def _parsed(self, response: urllib3.BaseHTTPResponse, content: bytes, where: str) -> Any:
        if not content.strip():
            return None
        try:
            return jsonlib.loads(content)
        except (ValueError, RecursionError):
            if response.status >= 300:
                return None  # a proxy's page; the status says what there is to say
            raise self._unavailable("its answer is no JSON", where, _IS_URL_RIGHT) from None

    def _next_page(self, response: urllib3.BaseHTTPResponse, url: str) -> str | None:
        """On our own address, whatever the link says: behind a proxy a forge may know itself by another name."""
        link = next_in(response.headers.get("Link", "")) or ""
        query = link.partition("#")[0].partition("?")[2]
        return f"{url.partition('?')[0]}?{query}" if query else None

    def _learn_time(self, response: urllib3.BaseHTTPResponse) -> None:
        told = parse_date(response.headers.get("Date", ""))
        if told is not None:
            self._ahead = told - datetime.now(UTC)
        if (seconds := pause_seconds(response.headers, self.now())) > 0 and response.status < 400:
            self._limit.hold(seconds)

    def _remember(self, url: str, etag: str, answer: Answer) -> None:
        with self._guard:
            self._remembered[url] = (etag, answer)
            self._remembered.move_to_end(url)
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)

    def _url(self, path: str, params: Params | None) -> str:
        url = path if path.startswith(f"{self._base}/") else f"{self._base}/{path.lstrip('/')}"
        return f"{url}?{urlencode(params, doseq=True)}" if params else url

    def _note(self, method: str, url: str, status: int) -> None:
        if self._on_request is not None:
            self._on_request(
                Sent(forge=self._settings.name, method=method, path=urlsplit(url).path or "/", status=status)
            )

    def _translated(self, error: Exception, where: str) -> RefusedError | UnavailableError:
        """Their texts may hold what was sent, so only the reason at the bottom of them is kept."""
        found = causes(error)
        untrusted = next((cause for cause in found if isinstance(cause, ssl.SSLCertVerificationError)), None)
        if untrusted is not None:
            return RefusedError(
                f"its certificate is not trusted: {untrusted.verify_message}",
                where=where,
                next_step="name the authority's certificate: caFile of the forge, or --forge-ca-file",
                reason=Reason.FORGE_REFUSED,
            )
        detail = getattr(found[-1], "strerror", None) or type(found[-1]).__name__
        if any(map(is_timeout, found)):
            detail = "no answer in time"
        return self._unavailable(
            f"the forge cannot be reached: {detail}", where, f"see whether {self._base} is right, and up"
        )

    def _unavailable(self, what: str, where: str, next_step: str = "try again later") -> UnavailableError:
        return UnavailableError(what, where=where, next_step=next_step, reason=Reason.FORGE_UNREACHABLE)


_IS_URL_RIGHT = "see whether `url` is the address of the forge's API"


def _repository_in(url: str, base: str) -> str | None:
    """OWNER/NAME when the path is below `repos/` (GitHub, Gitea); tokens of an App are for one of them."""
    parts = url.partition("?")[0].removeprefix(f"{base}/").split("/")
    return f"{parts[1]}/{parts[2]}" if parts[0] == "repos" and len(parts) > 2 else None
