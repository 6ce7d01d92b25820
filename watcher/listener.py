"""The daemon's small HTTP server: /healthz, /readyz, /metrics, /status.

Reads only (GET and HEAD), plain HTTP, no credentials: it says nothing that the log does not say. What is answered comes
from the callables it is given; whether the process is well is not decided here.
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

_log = logging.getLogger("layerwatch.listener")
_CONNECTION_SECONDS = 10.0
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenAddress:
    """Where to listen. Port 0 is any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "ListenAddress":
        """`HOST:PORT` or `[HOST]:PORT`. Raises InputError; all addresses are asked for by name, as 0.0.0.0 or [::]."""
        host, colon, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        is_bracketed = host == f"[{bare}]"
        if not colon or not bare or (":" in bare and not is_bracketed) or not _is_port(port):
            raise InputError(
                f"{text!r} is no address to listen on",
                where="--listen",
                next_step="write HOST:PORT, such as 127.0.0.1:8080, or 0.0.0.0:8080 for every address",
            )
        return cls(host=bare, port=int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535


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


Page = Callable[[], Answer]


class Listener:
    """Serves `pages`, by path, until it is closed; each connection has its own thread, and an end, whoever holds it."""

    def __init__(
        self, address: ListenAddress, pages: Mapping[str, Page], *, connection_seconds: float = _CONNECTION_SECONDS
    ) -> None:
        """Listens from now on. Raises InputError when the address cannot be had."""
        handler = type("Handler", (_Handler,), {"pages": pages, "seconds": connection_seconds})
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


class _Handler(BaseHTTPRequestHandler):
    pages: ClassVar[Mapping[str, Page]] = {}
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

    def _asked(self) -> Answer:
        page = self.pages.get(self.path.partition("?")[0])
        if page is None:
            return Answer.text(HTTPStatus.NOT_FOUND, f"there is {', '.join(self.pages)}")
        try:
            return page()
        except Exception:  # noqa: BLE001 logged with its traceback; whoever asked must have an answer
            _log.exception("a defect of layerwatch while answering %s", self.path)
            return Answer.text(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of layerwatch; the log has it")

    def _answer(self, answer: Answer, *, with_body: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)
