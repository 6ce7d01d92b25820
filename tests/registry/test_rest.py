"""A host that did not answer, or has no time for us, is left alone; for how long, and who is not."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from layering.errors import UnavailableError
from layering.reference import Repository
from layering.registry.client import RegistryClient, Request
from layering.registry.rest import Rest
from layering.registry.server import RegistryServer
from layering.registry.server_http import error
from layering.registry.settings import RegistrySettings


def is_left_alone(rest: Rest, host: str) -> bool:
    try:
        rest.begin(host)
    except UnavailableError:
        return True
    return False


@pytest.mark.parametrize(
    ("seconds", "asked", "until"),
    [(30.0, 0.0, 30.0), (30.0, 90.0, 90.0), (30.0, 5.0, 30.0), (30.0, 1e9, 3600.0), (0.0, 90.0, 90.0), (0.0, 0.0, 0.0)],
    ids=["ours", "theirs", "the-longer-one", "an-hour-at-most", "only-theirs", "not-at-all"],
)
def test_how_long(seconds: float, asked: float, until: float) -> None:
    now = [100.0]
    rest = Rest(seconds, clock=lambda: now[0])
    rest.after_refusal("q.io", 429, asked)
    for at in (0.0, until - 0.1):
        now[0] = 100 + at
        assert is_left_alone(rest, "q.io") is (0 <= at < until)
        assert not is_left_alone(rest, "r.io")
    now[0] = 100 + until
    assert not is_left_alone(rest, "q.io")


@pytest.mark.parametrize(
    ("status", "asked", "left_alone"),
    [(429, 0.0, True), (500, 0.0, False), (502, 0.0, False), (503, 0.0, False), (503, 90.0, True)],
    ids=["too-many", "a-defect", "a-gateway", "not-now", "not-now-but-then"],
)
def test_one_question_that_it_cannot_answer_is_no_matter_of_the_host(
    status: int, asked: float, left_alone: bool
) -> None:
    rest = Rest(30)
    rest.after_refusal("q.io", status, asked)
    assert is_left_alone(rest, "q.io") is left_alone


@pytest.mark.parametrize(
    ("answered_at", "left_alone"), [(None, True), (90.0, True), (110.0, False)], ids=["never", "before", "meanwhile"]
)
def test_a_host_that_answers_others_is_not_left_alone(answered_at: float | None, left_alone: bool) -> None:
    now = [90.0]
    rest = Rest(30, clock=lambda: now[0])
    if answered_at == 90.0:
        rest.answered("q.io")
    now[0] = 100.0
    began = rest.begin("q.io")
    now[0] = 110.0
    if answered_at == 110.0:
        rest.answered("q.io")
    now[0] = 120.0
    rest.after_failure("q.io", UnavailableError("no answer in time"), began)
    assert is_left_alone(rest, "q.io") is left_alone


def look(client: RegistryClient, address: str, repository: str) -> str:
    try:
        client.find(Repository(address, repository).tagged("t"))
    except UnavailableError as failure:
        return str(failure)
    return ""


def test_what_does_not_answer_is_asked_with_one_question_only() -> None:
    sent: list[Request] = []
    with silent() as dead, RegistryServer() as alive:
        settings = RegistrySettings(insecure=frozenset({alive.address}), timeout_seconds=3)
        with RegistryClient(settings, on_request=sent.append, rest_seconds=30) as client:
            first = look(client, dead, "a/b")
            asked = len(sent)
            second = look(client, dead, "c/d")
            assert len(sent) == asked
            assert look(client, alive.address, "a/b") == ""
    assert "in time" in first or "took too long" in first
    assert "left alone" in second


def test_a_registry_that_throttles_is_not_asked_again_before_its_time() -> None:
    with RegistryServer(intercept=lambda asked: error(429, "X", "x", {"Retry-After": "600"})) as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        with RegistryClient(settings) as client:
            assert "429" in look(client, server.address, "a/b")
            asked = len(server.requests)
            assert "left alone for 600 s" in look(client, server.address, "c/d")
    assert len(server.requests) == asked


def test_a_host_that_speaks_no_tls_is_not_left_alone_for_that() -> None:
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        with RegistryClient(settings, rest_seconds=30) as client:
            assert look(client, server.address, "a/b") == ""
            assert look(client, server.address, "c/d") == ""


@contextmanager
def silent() -> Iterator[str]:
    """A host that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
