"""A git server that says when it wants the next request (Retry-After), to reads and to pushes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from layering.errors import RefusedError, UnavailableError
from layering.forge.gittrace import asked_seconds
from layering.forge.limit import Limit
from layering.forge.patience import Patience
from layering.forge.remotegit import RemoteGit
from tests.forges.origin import BRANCH, LOGIN, TOKEN, Origin, commit_of_ours
from tests.git_http import Asked, Served

READ, LIST = "GET refs to read", "POST fetch or list"
LIMITED = [403, 408, 425, 429, 500, 502, 503, 504]


@dataclass(kw_only=True)
class Clock:
    """What waiting moves, and `on` besides."""

    waited: list[float] = field(default_factory=list)
    on: float = 0.0

    def opened(self, origin: Origin) -> tuple[RemoteGit, Patience]:
        patience = Patience(60.0, sleep=self.waited.append, clock=lambda: sum(self.waited) + self.on)
        patience.begin()
        return origin.opened(pause=patience.back_off, limit=Limit(patience)), patience


def says_once(kind: str, status: int, retry_after: str) -> Callable[[Asked, Callable[[], Served]], Served]:
    """What an origin answers: to the first request of a kind this, and what git says to all others."""
    said = threading.Event()

    def between(asked: Asked, serve: Callable[[], Served]) -> Served:
        if asked.kind != kind or said.is_set():
            return serve()
        said.set()
        return Served(status=status, headers={"Retry-After": retry_after, "Content-Type": "text/plain"})

    return between


@pytest.mark.parametrize("status", LIMITED)
@pytest.mark.parametrize("kind", [READ, LIST])
def test_a_read_waits_as_long_as_it_is_asked_to(origin: Origin, kind: str, status: int) -> None:
    clock = Clock()
    git, _ = clock.opened(origin)
    origin.between = says_once(kind, status, "17")
    with git:
        assert git.refs(["main"]) == {"main": origin.head("main")}
    assert sum(clock.waited) == pytest.approx(17)
    assert origin.kinds == ([READ] if kind == READ else [READ, LIST]) + [READ, LIST]


@pytest.mark.parametrize("kind", ["GET refs to push", "POST push"])
def test_a_push_waits_as_long_as_it_is_asked_to(origin: Origin, kind: str) -> None:
    clock = Clock()
    git, _ = clock.opened(origin)
    with git:
        commit = commit_of_ours(git)
        origin.between = says_once(kind, 429, "17")
        assert git.push(commit, BRANCH, None)
    assert origin.head(BRANCH) == commit
    assert 17 <= sum(clock.waited) <= 19  # it looks first whether it was done, and a pause follows


def test_longer_than_the_patience_ends_at_once_and_nothing_is_sent_before_it_is_over(origin: Origin) -> None:
    clock = Clock()
    git, patience = clock.opened(origin)
    origin.between = says_once(READ, 429, "120")
    with git:
        for expected in ("returned error: 429", "no request for 120 s more", "no request for 90 s more"):
            patience.begin()
            with pytest.raises(UnavailableError, match=expected):
                git.refs(["main"])
            clock.on += 30 if expected.startswith("no") else 0
        assert (origin.kinds, clock.waited) == ([READ], [])
        clock.on += 60
        assert git.refs(["main"])


def test_a_no_that_says_no_time_is_a_no(origin: Origin) -> None:
    git, _ = Clock().opened(origin)
    origin.between = lambda asked, serve: Served(status=403)
    with git, pytest.raises(RefusedError):
        git.refs(["main"])


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [
        pytest.param([("HTTP/1.1 429 Too Many Requests", "Retry-After: 7")], 7, id="HTTP/1.1"),
        pytest.param([("HTTP/2 429", "retry-after: 7")], 7, id="HTTP/2"),
        pytest.param([("HTTP/1.1 200 OK",), ("HTTP/1.1 503 Later", "Retry-After: 7")], 7, id="after a proxy's answer"),
        pytest.param([("HTTP/1.1 503 Later", "Retry-After: 7"), ("HTTP/1.1 500 Oops",)], None, id="another's"),
        pytest.param([("HTTP/1.1 200 OK", "Retry-After: 7")], None, id="no failure"),
        pytest.param([("HTTP/1.1 404 Not Found", "Retry-After: 7")], None, id="not there"),
        pytest.param(
            [("HTTP/1.1 429 -", "Date: Fri, 15 Jan 2027 08:00:00 GMT", "Retry-After: Fri, 15 Jan 2027 08:00:09 GMT")],
            9,
            id="a date, by the server's clock",
        ),
        pytest.param([("HTTP/1.1 429 -", "X: <= Recv header: Retry-After: 7")], None, id="in another header"),
        pytest.param([("HTTP/1.1 429 -", "Retry-After: soon")], None, id="no time"),
        pytest.param([], None, id="no answer"),
    ],
)
def test_what_the_last_answer_asked_for(answers: list[tuple[str, ...]], seconds: float | None) -> None:
    lines = [f"15:44:14.921705 http.c:684              <= Recv header: {line}" for each in answers for line in each]
    assert asked_seconds("\n".join([*lines, "15:44:14.9 http.c:725  == Info: Closing"]).encode()) == seconds


def test_what_git_tells_of_its_requests_is_not_kept_and_has_no_login(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces: list[bytes] = []
    monkeypatch.setattr("layering.forge.githttp.asked_seconds", traces.append)
    origin.between = lambda asked, serve: Served(status=429)
    with origin.opened() as git:
        with pytest.raises(UnavailableError):
            git.refs(["main"])
        assert list(git._directory.iterdir()) == []
    assert b"Authorization: Basic <redacted>" in traces[0]
    assert not any(secret.encode() in traces[0] for secret in (TOKEN, str(LOGIN.user)))
