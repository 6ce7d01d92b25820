"""A git server that refuses, fails, drops the line or leads astray; and where the token is seen meanwhile."""

import threading
from collections.abc import Callable

import pytest

from layering.errors import ExitCode, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.forge.remotegit import RemoteGit
from layering.reasons import Reason
from tests.forges.origin import BRANCH, FILE, LOGIN, TOKEN, WRONG, Origin, commit_of_ours
from tests.git_http import Asked, Served

Serve = Callable[[], Served]


def assert_tells_no_secret(error: LayerwatchError) -> None:
    text = f"{error} {error!r} {vars(error)} {error.__cause__}"
    assert not any(secret in text for secret in (TOKEN, "wr0ng", "Basic "))


# A server that says no


@pytest.mark.parametrize(
    ("status", "text", "error", "what"),
    [
        pytest.param(400, "", RefusedError, "it refuses (status 400)", id="400"),
        pytest.param(403, "SSO is due\nlog in", RefusedError, "it refuses (status 403) (SSO is due log in)", id="403"),
        pytest.param(404, "", NotFoundError, "there is no such repository, or the token may not see it", id="404"),
        pytest.param(410, "", NotFoundError, "there is no such repository, or the token may not see it", id="410"),
        pytest.param(408, "", UnavailableError, "returned error: 408", id="408"),
        pytest.param(429, "slowly", UnavailableError, "returned error: 429 (slowly)", id="429"),
        pytest.param(500, "", UnavailableError, "returned error: 500", id="500"),
        pytest.param(503, "upgrading", UnavailableError, "returned error: 503 (upgrading)", id="503"),
    ],
)
@pytest.mark.parametrize("kind", ["GET refs to read", "POST fetch or list"])
def test_a_status(
    origin: Origin, git: RemoteGit, kind: str, status: int, text: str, error: type[LayerwatchError], what: str
) -> None:
    served = Served(status=status, headers={"Content-Type": "text/plain"}, body=text.encode())
    origin.between = lambda asked, serve: served if asked.kind == kind else serve()
    with pytest.raises(error) as caught:
        git.refs(["main"])
    assert type(caught.value) is error
    if kind.startswith("GET"):  # of other requests git does not show the text
        assert what in caught.value.what
    assert (caught.value.where, bool(caught.value.next_step)) == (origin.url, True)
    assert caught.value.reason is (Reason.FORGE_UNREACHABLE if error is UnavailableError else Reason.FORGE_REFUSED)
    assert len(origin.kinds) <= 2
    assert_tells_no_secret(caught.value)


def test_a_login_that_is_refused(origin: Origin) -> None:
    with origin.opened(login=lambda: WRONG) as git, pytest.raises(RefusedError) as caught:
        git.refs(["main"])
    assert caught.value.what == "the login was refused"
    assert origin.kinds == ["GET refs to read"]
    assert_tells_no_secret(caught.value)


def test_a_token_that_was_changed(origin: Origin) -> None:
    """Told once that it was refused, the login is another one."""
    logins, told = [WRONG], []

    def refused() -> bool:
        told.append(logins[0])
        logins[0] = LOGIN
        return True

    with origin.opened(login=lambda: logins[0], refused=refused) as git:
        commit = commit_of_ours(git)
        logins[0] = WRONG
        assert git.push(commit, BRANCH, None)
        logins[0] = WRONG
        assert git.file(commit, FILE) == b"new\n"  # it is here
        assert git.refs([BRANCH]) == {BRANCH: commit}
    assert len(told) == 3


@pytest.mark.parametrize(
    ("name", "script", "sentence"),
    [
        pytest.param(
            "pre-receive",
            "exec >&2; echo 'error: GH006: Protected branch update failed.'; echo ' '; echo 'error: Ask joe.'; exit 1",
            "GH006: Protected branch update failed. Ask joe.",
            id="protected",
        ),
        pytest.param(
            "update", "exit 1", "hook declined to update refs/heads/layerwatch/prod/worker", id="without a word"
        ),
        pytest.param(
            "pre-receive",
            f"exec >&2; printf '\\033[31mno\\033[0m %s token=hunter2\\n' '{TOKEN}'; seq 1 500 | tr '\\n' ' '; exit 1",
            "no *** token=*** 1 2 3",
            id="colours, secrets and much of it",
        ),
    ],
)
def test_a_hook_says_no(origin: Origin, git: RemoteGit, name: str, script: str, sentence: str) -> None:
    origin.hook(name, script)
    with pytest.raises(RefusedError) as caught:
        git.push(commit_of_ours(git), BRANCH, None)
    error = caught.value
    assert error.what.startswith(f"the push was refused: {sentence}")
    assert len(error.what) < 400
    assert (error.reason, error.exit_code) == (Reason.FORGE_REFUSED, ExitCode.REFUSED)
    assert origin.head(BRANCH) is None
    assert_tells_no_secret(error)


def test_a_token_that_may_only_read(origin: Origin, git: RemoteGit) -> None:
    commit = commit_of_ours(git)
    served = Served(status=403, headers={"Content-Type": "text/plain"}, body=b"Write access not granted.")
    origin.between = lambda asked, serve: served if "push" in asked.kind else serve()
    origin.asked.clear()
    with pytest.raises(RefusedError, match="Write access not granted"):
        git.push(commit, BRANCH, None)
    assert origin.kinds == ["GET refs to push"]


def test_a_commit_that_is_gone(origin: Origin, git: RemoteGit) -> None:
    git.refs(["main"])
    with pytest.raises(UnavailableError, match="not our ref"):
        git.file("5" * 40, FILE)


# A line that drops


@pytest.mark.parametrize("kind", ["GET refs to push", "POST push"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_answer_to_a_push_is_lost(origin: Origin, git: RemoteGit, kind: str, when: str) -> None:
    commit = commit_of_ours(git)

    def drops(asked: Asked, serve: Serve) -> Served | None:
        if asked.kind != kind:
            return serve()
        if when == "after":
            serve()
        return None

    origin.between = drops
    if (kind, when) == ("POST push", "after"):
        assert git.push(commit, BRANCH, None)
        assert origin.head(BRANCH) == commit
    else:
        with pytest.raises(UnavailableError) as caught:
            git.push(commit, BRANCH, None)
        assert caught.value.reason is Reason.FORGE_UNREACHABLE
        assert origin.head(BRANCH) is None
    assert origin.kinds[-2:] == ["GET refs to read", "POST fetch or list"]


def test_the_answer_is_lost_and_somebody_elses_is_there(origin: Origin, git: RemoteGit) -> None:
    commit = commit_of_ours(git)

    def drops(asked: Asked, serve: Serve) -> Served | None:
        if asked.kind == "POST push":
            origin.commit({"theirs": "x\n"}, branch=BRANCH, on="main")
            return None
        return serve()

    origin.between = drops
    assert git.push(commit, BRANCH, None) is False


@pytest.mark.parametrize("kind", ["GET refs to read", "POST fetch or list"])
@pytest.mark.parametrize("cut", [None, 3, 40])
def test_the_line_drops_while_reading(origin: Origin, git: RemoteGit, kind: str, cut: int | None) -> None:
    def drops(asked: Asked, serve: Serve) -> Served | None:
        served = serve()
        if asked.kind != kind or cut is None:
            return served if asked.kind != kind else None
        headers = {**served.headers, "Content-Length": str(len(served.body))}
        return Served(status=served.status, headers=headers, body=served.body[:cut])

    origin.between = drops
    for read in (lambda: git.refs(["main"]), lambda: git.file(str(origin.head("main")), FILE)):
        with pytest.raises(UnavailableError) as caught:
            read()
        assert caught.value.reason is Reason.FORGE_UNREACHABLE
    origin.between = lambda _, serve: serve()
    assert git.file(str(origin.head("main")), FILE) == b"old\n"


def test_a_server_that_hangs_is_given_up(origin: Origin) -> None:
    over = threading.Event()

    def hangs(asked: Asked, serve: Serve) -> Served | None:
        over.wait(60)
        return None

    origin.between = hangs
    try:
        with origin.opened(silence_seconds=1) as git, pytest.raises(UnavailableError, match=r"too slow"):
            git.refs(["main"])
        assert not over.is_set()
    finally:
        over.set()


def test_nobody_answers() -> None:
    with RemoteGit("http://127.0.0.1:1/forge.git") as git, pytest.raises(UnavailableError, match="Failed to connect"):
        git.refs(["main"])


# Waiting


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["GET refs to read", "POST fetch or list", "GET refs to push", "POST push"])
def test_it_tries_again_while_it_may_wait(origin: Origin, kind: str, failures: int) -> None:
    """Two pauses are allowed; the server fails so many times and is well then."""
    asked_for: list[str] = []
    failed: list[Asked] = []

    def pause() -> bool:
        asked_for.append(kind)
        return len(asked_for) <= 2

    def fails(asked: Asked, serve: Serve) -> Served | None:
        if asked.kind != kind or len(failed) == failures:
            return serve()
        failed.append(asked)
        return Served(status=503) if len(failed) % 2 else None

    with origin.opened(pause=pause) as git:
        commit = commit_of_ours(git)
        origin.between = fails
        work = (lambda: git.push(commit, BRANCH, None)) if "push" in kind else (lambda: git.refs(["main"]))
        if failures <= 2:
            assert work()
        else:
            with pytest.raises(UnavailableError):
                work()
    assert len(asked_for) == failures
    assert origin.head(BRANCH) == (commit if "push" in kind and failures <= 2 else None)


def test_a_push_that_is_being_tried_again_takes_nothing_from_others(origin: Origin) -> None:
    def pause() -> bool:
        origin.commit({"theirs": "x\n"}, branch=BRANCH, on="main")
        return True

    failed: list[Asked] = []

    def fails_once(asked: Asked, serve: Serve) -> Served | None:
        if asked.kind != "POST push" or failed:
            return serve()
        failed.append(asked)
        return None

    with origin.opened(pause=pause) as git:
        commit = commit_of_ours(git)
        origin.between = fails_once
        assert git.push(commit, BRANCH, None) is False
        assert origin.head(BRANCH) != commit


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_no_is_not_waited_for(origin: Origin, status: int) -> None:
    origin.between = lambda asked, serve: Served(status=status)
    with origin.opened(pause=lambda: pytest.fail("it waited")) as git, pytest.raises(RefusedError):
        git.refs(["main"])


def test_a_commit_that_is_gone_is_not_waited_for(origin: Origin) -> None:
    with origin.opened(pause=lambda: pytest.fail("it waited")) as git, pytest.raises(UnavailableError, match="not our"):
        git.file("5" * 40, FILE)
