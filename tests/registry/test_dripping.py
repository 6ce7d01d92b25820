"""A server that sends a byte now and then: wherever in its answer it does so, we are done when our time is over."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from layering.errors import UnavailableError
from layering.platform import Platform
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings

_SECONDS = 0.5
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_CLIENT_HELLO = b"\x16"


def read(client: RegistryClient, repository: Repository) -> object:
    return client.image(repository.tagged("t"), Platform("linux", "amd64"))


def look(client: RegistryClient, repository: Repository) -> object:
    return client.find(repository.tagged("t"))


def push(client: RegistryClient, repository: Repository) -> object:
    return client.push_blob(repository, b"x" * 50_000_000)


@pytest.mark.parametrize(
    ("begin", "drip", "do"),
    [
        (b"HTTP/1.1 2", b"0", look),
        (_OK, b"X", look),
        (_OK + b"X: ", b"y", look),
        (_OK, b"X: y\r\n", look),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", look),
        (_OK + b"Content-Length: 1000000\r\n\r\n", b" ", read),
        (_OK + b"Connection: close\r\n\r\n", b" ", read),
        (_CHUNKED, b"0", read),
        (_CHUNKED, b"1\r\n \r\n", read),
        (_CHUNKED + b"1;", b"x", read),
        (_CHUNKED + b"0\r\n", b"X: y\r\n", read),
        (b"", b"", push),
    ],
    ids=[
        "in-its-status",
        "in-a-headers-name",
        "in-a-headers-value",
        "header-by-header",
        "continue-for-ever",
        "in-its-body",
        "in-a-body-of-no-length",
        "in-a-chunks-size",
        "chunk-by-chunk",
        "in-a-chunks-extension",
        "in-its-trailers",
        "reads-nothing-of-an-upload",
    ],
)
def test_plain(begin: bytes, drip: bytes, do: Callable[[RegistryClient, Repository], object]) -> None:
    with dripping(begin, drip) as address:
        settings = RegistrySettings(insecure=frozenset({address}), timeout_seconds=_SECONDS)
        check(address, settings, do)


def test_in_a_handshake() -> None:
    """The record of a TLS 1.2 alert, byte by byte: it says how long it is, and never is."""
    with dripping(b"\x16\x03\x03\x3f\xff", b"\x02") as address:
        check(address, RegistrySettings(timeout_seconds=_SECONDS), look)


def check(address: str, settings: RegistrySettings, do: Callable[[RegistryClient, Repository], object]) -> None:
    """Ends in UnavailableError. That it ends is the point: a test that hangs is killed by its own limit."""
    ended: list[BaseException | None] = []

    def work() -> None:
        with RegistryClient(settings, sleep=lambda seconds: time.sleep(min(seconds, 0.05))) as client:
            try:
                do(client, Repository(address, "a/b"))
            except UnavailableError as error:
                ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert len(ended) == 1


@contextmanager
def dripping(begin: bytes, drip: bytes) -> Iterator[str]:
    """A server that answers anything with `begin`, and then with `drip`, again and again; it reads the first 4 KiB."""
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            first = connection.recv(4096)
            if first.startswith(_CLIENT_HELLO) != begin.startswith(_CLIENT_HELLO):
                return
            if first.startswith(b"GET /v2/ "):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            if first.startswith(b"POST"):
                connection.sendall(
                    b"HTTP/1.1 202 OK\r\nContent-Length: 0\r\nLocation: /v2/a/b/blobs/uploads/1\r\n"
                    b"Connection: close\r\n\r\n"
                )
                return
            if first.startswith(b"HEAD") and not begin:
                connection.sendall(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            connection.sendall(begin)
            while not ended.wait(0.02):
                connection.sendall(drip)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
