"""Whom the client believes, where it goes, and how long it waits."""

import socket
from pathlib import Path

import pytest

from layering.errors import InputError, NotFoundError, RefusedError, UnavailableError
from layering.reference import Repository
from layering.registry.client import RegistryClient, Request
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from tests.docker_registry import make_certificate, write_auth_file
from tests.ports import free_port


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path)


def find(domain: str, settings: RegistrySettings, slept: list[float] | None = None) -> object:
    waits: list[float] = [] if slept is None else slept
    with RegistryClient(settings, sleep=waits.append) as client:
        return client.find(Repository(domain, "a/b").tagged("t"))


def test_a_host_that_speaks_no_tls_is_named_insecure_or_refused() -> None:
    with RegistryServer() as server:
        with pytest.raises(RefusedError, match="--insecure-registry"):
            find(server.address, RegistrySettings())
        assert server.requests == []
        assert find(server.address, RegistrySettings(insecure=frozenset({server.address}))) is None


def test_a_certificate_for_another_name_is_no_matter_of_authorities(tls: tuple[Path, Path]) -> None:
    elsewhere = RegistryServer(tls=tls, host="127.0.0.2")
    with elsewhere as server, pytest.raises(RefusedError, match="name that its certificate is for"):
        find(server.address, RegistrySettings(ca_file=tls[0]))


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_environment_adds_authorities(tls: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, str(tls[0]))
    with RegistryServer(tls=tls) as server:
        assert find(server.address, RegistrySettings()) is None


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "not PEM"])
def test_a_named_authority_that_cannot_be_read_is_an_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(InputError, match="no certificates"):
        RegistryClient(RegistrySettings(ca_file=path))


def test_https_is_not_left_for_http(tls: tuple[Path, Path]) -> None:
    with RegistryServer() as plain, RegistryServer(tls=tls) as server:
        server.intercept = lambda asked: Answer(status=307, headers={"Location": f"{plain.url}{asked.target}"})
        with pytest.raises(RefusedError, match="https to http"):
            find(server.address, RegistrySettings(ca_file=tls[0], insecure=frozenset({plain.address})))
        assert plain.requests == []


def test_a_host_that_was_not_named_insecure_is_verified_also_behind_one_that_was(tls: tuple[Path, Path]) -> None:
    with RegistryServer(tls=tls) as storage, RegistryServer() as server:
        server.intercept = lambda asked: Answer(status=307, headers={"Location": f"{storage.url}/x"})
        with pytest.raises(RefusedError, match="not trusted"):
            find(server.address, RegistrySettings(insecure=frozenset({server.address})))
        assert storage.requests == []


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_storage_elsewhere_refuses_is_not_said_of_the_manifest(status: int, tmp_path: Path) -> None:
    challenge = {"WWW-Authenticate": 'Basic realm="thief"'}
    with (
        RegistryServer(intercept=lambda asked: error(status, "X", "x", challenge)) as storage,
        RegistryServer() as server,
    ):
        server.intercept = lambda asked: Answer(status=307, headers={"Location": f"{storage.url}/signed?key=1"})
        auth_file = write_auth_file(tmp_path / "auth.json", server.address, "joe", "pw")
        settings = RegistrySettings(insecure=frozenset({server.address}), auth_file=auth_file)
        with pytest.raises(RefusedError, match="sends us") as caught:
            find(server.address, settings)
        assert not isinstance(caught.value, NotFoundError)
        assert len(storage.requests) == 1


def test_a_token_service_is_not_followed_elsewhere(tmp_path: Path) -> None:
    with RegistryServer() as elsewhere, RegistryServer() as server:
        realm = {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'}
        server.intercept = lambda asked: (
            Answer(status=302, headers={"Location": f"{elsewhere.url}/token"})
            if asked.target.startswith("/token")
            else error(401, "UNAUTHORIZED", "x", realm)
        )
        auth_file = write_auth_file(tmp_path / "auth.json", server.address, "joe", "pw")
        with pytest.raises(RefusedError, match="token service answers 302"):
            find(server.address, RegistrySettings(insecure=frozenset({server.address}), auth_file=auth_file))
        assert elsewhere.requests == []


@pytest.mark.parametrize("realm", ["https://thief.example.com/token", "http://joe:pw@127.0.0.1/token", "no where"])
def test_a_password_is_used_where_the_token_service_is_a_stranger(realm: str, tmp_path: Path) -> None:
    headers = {"WWW-Authenticate": f'Bearer realm="{realm}", Basic realm="x"'}

    def hook(asked: Asked) -> Answer | None:
        return None if asked.headers.get("authorization", "").startswith("Basic ") else error(401, "X", "x", headers)

    with RegistryServer(intercept=hook) as server:
        auth_file = write_auth_file(tmp_path / "auth.json", server.address, "joe", "pw")
        settings = RegistrySettings(insecure=frozenset({server.address}), auth_file=auth_file)
        assert find(server.address, settings) is None


def test_a_host_that_is_not_there_is_asked_again_and_then_unavailable() -> None:
    slept: list[float] = []
    with pytest.raises(UnavailableError, match="cannot be reached: Connection refused"):
        find(unused_address(), RegistrySettings(), slept)
    assert len(slept) == 3


def test_no_time_is_spent_that_is_not_there() -> None:
    """The registry asks for 30 s, 5 are left: that is known at once."""
    slept: list[float] = []
    with RegistryServer(intercept=lambda asked: error(503, "X", "x", {"Retry-After": "30"})) as server:
        settings = RegistrySettings(insecure=frozenset({server.address}), timeout_seconds=5)
        with pytest.raises(UnavailableError, match="503"):
            find(server.address, settings, slept)
    assert slept == []


def test_a_host_that_accepts_and_says_nothing_ends_with_the_time() -> None:
    sent: list[Request] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        settings = RegistrySettings(timeout_seconds=0.5)
        with RegistryClient(settings, on_request=sent.append) as client, pytest.raises(UnavailableError):
            client.find(Repository(address, "a/b").tagged("t"))
    assert {request.status for request in sent} == {0}


def unused_address() -> str:
    return f"127.0.0.1:{free_port()}"
