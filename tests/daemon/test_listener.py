"""The small HTTP server: its paths and methods, its address, and askers that hang."""

import http.client
import logging
import socket
import struct
import threading
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from layering.errors import InputError
from watcher.listenaddress import ListenAddress
from watcher.listener import Answer, Listener
from watcher.loop import Pulse
from watcher.pages import healthz, readyz


def broken() -> Answer:
    raise ValueError("secret inside")


PAGES = {
    "/healthz": lambda: Answer.text(HTTPStatus.OK, "ok"),
    "/status": lambda: Answer.json({"kind": "Status"}),
    "/broken": broken,
}


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener(ListenAddress(host="127.0.0.1", port=0), PAGES) as running:
        yield running


def ask(listener: Listener, method: str, path: str) -> tuple[int, str | None, str]:
    connection = http.client.HTTPConnection(listener.address.host, listener.address.port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def wait_for_threads(before: list[threading.Thread]) -> None:
    """Until no connection is answered any more, but those of other servers of this process, which were there before."""

    def answering() -> list[threading.Thread]:
        return [each for each in threading.enumerate() if "process_request_thread" in each.name and each not in before]

    while found := answering():
        for thread in found:
            if thread.ident is not None:  # one that is listed and not begun yet comes up again
                thread.join()


TEXT = "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/healthz", (200, TEXT, "ok\n")),
        ("GET", "/healthz?x=1", (200, TEXT, "ok\n")),
        ("HEAD", "/healthz", (200, TEXT, "")),
        ("GET", "/status", (200, "application/json", '{\n  "kind": "Status"\n}\n')),
        ("GET", "/", (404, TEXT, "there is /healthz, /status, /broken\n")),
        ("GET", "/healthz/..", (404, TEXT, "there is /healthz, /status, /broken\n")),
    ],
    ids=["get", "query", "head", "json", "root", "elsewhere"],
)
def test_what_is_answered(listener: Listener, method: str, path: str, expected: tuple[int, str, str]) -> None:
    assert ask(listener, method, path) == expected


@pytest.mark.parametrize(
    ("method", "status"), [("POST", 404), ("PUT", 501), ("DELETE", 501), ("PATCH", 501), ("OPTIONS", 501)]
)
def test_nothing_can_be_written(listener: Listener, method: str, status: int) -> None:
    assert ask(listener, method, "/healthz")[0] == status


def test_a_defect_is_an_answer_that_tells_nothing(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, logger="layerwatch.listener"):
        status, _, text = ask(listener, "GET", "/broken")
    assert status == 500
    assert "secret" not in text


def test_whoever_goes_away_early_leaves_nothing_on_stderr(
    listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    before = threading.enumerate()
    for _ in range(5):
        asker = socket.create_connection((listener.address.host, listener.address.port))
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed with a reset
        asker.sendall(b"GET /status HTTP/1.1\r\n\r\n" * 50)
        asker.close()
    assert ask(listener, "GET", "/healthz")[0] == 200  # after the others: all have begun
    wait_for_threads(before)
    assert capfd.readouterr().err == ""


def test_a_request_that_comes_byte_by_byte_is_cut() -> None:
    with (
        Listener(ListenAddress(host="127.0.0.1", port=0), PAGES, connection_seconds=0.5) as listener,
        socket.create_connection((listener.address.host, listener.address.port)) as slow,
    ):
        slow.settimeout(0.05)
        for _ in range(600):
            try:
                slow.sendall(b"G")
                assert slow.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                pass
            return
    pytest.fail("it is still listened to")


def test_one_that_says_nothing_keeps_no_other_waiting(listener: Listener) -> None:
    with socket.create_connection((listener.address.host, listener.address.port)):
        assert ask(listener, "GET", "/healthz")[0] == 200


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:80", "::1", 80),
        ("localhost:1", "localhost", 1),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = ListenAddress.parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "host", "host:", "host:http", "host:-1", "host:65536", "::1:80", "[]:1", "h:٣"]
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(InputError):
        ListenAddress.parse(text)


def test_an_address_that_is_taken_is_said_at_once(listener: Listener) -> None:
    with pytest.raises(InputError, match="cannot listen"):
        Listener(listener.address, PAGES)


@pytest.mark.parametrize(
    ("silence", "busy", "status"),
    [(0, False, 200), (599, False, 200), (600, False, 503), (7000, True, 200)],
    ids=["turns", "slow", "hangs", "builds for long"],
)
def test_healthy_while_the_loop_turns_or_a_program_works(silence: float, busy: bool, status: int) -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0], lambda: busy)
    now[0] += silence
    assert healthz(pulse).status == status


@pytest.mark.parametrize(("is_ready", "status"), [(True, 200), (False, 503)])
def test_ready(is_ready: bool, status: int) -> None:
    assert readyz(is_ready=is_ready).status == status
