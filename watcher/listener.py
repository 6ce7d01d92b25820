"""The daemon's small HTTP server: /healthz, /readyz, /metrics, /status, and where others may ask for a look.

Plain HTTP. What it answers to GET and HEAD says nothing that the log does not say, so it needs no credentials. What is
answered comes from the callables it is given: who may ask for a look is not decided here.
"""

import io
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

from layering.errors import InputError
from watcher.listenaddress import ListenAddress

_log = logging.getLogger("layerwatch.listener")
_CONNECTION_SECONDS = 10.0
_TEXT = "text/plain; charset=utf-8"
_BODY_BYTES_MAX = 1024 * 1024
_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one path answers now."""

    status: HTTPStatus
    content_type: str
    body: bytes

    @classmethod
    def text(cls, status: HTTPStatus, text: str) -> "Answer":
        """A line for people."""
        return cls(status=status, content_type=_TEXT, body=f"{text}\n".encode())

    @classmethod
    def json(cls, document: Mapping[str, Any]) -> "Answer":
        """A document for machines."""
        body = json.dumps(document, indent=2, ensure_ascii=False).encode()
        return cls(status=HTTPStatus.OK, content_type="application/json", body=body + b"\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """What was posted, before its body is read. `headers` by lower-case name; `read` gives the whole body."""

    path: str
    headers: Mapping[str, str]
    read: Callable[[], bytes]


Page = Callable[[], Answer]
Inbox = Callable[[Posted], Answer]


def _nowhere(posted: Posted) -> Answer:
    return Answer.text(HTTPStatus.NOT_FOUND, "there is nothing to post to")


class Listener:
    """Serves `pages`, by path, until it is closed; each connection has its own thread, and an end, whoever holds it.

    What is posted is for `inbox`, whatever its path.
    """

    def __init__(
        self,
        address: ListenAddress,
        pages: Mapping[str, Page],
        inbox: Inbox = _nowhere,
        *,
        connection_seconds: float = _CONNECTION_SECONDS,
    ) -> None:
        """Listens from now on. Raises InputError when the address cannot be had."""
        handler = type(
            "Handler", (_Handler,), {"pages": pages, "inbox": staticmethod(inbox), "seconds": connection_seconds}
        )
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        server = type("Server", (_Server,), {"address_family": family})
        try:
            self._server: ThreadingHTTPServer = server((address.host, address.port), handler)
        except (OSError, UnicodeError) as error:
            raise InputError(
                f"cannot listen on {address}: {error}", where="--listen", next_step="choose an address that is free"
            ) from None
        self.address = ListenAddress(host=address.host, port=self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="listener", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked went away: no defect, and no traceback on stderr, where the log is."""
        _log.debug("a connection of %s ended early", client_address, exc_info=True)


class _Until(io.RawIOBase):
    """What a connection sends, until its time is over: bytes that come one by one do not prolong it."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._seconds)  # for the answer


class _Body:
    """What a request brings, once: whole, or passed over without being held."""

    def __init__(self, source: io.BufferedIOBase, length: int) -> None:
        self._source = source
        self._left = length

    def whole(self) -> bytes:
        left, self._left = self._left, 0
        return self._source.read(left)

    def pass_over(self) -> None:
        while self._left > 0 and (piece := self._source.read(min(self._left, _PIECE_BYTES))):
            self._left -= len(piece)


class _Handler(BaseHTTPRequestHandler):
    pages: ClassVar[Mapping[str, Page]] = {}
    inbox: Inbox  # of the class, and no method
    server_version = "layerwatch"
    sys_version = ""
    seconds: ClassVar[float] = _CONNECTION_SECONDS
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.seconds)  # for each part of the answer
        self.rfile = io.BufferedReader(_Until(self.connection, self.seconds))

    def do_GET(self) -> None:
        self._answer(self._asked(), with_body=True)

    def do_HEAD(self) -> None:
        self._answer(self._asked(), with_body=False)

    def do_POST(self) -> None:
        """Nothing else is read from this connection: a body that is too long is still on it."""
        self.close_connection = True
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not (length.isascii() and length.isdecimal()):
            self._answer(Answer.text(HTTPStatus.LENGTH_REQUIRED, "say how long the body is"), with_body=True)
        elif len(length) > len(str(_BODY_BYTES_MAX)) or int(length) > _BODY_BYTES_MAX:
            self._answer(
                Answer.text(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_BODY_BYTES_MAX} bytes"), with_body=True
            )
        else:
            headers, body = (
                {name.lower(): value for name, value in self.headers.items()},
                _Body(self.rfile, int(length)),
            )
            posted = Posted(path=self.path, headers=headers, read=body.whole)
            answer = self._guarded(lambda: self.inbox(posted), "a post")
            body.pass_over()  # who still sends would not hear the answer
            self._answer(answer, with_body=True)

    def _asked(self) -> Answer:
        page = self.pages.get(self.path.partition("?")[0])
        if page is None:
            return Answer.text(HTTPStatus.NOT_FOUND, f"there is {', '.join(self.pages)}")
        return self._guarded(page, self.path)

    def _guarded(self, answer: Page, asked: str) -> Answer:
        try:
            return answer()
        except TimeoutError:
            raise
        except Exception:  # noqa: BLE001 logged with its traceback; whoever asked must have an answer
            _log.exception("a defect of layerwatch while answering %s", asked)
            return Answer.text(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of layerwatch; the log has it")

    def _answer(self, answer: Answer, *, with_body: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """A path that is none of the pages may be a secret."""
        path = getattr(self, "path", "")  # a line that is no request has none
        _log.debug("%s %s: %s", self.command, path if path.partition("?")[0] in self.pages else "(elsewhere)", code)

    def log_message(self, format: str, *args: object) -> None:
        """What the library says of a request quotes its line."""
        _log.debug("a request that cannot be answered")
