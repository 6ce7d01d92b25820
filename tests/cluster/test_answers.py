"""Answers that a healthy API server does not give: overloaded, half, dripping, or somebody else's altogether."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from layering.cluster import exchange
from layering.cluster.access import Kubeconfig
from layering.cluster.api import ClusterApi, ExpiredError
from layering.cluster.resources import NODES
from layering.errors import ContentError, InputError, LayerwatchError, RefusedError, UnavailableError
from layering.reasons import Reason


class _Answer(BaseHTTPRequestHandler):
    """Answers every request as the class says: for answers that a healthy API server does not give."""

    status: ClassVar[int] = 200
    body: ClassVar[bytes] = b""
    headers_sent: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        self.send_response(self.status)
        for name, value in {"Content-Length": str(len(self.body)), **self.headers_sent}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Callable[..., ClusterApi]]:
    """Give it an answer, and get the API of a cluster that gives no other."""
    servers = []

    def start(
        status: int, body: bytes, headers: dict[str, str] | None = None, handler: type[_Answer] = _Answer
    ) -> ClusterApi:
        handler = type("Answer", (handler,), {"status": status, "body": body, "headers_sent": headers or {}})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        document: dict[str, Any] = {
            "clusters": [cluster],
            "contexts": [{"name": "x", "context": {"cluster": "c"}}],
            "current-context": "x",
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(document))
        api = ClusterApi(Kubeconfig(file=file), name="prod", timeout_seconds=2)
        api._connector.get()  # what is timed is the exchange alone
        return api

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


STATUS = json.dumps({"kind": "Status", "message": "said\x1b[31m " + "x" * 2000}).encode()
ANSWERS: dict[str, tuple[int, bytes, dict[str, str], type[LayerwatchError], Reason, str]] = {
    "too many requests": (429, STATUS, {"Retry-After": "8"}, UnavailableError, Reason.THROTTLED, "wait 8 s"),
    "overloaded": (503, STATUS, {"Retry-After": "600"}, UnavailableError, Reason.UNREACHABLE, "said"),
    "etcd is gone": (504, b"Gateway Timeout", {}, UnavailableError, Reason.UNREACHABLE, "504"),
    "no message": (500, b"{}", {}, UnavailableError, Reason.UNREACHABLE, "500"),
    "a body of nonsense": (422, b"[" * 100_000, {}, InputError, Reason.INPUT_INVALID, "422"),
    "sent elsewhere": (302, b"", {"Location": "https://login.test"}, ContentError, Reason.CONTENT_INVALID, "302"),
    "a login page": (200, b"<html>", {}, ContentError, Reason.CONTENT_INVALID, "not JSON"),
    "no object": (200, b"[]", {}, ContentError, Reason.CONTENT_INVALID, "no object"),
    "cut off": (200, b'{"items"', {"Content-Length": "100"}, UnavailableError, Reason.UNREACHABLE, "cannot be reached"),
    "no TLS refusal": (401, b"", {}, RefusedError, Reason.UNAUTHORIZED, "token"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "headers", "kind", "reason", "what"), ANSWERS.values(), ids=ANSWERS)
def test_answers(
    answering: Callable[..., ClusterApi],
    status: int,
    body: bytes,
    headers: dict[str, str],
    kind: type[LayerwatchError],
    reason: Reason,
    what: str,
) -> None:
    with pytest.raises(kind) as caught:
        answering(status, body, headers).list(NODES)
    assert caught.value.reason is reason
    assert what in caught.value.what
    assert caught.value.where == "prod: nodes"
    assert caught.value.what.isprintable()
    assert len(caught.value.what) < 600


def test_what_loading_the_client_takes_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.0]
    monkeypatch.setattr(exchange, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    monkeypatch.setattr(exchange, "load_client", lambda: seconds.append(seconds.pop() + 60))
    assert exchange.Limit(10).left("prod") == 10


class _Throttled(_Answer):
    """Asks the first one to come again in a second."""

    def do_GET(self) -> None:
        if not self.headers_sent.pop("Retry-After", None):
            super().do_GET()
            return
        self.send_response(429)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_a_read_that_is_told_to_come_again_soon_does(answering: Callable[..., ClusterApi]) -> None:
    api = answering(200, b'{"items": []}', {"Retry-After": "1"}, _Throttled)
    assert api.list(NODES).items == ()


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [
        pytest.param("1", 2, id="again and again: others share the time limit"),
        pytest.param("2", 1, id="later than there is time for"),
        pytest.param("9" * 5000, 1, id="a number without end"),
    ],
)
def test_a_read_that_is_told_to_come_again_ends(answering: Callable[..., ClusterApi], seconds: str, asked: int) -> None:
    codes: list[int | str] = []
    api = answering(429, b"", {"Retry-After": seconds})
    api._exchange._on_request = codes.append
    with pytest.raises(UnavailableError) as caught:
        api.list(NODES)
    assert (caught.value.reason, len(str(caught.value)) < 300) == (Reason.THROTTLED, True)
    assert codes == [429] * asked


class _Dripping(_Answer):
    """A byte at a time, never done."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with contextlib.suppress(OSError):  # who asked has gone
            while True:
                self.wfile.write(b" ")
                time.sleep(0.05)


def test_an_answer_that_drips_is_timed_out(answering: Callable[..., ClusterApi]) -> None:
    api = answering(200, b"", handler=_Dripping)
    for asked in (api, api.within(0.2)):
        with pytest.raises(UnavailableError) as caught:
            asked.list(NODES)
        assert caught.value.reason is Reason.TIMED_OUT


EVENTS: dict[str, tuple[bytes, type[LayerwatchError]]] = {
    "no JSON": (b"hello\n", ContentError),
    "no event": (b'{"type": 1}\n', ContentError),
    "forgotten": (b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}\n', ExpiredError),
    "an error of the server's": (b'{"type": "ERROR", "object": {"code": 500}}\n', UnavailableError),
    "an error without a code": (b'{"type": "ERROR", "object": {}}\n', UnavailableError),
}


@pytest.mark.parametrize(("body", "kind"), EVENTS.values(), ids=EVENTS)
def test_events_that_are_none(answering: Callable[..., ClusterApi], body: bytes, kind: type[LayerwatchError]) -> None:
    with pytest.raises(kind):
        list(answering(200, body).watch(NODES, resource_version="1", timeout_seconds=5))
