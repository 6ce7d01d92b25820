"""What a cluster can do to those who ask it: killed, frozen, restarted, tokens that run out, answers that are none."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from layering.cluster.access import InCluster, Kubeconfig
from layering.cluster.api import ClusterApi, ExpiredError
from layering.cluster.resources import CONFIG_MAPS, NODES, PIPELINE_RUNS
from layering.cluster.watches import follow
from layering.errors import ContentError, InputError, LayerwatchError, RefusedError, UnavailableError
from layering.reasons import Reason
from tests.kubernetes.server import TestApiServer

WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def server() -> Iterator[TestApiServer]:
    """A server of our own to break. It has no CRDs: plain Kubernetes."""
    with TestApiServer() as server:
        yield server


@pytest.fixture
def api(server: TestApiServer) -> Iterator[ClusterApi]:
    with ClusterApi(Kubeconfig(file=server.kubeconfig), name="prod", timeout_seconds=2) as api:
        yield api


def reason_of(ask: Callable[[], object]) -> Reason | None:
    try:
        ask()
    except LayerwatchError as error:
        return error.reason
    return None


def test_a_server_that_is_killed_is_unreachable_and_one_that_is_back_is_asked_again(
    server: TestApiServer, api: ClusterApi
) -> None:
    api.list(CONFIG_MAPS, namespace="default")
    server.kill()
    assert reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")) is Reason.UNREACHABLE
    server.start_again()
    assert reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")) is None


def test_a_server_that_hangs_is_timed_out(server: TestApiServer, api: ClusterApi) -> None:
    api.list(CONFIG_MAPS, namespace="default")
    server.freeze()
    try:
        reasons = [
            reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")),
            reason_of(lambda: list(api.watch(CONFIG_MAPS, resource_version="1", timeout_seconds=30))),
            reason_of(lambda: api.create(CONFIG_MAPS, {"metadata": {"name": "x"}}, namespace="default")),
        ]
    finally:
        server.thaw()
    assert reasons == [Reason.TIMED_OUT] * 3
    assert reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")) is None


def test_a_watch_from_before_a_restart_has_expired(server: TestApiServer, api: ClusterApi) -> None:
    version = api.list(CONFIG_MAPS, namespace="default").resource_version
    server.admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace="default")
    server.start_again()
    with pytest.raises(ExpiredError):
        list(api.watch(CONFIG_MAPS, namespace="default", resource_version=version, timeout_seconds=5))


def test_following_survives_a_killed_server_and_what_it_forgot(server: TestApiServer, api: ClusterApi) -> None:
    told, stop = threading.Semaphore(0), threading.Event()
    follower = threading.Thread(
        target=follow, args=(api, CONFIG_MAPS, told.release, stop), kwargs={"namespace": "default"}, daemon=True
    )
    follower.start()
    assert told.acquire(timeout=WAIT_SECONDS)  # what is there already may be news
    server.admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace="default")
    assert told.acquire(timeout=WAIT_SECONDS)
    server.admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace="kube-system")
    server.start_again()  # and what went on between is forgotten: 410
    assert told.acquire(timeout=WAIT_SECONDS)  # something may have been missed
    while told.acquire(timeout=0.5):
        pass
    server.admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace="default")
    assert told.acquire(timeout=WAIT_SECONDS)
    stop.set()
    api.close()
    follower.join(timeout=WAIT_SECONDS)
    assert not follower.is_alive()


def test_following_what_is_not_served_waits_for_it(server: TestApiServer, api: ClusterApi) -> None:
    told, stop = threading.Event(), threading.Event()
    follower = threading.Thread(target=follow, args=(api, PIPELINE_RUNS, told.set, stop), daemon=True)
    follower.start()
    assert not told.wait(0.5)
    stop.set()
    follower.join(timeout=WAIT_SECONDS)
    assert not follower.is_alive()


def test_a_token_that_ran_out_is_unauthorized_until_the_kubeconfig_has_another(
    server: TestApiServer, tmp_path: Path
) -> None:
    file = server.kubeconfig_for(server.expired_token_for("watcher", "default"), tmp_path / "kubeconfig")
    with ClusterApi(Kubeconfig(file=file), name="prod") as api:
        with pytest.raises(RefusedError) as caught:
            api.list(CONFIG_MAPS, namespace="default")
        assert caught.value.reason is Reason.UNAUTHORIZED
        server.kubeconfig_for(server.token_for("watcher", "default"), file)
        assert reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")) is Reason.FORBIDDEN  # it is let in


def test_a_kubeconfig_that_is_broken_for_a_moment_is_read_again_when_it_is_whole(
    server: TestApiServer, tmp_path: Path
) -> None:
    file = server.kubeconfig_for(server.token_for("watcher", "default"), tmp_path / "kubeconfig")
    whole = file.read_text()
    with ClusterApi(Kubeconfig(file=file), name="prod") as api:
        seen = []
        for content in (whole, whole[:40], whole):
            file.write_text(content)
            seen.append(reason_of(lambda: api.list(NODES)))
    assert seen == [Reason.FORBIDDEN, Reason.INPUT_INVALID, Reason.FORBIDDEN]


def test_a_pods_token_is_read_again(server: TestApiServer, tmp_path: Path) -> None:
    old = server.expired_token_for("watcher", "default")
    environment = server.pod_files_for(old, "default", tmp_path)
    access = InCluster(environment=environment)
    with ClusterApi(access, name="prod") as api:
        assert reason_of(lambda: api.list(NODES)) is Reason.UNAUTHORIZED
        (tmp_path / "token").write_text(server.token_for("watcher", "default"))
        assert reason_of(lambda: api.list(NODES)) is Reason.FORBIDDEN
    assert access.namespace == "default"


def test_a_server_that_is_not_the_one_it_should_be_gets_no_token(server: TestApiServer, tmp_path: Path) -> None:
    document = yaml.safe_load(server.kubeconfig.read_text())
    del document["clusters"][0]["cluster"]["certificate-authority"]
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    with ClusterApi(Kubeconfig(file=file), name="prod") as api, pytest.raises(UnavailableError) as caught:
        api.list(NODES)
    assert caught.value.reason is Reason.UNREACHABLE
    assert "certificate is not trusted" in caught.value.what


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

    def start(status: int, body: bytes, headers: dict[str, str] | None = None) -> ClusterApi:
        handler = type("Answer", (_Answer,), {"status": status, "body": body, "headers_sent": headers or {}})
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
        return ClusterApi(Kubeconfig(file=file), name="prod", timeout_seconds=2)

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


class _Dripping(_Answer):
    """A byte at a time, never done."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" ")
                threading.Event().wait(0.05)
        except OSError:
            return


def test_an_answer_that_drips_is_timed_out(answering: Callable[..., ClusterApi], tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Dripping)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        api = answering(200, b"")
        file = tmp_path / "kubeconfig"
        document = json.loads(file.read_text())
        document["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{server.server_port}"
        file.write_text(json.dumps(document))
        assert reason_of(lambda: api.list(NODES)) is Reason.TIMED_OUT
        assert reason_of(lambda: api.within(0.2).list(NODES)) is Reason.TIMED_OUT
    finally:
        server.shutdown()
        server.server_close()


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
