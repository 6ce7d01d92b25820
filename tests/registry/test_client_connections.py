"""What a question costs: requests, connections and tokens, with one thread and with many."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from layering.reference import Repository
from layering.registry.client import RegistryClient, Request
from layering.registry.manifest import OCI_CONFIG, OCI_MANIFEST, sha256
from layering.registry.server import RegistryServer, one_of
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from tests.docker_registry import make_certificate, write_auth_file
from tests.registry.relay import Relay

MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": str(sha256(b"{}")), "size": 2},
        "layers": [],
    }
).encode()
THREADS = 16


@pytest.fixture(params=["http", "https"])
def relay(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Relay]:
    """A way to a registry that holds one image and wants a password."""
    tls = make_certificate(tmp_path) if request.param == "https" else None
    with (
        RegistryServer(tls=tls, check_password=one_of({"joe": "pw"})) as server,
        Relay(server.address) as relay,
    ):
        yield relay


@pytest.fixture
def settings(relay: Relay, tmp_path: Path) -> RegistrySettings:
    auth_file = write_auth_file(tmp_path / "auth.json", relay.address, "joe", "pw")
    certificate = tmp_path / "ca.pem"
    if certificate.exists():
        return RegistrySettings(auth_file=auth_file, ca_file=certificate)
    return RegistrySettings(auth_file=auth_file, insecure=frozenset({relay.address}))


def push_image(client: RegistryClient, repository: Repository) -> None:
    client.push_blob(repository, b"{}")
    client.push_manifest(repository.tagged("t"), MANIFEST, OCI_MANIFEST)


def test_a_steady_question_is_one_head_on_one_connection(relay: Relay, settings: RegistrySettings) -> None:
    sent: list[Request] = []
    repository = Repository(relay.address, "a/b")
    with RegistryClient(settings, on_request=sent.append) as client:
        push_image(client, repository)
        before, connections = len(sent), relay.connections
        for _ in range(10):
            assert client.find(repository.tagged("t")) is not None
            assert client.find(repository.tagged("none")) is None
        assert [request.method for request in sent[before:]] == ["HEAD"] * 20
        assert relay.connections == connections


def test_what_is_refused_or_read_whole_leaves_its_connection_open(relay: Relay, settings: RegistrySettings) -> None:
    repository = Repository(relay.address, "a/b")
    with RegistryClient(settings) as client:
        push_image(client, repository)
        connections = relay.connections
        for _ in range(5):
            client.manifest(repository.tagged("t"))
            client.tags(repository)
            client.has_blob(repository, sha256(b"not there"))
            with pytest.raises(Exception, match="404"):
                client.manifest(repository.tagged("none"))
        assert relay.connections == connections


def test_the_password_is_asked_for_once_per_host(relay: Relay, settings: RegistrySettings) -> None:
    sent: list[Request] = []
    with RegistryClient(settings, on_request=sent.append) as client:
        for path in ("a", "b", "c"):
            client.find(Repository(relay.address, path).tagged("t"))
    assert [request.status for request in sent if request.path != "/v2/"] == [401, 404, 404, 404]


def test_threads_share_the_pool(relay: Relay, settings: RegistrySettings) -> None:
    repository = Repository(relay.address, "a/b")
    with RegistryClient(settings) as client:
        push_image(client, repository)
        connections = relay.connections
        at_once(lambda: [client.find(repository.tagged("t")) for _ in range(10)])
        assert relay.connections - connections < THREADS


class TokenService:
    """A registry's hook that wants a Bearer token; it counts what it issues, and takes none but the last."""

    def __init__(self) -> None:
        self.url = ""
        self.issued = 0
        self._guard = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        with self._guard:
            if asked.target.startswith("/token"):
                self.issued += 1
                return Answer(status=200, body=json.dumps({"token": f"t{self.issued}", "expires_in": 300}).encode())
            if asked.headers.get("authorization") != f"Bearer t{self.issued}":
                realm = f'Bearer realm="{self.url}/token",service="s"'
                return error(401, "UNAUTHORIZED", "no", {"WWW-Authenticate": realm})
        digest = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": str(sha256(MANIFEST))}
        return Answer(status=200, headers=digest, body=MANIFEST)

    def revoke(self) -> None:
        self.issued += 1


def test_many_threads_fetch_one_token_and_replace_it_once() -> None:
    service = TokenService()
    with RegistryServer(intercept=service) as server:
        service.url = server.url
        repository = Repository(server.address, "a/b")
        with RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client:
            at_once(lambda: client.resolve(repository.tagged("t")))
            assert service.issued == 1
            service.revoke()
            at_once(lambda: client.resolve(repository.tagged("t")))
            assert service.issued == 3


def at_once(work: Callable[[], object]) -> None:
    """Do it in all threads, and raise what one of them raised."""
    together = threading.Barrier(THREADS)

    def begin() -> None:
        together.wait(timeout=30)
        work()

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(begin) for _ in range(THREADS)]:
            done.result()
