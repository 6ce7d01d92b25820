"""One HTTP exchange with a cluster's API server, bounded as a whole: connecting, sending, and every byte of the answer.

Tried again is what a 401 answers, once, with a credential that was read anew; and a read that is told to come again
(429, Retry-After) when that is soon enough. It knows no resources.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import urllib3

from layering.cluster.connection import Connection, Connector, load_client
from layering.cluster.failures import disconnected, refused, timed_out
from layering.errors import ContentError, LayerwatchError, UnavailableError
from layering.reasons import Reason

_CHUNK_BYTES = 64 * 1024
_ANSWER_BYTES_MAX = 256 * 1024 * 1024
_REFUSAL_BYTES_MAX = 64 * 1024
_PATIENCE_SECONDS = 3.0  # of one read: others share the time limit, and the next look is not far
_SECONDS = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked. `where` is what errors call it; `query` has no empty values."""

    method: str
    path: str
    where: str
    query: dict[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    accept: str = "application/json"


class Exchange:
    """Sends requests to one cluster. Safe to use from threads."""

    def __init__(self, connector: Connector, on_request: Callable[[int | str], None] | None) -> None:
        self._connector = connector
        self._on_request = on_request

    def whole(self, request: Request, seconds: float) -> bytes:
        """The answer's body. Raises the error that stands for any answer but 2xx, or for none in time."""
        limit = Limit(seconds)
        response = self.opened(request, limit)
        try:
            return b"".join(_bounded(chunks(response, limit, request.where), _ANSWER_BYTES_MAX, request.where))
        finally:
            response.close()  # read to its end, its connection was given back already and serves the next one

    def opened(self, request: Request, limit: "Limit") -> urllib3.BaseHTTPResponse:
        """The answer, when it is 2xx, with its body still to be read. Raises as `whole` does."""
        patience = min(_PATIENCE_SECONDS, limit.seconds / 2)
        while True:
            response = self._answered(request, limit)
            if 200 <= response.status < 300:
                return response
            pause = _asked_to_wait(response) if request.method == "GET" else None
            if pause is None or pause > patience or pause >= limit.left(request.where):
                break
            response.close()
            patience -= pause
            time.sleep(pause)
        try:
            raise self._refused(response, request, limit)
        finally:
            response.close()

    def _answered(self, request: Request, limit: "Limit") -> urllib3.BaseHTTPResponse:
        connection = self._connector.get()
        response = self._sent(request, connection, limit)
        if response.status == 401 and (renewed := self._connector.after_refusal(connection)) is not None:
            response.close()
            response = self._sent(request, renewed, limit)
        return response

    def _sent(self, request: Request, connection: Connection, limit: "Limit") -> urllib3.BaseHTTPResponse:
        headers = {"Accept": request.accept, "Accept-Encoding": "identity", "User-Agent": "layerwatch"}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if connection.authorization is not None:
            headers["Authorization"] = connection.authorization.reveal()
        query = f"?{urlencode(request.query)}" if request.query else ""
        left = limit.left(request.where)
        try:
            response = connection.pool.request(
                request.method,
                f"{connection.url}{request.path}{query}",
                headers=headers,
                body=request.body,
                timeout=urllib3.Timeout(total=left),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            failure = disconnected(error, limit.seconds, request.where)
            self._note("timeout" if failure.reason is Reason.TIMED_OUT else "unreachable")
            raise failure from None
        self._note(response.status)
        return response

    def _refused(self, response: urllib3.BaseHTTPResponse, request: Request, limit: "Limit") -> LayerwatchError:
        try:
            said = b"".join(_bounded(chunks(response, limit, request.where), _REFUSAL_BYTES_MAX, request.where))
        except (ContentError, UnavailableError):
            said = b""  # the status alone says enough
        return refused(response.status, said, request.where, response.headers.get("Retry-After", ""))

    def _note(self, code: int | str) -> None:
        if self._on_request is not None:
            self._on_request(code)


class Limit:
    """When an exchange must be over, counted from now. The client's code is loaded before: no server's time."""

    def __init__(self, seconds: float) -> None:
        load_client()
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def left(self, where: str) -> float:
        """Seconds that are left. Raises UnavailableError (TimedOut) when there are none."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise timed_out(self.seconds, where)
        return left


def _asked_to_wait(response: urllib3.BaseHTTPResponse) -> int | None:
    """Seconds, 1 at least; None when it is no 429, or does not say. An API server says so while it fills a cache."""
    said = _SECONDS.fullmatch(response.headers.get("Retry-After", "")) if response.status == 429 else None
    return max(1, int(said[0])) if said else None


def chunks(response: urllib3.BaseHTTPResponse, limit: Limit, where: str) -> Iterator[bytes]:
    """The body as it comes, until the limit. Raises UnavailableError when it breaks off or takes too long."""
    while True:
        wait_at_most(response, limit.left(where))
        try:
            chunk = response.read1(_CHUNK_BYTES, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise disconnected(error, limit.seconds, where) from None
        if not chunk:
            return
        yield chunk


def wait_at_most(response: urllib3.BaseHTTPResponse, seconds: float) -> None:
    """Let no read of the body last longer. An answer that ends its connection keeps the limit it was asked with."""
    sock = getattr(response.connection, "sock", None)
    if sock is not None:
        sock.settimeout(seconds)


def _bounded(parts: Iterator[bytes], limit_bytes: int, where: str) -> Iterator[bytes]:
    length = 0
    for part in parts:
        length += len(part)
        if length > limit_bytes:
            raise ContentError(f"the answer is longer than {limit_bytes} bytes", where=where)
        yield part
