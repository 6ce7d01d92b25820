"""The embedded registry: a small OCI registry for the demo, for tests, and for trying things out.

In the manner of `crane registry serve`: it keeps the protocol's promises, and it is not meant to serve a cluster. It
listens, speaks TLS and asks for passwords; what it answers is in server_http.py.
"""

import base64
import binascii
import contextlib
import hmac
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from layering.errors import InputError, UnavailableError
from layering.registry.server_content import Content, Refused
from layering.registry.server_http import Answer, Asked, answer, error
from layering.registry.storage import MemoryStorage, Storage

_CHUNK_BYTES = 64 * 1024
_LINE_BYTES_MAX = 1024
_LENGTH_DIGITS_MAX = 18
_IDLE_SECONDS = 120

Check = Callable[[str, str], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """One request that was answered: for tests, and for the demo's claim that nothing was written."""

    method: str
    path: str
    status: int
    bytes_sent: int


class RegistryServer:
    """Serves a store on 127.0.0.1 until closed; use it in a `with`.

    `check_password` is asked for each request when given. `intercept` may answer a request in the registry's place:
    tests use it to make the registry misbehave. Raises UnavailableError when the address cannot be had.
    """

    def __init__(
        self,
        storage: Storage | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        check_password: Check | None = None,
        tls: tuple[Path, Path] | None = None,
        intercept: Callable[[Asked], Answer | None] | None = None,
    ) -> None:
        self.requests: list[Served] = []
        self.intercept = intercept
        self._content = Content(storage or MemoryStorage())
        self._check = check_password
        self._scheme = "https" if tls else "http"
        try:
            self._server = _Server((host, port), _handler(self), tls)
        except OSError as fault:
            raise UnavailableError(f"cannot listen: {fault.strerror}", where=f"{host}:{port}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        host, port = self._server.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    @property
    def url(self) -> str:
        """SCHEME://HOST:PORT."""
        return f"{self._scheme}://{self.address}"

    def start(self) -> None:
        """Answer from now on, in threads."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def respond(self, asked: Asked) -> Answer:
        """The answer to one request."""
        if self._check is not None and not _allowed(asked.headers.get("authorization", ""), self._check):
            headers = {"WWW-Authenticate": 'Basic realm="layerwatch registry"'}
            return error(401, "UNAUTHORIZED", "a user name and password are needed", headers)
        if self.intercept is not None and (instead := self.intercept(asked)) is not None:
            return instead
        return answer(self._content, asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], tls: tuple[Path, Path] | None
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._context = _context(*tls) if tls else None
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, peer = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            # The handshake belongs to the request's own thread: a silent client must not stop the others.
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is no event here."""


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as fault:
        raise InputError(f"not a certificate and its key: {fault}", where=f"{certificate}, {key}") from None
    return context


def _allowed(authorization: str, check: Check) -> bool:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return check(username, password)


def one_of(passwords: Mapping[str, str]) -> Check:
    """Accept these users with these passwords."""

    def check(username: str, password: str) -> bool:
        expected = passwords.get(username)
        return expected is not None and hmac.compare_digest(expected.encode(), password.encode())

    return check


def _handler(registry: RegistryServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner = registry

    return Handler


class _Handler(BaseHTTPRequestHandler):
    owner: ClassVar[RegistryServer]
    protocol_version = "HTTP/1.1"
    server_version = "layerwatch-registry"
    sys_version = ""
    timeout = _IDLE_SECONDS
    wbufsize = _CHUNK_BYTES  # header and a small body leave in one packet

    def _serve(self) -> None:
        self._body = _RequestBody(self)
        asked = Asked(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body,
        )
        reply = self.owner.respond(asked)
        self._body.drain()
        self._send(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 names are http.server's

    def _send(self, reply: Answer) -> None:
        length = len(reply.body) if reply.length is None else reply.length
        # Noted before it is sent: whoever has the answer may count on finding it here.
        self.owner.requests.append(Served(method=self.command, path=self.path, status=reply.status, bytes_sent=length))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()
        with reply.stream or contextlib.nullcontext() as stream:
            if self.command != "HEAD" and reply.status not in (204, 304):
                self.wfile.write(reply.body)
                while stream is not None and length > 0 and (data := stream.read(min(_CHUNK_BYTES, length))):
                    self.wfile.write(data)
                    length -= len(data)
        self.wfile.flush()

    def finish(self) -> None:
        """End with a connection; a client that went away takes what was still to be sent with it."""
        with contextlib.suppress(OSError):
            super().finish()
        self.rfile.close()  # the original leaves it open when the last write fails

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept in RegistryServer.requests, not printed."""


class _RequestBody:
    """The body of one request, by Content-Length or in HTTP chunks; what nobody read is read before the answer."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        self._unread = self._announced()

    def _announced(self) -> Iterator[bytes]:
        headers = self._handler.headers
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._http_chunks()
        length = headers.get("Content-Length", "0")
        return self._exactly(int(length) if length.isdecimal() and len(length) <= _LENGTH_DIGITS_MAX else 0)

    def chunks(self) -> Iterator[bytes]:
        """See server_http.Body."""
        return self._unread

    def whole(self, limit_bytes: int) -> bytes:
        """See server_http.Body."""
        data = bytearray()
        for chunk in self._unread:
            data += chunk
            if len(data) > limit_bytes:
                raise Refused(413, "SIZE_INVALID", f"longer than {limit_bytes} bytes")
        return bytes(data)

    def drain(self) -> None:
        """Read what is left, so that the connection can be used again."""
        for _ in self._unread:
            pass

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length > 0:
            data = self._handler.rfile.read(min(_CHUNK_BYTES, length))
            if not data:
                raise ConnectionResetError("the client went away")
            length -= len(data)
            yield data

    def _http_chunks(self) -> Iterator[bytes]:
        while size := int(self._handler.rfile.readline(_LINE_BYTES_MAX).partition(b";")[0].strip() or b"0", 16):
            yield from self._exactly(size)
            self._handler.rfile.readline(_LINE_BYTES_MAX)
        while self._handler.rfile.readline(_LINE_BYTES_MAX).strip():
            pass
