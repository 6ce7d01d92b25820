"""Who may ask for a look, what it answers, and how many looks come of it."""

import hashlib
import hmac
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layering.errors import InputError
from tests.daemon.process import running
from tests.scenario import Scenario
from watcher.configuration import load
from watcher.daemon import Clockwork
from watcher.listenaddress import ListenAddress
from watcher.listener import Listener
from watcher.looknow import LookNow, hook_path
from watcher.settings import Schedule
from watcher.settings_http import Hook, Http, Look

TOKEN, SECRET = "pl4nted-token", "pl4nted-secret"
BODY = b'{"updated_tags": ["latest"]}'


@dataclass
class Desk:
    """A listener, what came of what was posted, and a clock."""

    directory: Path
    http: Http = field(default_factory=Http)
    now: float = 1000.0
    looks: list[float] = field(default_factory=list)
    address: ListenAddress | None = None

    def file(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def post(self, path: str, headers: dict[str, str] | None = None, body: bytes = BODY, method: str = "POST") -> int:
        assert self.address is not None
        connection = http.client.HTTPConnection(self.address.host, self.address.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(directory=tmp_path)
    hooks = [
        Hook.model_validate({"name": kind, "type": kind, "secretFile": str(made.file(kind, f"{SECRET}-{kind}\n"))})
        for kind in ("quay", "harbor", "distribution", "github", "generic")
    ]
    look = Look.model_validate({"tokenFile": str(made.file("token", f"{TOKEN}\n"))})
    made.http = Http(look=look, hooks=tuple(hooks))
    ask = LookNow(lambda: made.http, lambda seconds: made.looks.append(made.now + seconds), lambda: made.now)
    with Listener(ListenAddress(host="127.0.0.1", port=0), {}, ask) as listener:
        made.address = listener.address
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def path_of(kind: str) -> str:
    return hook_path(kind, f"{SECRET}-{kind}")


CASES: dict[str, tuple[Callable[[Desk], int], int]] = {
    "token": (lambda desk: desk.post("/look", bearer(TOKEN)), 202),
    "token-without-a-body": (lambda desk: desk.post("/look", bearer(TOKEN), b""), 202),
    "scheme-in-lower-case": (lambda desk: desk.post("/look", {"Authorization": f"bearer {TOKEN}"}), 202),
    "another-token": (lambda desk: desk.post("/look", bearer(TOKEN + "x")), 401),
    "half-a-token": (lambda desk: desk.post("/look", bearer(TOKEN[:-1])), 401),
    "an-empty-token": (lambda desk: desk.post("/look", bearer("")), 401),
    "no-token": (lambda desk: desk.post("/look"), 401),
    "as-a-password": (lambda desk: desk.post("/look", {"Authorization": f"Basic {TOKEN}"}), 401),
    "odd-characters": (lambda desk: desk.post("/look", bearer("\u00e9")), 401),
    "quay": (lambda desk: desk.post(path_of("quay")), 202),
    "harbor": (lambda desk: desk.post(path_of("harbor")), 202),
    "distribution": (lambda desk: desk.post(path_of("distribution")), 202),
    "generic": (lambda desk: desk.post(path_of("generic"), body=b"not JSON"), 202),
    "github-signed": (lambda desk: desk.post(path_of("github"), signed(BODY, f"{SECRET}-github")), 202),
    "github-of-another-body": (lambda desk: desk.post(path_of("github"), signed(b"x", f"{SECRET}-github")), 401),
    "github-by-another-secret": (lambda desk: desk.post(path_of("github"), signed(BODY, SECRET)), 401),
    "github-unsigned": (lambda desk: desk.post(path_of("github")), 401),
    "a-hook-nobody-has": (lambda desk: desk.post("/hook/" + "0" * 64), 404),
    "a-hook-by-its-name": (lambda desk: desk.post("/hook/quay"), 404),
    "a-hook-with-another-secret": (lambda desk: desk.post(hook_path("quay", SECRET)), 404),
    "a-hook-in-upper-case": (lambda desk: desk.post(path_of("quay").upper().replace("/HOOK", "/hook")), 404),
    "elsewhere": (lambda desk: desk.post("/"), 404),
    "a-query": (lambda desk: desk.post("/look?x=1", bearer(TOKEN)), 404),
    "get": (lambda desk: desk.post("/look", bearer(TOKEN), method="GET"), 404),
    "put": (lambda desk: desk.post("/look", bearer(TOKEN), method="PUT"), 501),
    "a-body-of-a-megabyte": (lambda desk: desk.post("/look", bearer(TOKEN), b"x" * 1024 * 1024), 202),
    "a-longer-body": (lambda desk: desk.post("/look", {**bearer(TOKEN), "Content-Length": "1048577"}, b""), 413),
    "an-endless-number": (lambda desk: desk.post("/look", {**bearer(TOKEN), "Content-Length": "9" * 400}, b""), 413),
    "a-negative-length": (lambda desk: desk.post("/look", {**bearer(TOKEN), "Content-Length": "-1"}, b""), 411),
    "in-chunks": (lambda desk: desk.post("/look", {**bearer(TOKEN), "Transfer-Encoding": "chunked"}, b""), 411),
}


@pytest.mark.parametrize("name", CASES)
def test_who_may_ask(desk: Desk, name: str, caplog: pytest.LogCaptureFixture) -> None:
    ask, status = CASES[name]
    with caplog.at_level("DEBUG"):
        assert ask(desk) == status
    assert desk.looks == ([desk.now] if status == 202 else [])
    assert TOKEN not in caplog.text
    assert path_of("quay")[6:] not in caplog.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "BREW"])
def test_a_hooks_path_is_in_no_log(desk: Desk, method: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        assert desk.post(path_of("quay"), method=method) in (404, 501)
    assert caplog.records
    assert path_of("quay")[6:] not in caplog.text


def test_a_secret_is_read_each_time(desk: Desk) -> None:
    desk.file("token", "another")
    assert desk.post("/look", bearer(TOKEN)) == 401
    assert desk.post("/look", bearer("another")) == 202


@pytest.mark.parametrize("text", ["", "\n", None], ids=["empty", "a-newline", "missing"])
def test_without_a_secret_nobody_may(desk: Desk, text: str | None) -> None:
    for name in ("token", "quay"):
        if text is None:
            (desk.directory / name).unlink()
        else:
            desk.file(name, text)
    assert desk.post("/look", bearer("")) == 401
    assert desk.post(hook_path("quay", "")) == 404
    assert desk.looks == []


def test_what_is_not_configured_is_not_there(desk: Desk) -> None:
    desk.http = Http()
    assert desk.post("/look", bearer(TOKEN)) == 404
    assert desk.post(path_of("quay")) == 404


def test_there_is_one_look_in_ten_seconds(desk: Desk) -> None:
    """At once, and when the ten seconds are over; who asks in between is answered by that one."""
    asked_at = [0, 0, 1, 5, 9.9, 10, 12, 25, 26, 100]
    for seconds in asked_at:
        desk.now = 1000 + seconds
        assert desk.post("/look", bearer(TOKEN)) == 202
    assert [at - 1000 for at in desk.looks] == [0, 10, 20, 30, 100]
    for asked in asked_at:
        assert any(asked <= at - 1000 <= asked + 10 for at in desk.looks)


def test_a_look_that_was_asked_for_comes_before_the_schedule() -> None:
    looked = threading.Semaphore(0)
    clockwork = Clockwork()
    try:
        with clockwork.looking(Schedule(every="1h"), looked.release):  # type: ignore[arg-type]
            assert looked.acquire(timeout=30)
            clockwork.look_in(0)
            assert looked.acquire(timeout=30)
    finally:
        clockwork.close()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{listen: nowhere}", "http.listen"),
        ("{look: {}}", "http.look.tokenFile"),
        ("{hooks: [{name: q, type: nexus, secretFile: s}]}", "http.hooks[0].type"),
        ("{hooks: [{name: q, type: quay, secretFile: s}, {name: q, type: quay, secretFile: s}]}", "http.hooks"),
        ("{token: x}", "http.token"),
    ],
)
def test_faults_are_named_by_their_path(tmp_path: Path, text: str, path: str) -> None:
    config = tmp_path / "layerwatch.yaml"
    config.write_text(f"apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\nhttp: {text}\n")
    with pytest.raises(InputError) as raised:
        load(config)
    assert f"{path} (line 3)" in str(raised.value)


def test_a_look_that_is_asked_for_is_the_second_tick_of_a_daemon(scenario: Scenario) -> None:
    """The schedule is an hour: without the look there is one tick, and the process does not end."""
    (scenario.directory / "token").write_text(TOKEN)
    document = json.loads(scenario.config.read_text())
    http_section = {"look": {"tokenFile": "token"}}
    scenario.config.write_text(json.dumps({**document, "schedule": {"every": "1h"}, "http": http_section}))
    with running(scenario.config, "--dry-run", "--ticks", "2") as daemon:
        daemon.says(reason="NeverBuilt")
        address = daemon.says(message="listening on ")["message"].removeprefix("listening on ")
        desk = Desk(directory=scenario.directory, address=ListenAddress.parse(address))
        assert desk.post("/look", bearer(TOKEN)) == 202
        assert daemon.ends() == 0
    assert len(daemon.said(message="/look asks for a look")) == 1
