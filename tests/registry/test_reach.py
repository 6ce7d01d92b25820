"""How public an address is, and where a registry may send us."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from layering.errors import RefusedError
from layering.reference import Repository
from layering.registry import reach as module
from layering.registry.client import RegistryClient
from layering.registry.connections import Connections
from layering.registry.reach import NotPublicError, Reach, allowed_addresses, check_literal, reach_of
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import ANY_REGISTRY, RegistrySettings
from layering.registry.trust import authorities
from tests.docker_registry import write_auth_file

NOWHERE = None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", Reach.EVERYWHERE),
        ("2001:4860:4860::8888", Reach.EVERYWHERE),
        ("10.0.0.1", Reach.NETWORK),
        ("172.16.0.1", Reach.NETWORK),
        ("192.168.1.1", Reach.NETWORK),
        ("100.64.0.1", Reach.NETWORK),
        ("198.18.0.1", Reach.NETWORK),
        ("fd00::1", Reach.NETWORK),
        ("127.0.0.1", Reach.MACHINE),
        ("127.9.9.9", Reach.MACHINE),
        ("::1", Reach.MACHINE),
        ("::ffff:127.0.0.1", Reach.MACHINE),
        ("169.254.169.254", NOWHERE),
        ("::ffff:169.254.169.254", NOWHERE),
        ("64:ff9b::a9fe:a9fe", NOWHERE),
        ("2002:a9fe:a9fe::1", NOWHERE),
        ("64:ff9b::808:808", Reach.EVERYWHERE),
        ("64:ff9b::a00:1", Reach.NETWORK),
        ("fe80::1", NOWHERE),
        ("0.0.0.0", NOWHERE),
        ("::", NOWHERE),
        ("224.0.0.1", NOWHERE),
        ("ff02::1", NOWHERE),
        ("240.0.0.1", NOWHERE),
        ("255.255.255.255", NOWHERE),
    ],
)
def test_addresses(address: str, expected: Reach | None) -> None:
    assert reach_of(ipaddress.ip_address(address)) == expected


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_a_host_that_a_proxy_resolves_is_refused_by_what_it_says(host: str) -> None:
    with pytest.raises(NotPublicError):
        check_literal(host, Reach.EVERYWHERE)
    check_literal(host, Reach.MACHINE)
    check_literal("registry.example.com", Reach.EVERYWHERE)


def resolving(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> None:
    """Has the names of this table mean these addresses, for the check and for the connection."""
    real = socket.getaddrinfo

    def fake(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in names:
            return real(host, port, *args, **kwargs)
        return [answer for address in names[host] for answer in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", fake)


@pytest.mark.parametrize(
    ("addresses", "least", "allowed"),
    [
        (["8.8.8.8"], Reach.EVERYWHERE, True),
        (["10.1.1.1"], Reach.EVERYWHERE, False),
        (["8.8.8.8", "10.1.1.1"], Reach.EVERYWHERE, False),
        (["8.8.8.8", "169.254.169.254"], Reach.MACHINE, False),
        (["10.1.1.1"], Reach.NETWORK, True),
        (["127.0.0.1"], Reach.NETWORK, False),
        (["8.8.8.8"], Reach.MACHINE, True),
        ([], Reach.EVERYWHERE, True),
    ],
    ids=["public", "private", "one-is-private", "one-is-link-local", "a-neighbour", "itself", "more", "no-such-name"],
)
def test_every_address_of_a_name_counts(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], least: Reach, allowed: bool
) -> None:
    resolving(monkeypatch, {"elsewhere.example.com": addresses})
    if allowed:
        assert allowed_addresses("elsewhere.example.com", least) == addresses
    else:
        with pytest.raises(NotPublicError, match=r"elsewhere\.example\.com"):
            allowed_addresses("elsewhere.example.com", least)


@pytest.mark.parametrize(
    ("ours", "elsewhere", "reached"),
    [("127.0.0.1", "127.0.0.1", True), ("10.0.0.1", "127.0.0.1", False), ("8.8.8.8", "127.0.0.1", False)],
    ids=["both-here", "from-a-network-to-this-machine", "from-everywhere-to-this-machine"],
)
def test_a_redirect_goes_to_what_is_as_public(
    monkeypatch: pytest.MonkeyPatch, ours: str, elsewhere: str, reached: bool
) -> None:
    """Where the registry says it is, it is not: only what its name means is looked at, and a relay stands for it."""
    resolving(monkeypatch, {"elsewhere.example.com": [elsewhere]})
    monkeypatch.setattr("layering.registry.transport.reach_of_host", lambda host: reach_of(ipaddress.ip_address(ours)))
    with RegistryServer() as storage, RegistryServer() as registry:
        target = storage.url.replace("127.0.0.1", "elsewhere.example.com")
        registry.intercept = lambda asked: (
            Answer(status=307, headers={"Location": f"{target}/x"}) if "/manifests/" in asked.target else None
        )
        settings = RegistrySettings(insecure=frozenset({registry.address}))
        with RegistryClient(settings) as client, pytest.raises(RefusedError) as raised:
            client.manifest(Repository(registry.address, "a/b").tagged("t"))
        assert isinstance(raised.value, NotPublicError) is not reached
        assert bool(storage.requests) is reached


def test_the_address_that_was_looked_at_is_the_one_that_is_gone_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means a public address when it is looked at, and this machine a moment later."""
    answers = iter([["8.8.8.8"]])

    def once(host: str) -> list[module.Address]:
        return [ipaddress.ip_address(text) for text in next(answers)]

    went: list[str] = []

    def connect(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        went.append(address[0])
        raise OSError("not from here")

    monkeypatch.setattr(module, "_addresses", once)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    monkeypatch.setattr("layering.registry.transport.reach_of_host", lambda host: Reach.EVERYWHERE)
    made = Connections(authorities(None), Reach.EVERYWHERE)
    url, timeout = "http://elsewhere.example.com/x", Timeout(1)
    with pytest.raises(HTTPError):
        made.ask("GET", url, headers={}, body=None, timeout=timeout, proxy=None)
    assert went == ["8.8.8.8"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[RegistryServer, Path]]:
    with RegistryServer() as server:
        yield server, write_auth_file(tmp_path / "auth.json", server.address, "joe", "pw")


@contextmanager
def stranger(registry: RegistryServer, takes: str | None) -> Iterator[tuple[str, list[str | None]]]:
    """A token service under another name, which the registry sends us to: its port, and as whom it was asked.

    Its token is `t0ken`; the registry takes no other than `takes`.
    """
    told: list[str | None] = []

    def token(asked: Asked) -> Answer:
        told.append(asked.headers.get("authorization"))
        return Answer(status=200, body=b'{"token": "t0ken"}')

    with RegistryServer(intercept=token) as service:
        realm = service.url.replace("127.0.0.1", "localhost")
        challenge = {"WWW-Authenticate": f'Bearer realm="{realm}/token",service="x"'}
        registry.intercept = lambda asked: (
            None if asked.headers.get("authorization") == f"Bearer {takes}" else error(401, "X", "x", challenge)
        )
        yield realm.rpartition(":")[2], told


@pytest.mark.parametrize(
    ("allowed", "heard"),
    [
        ({}, False),
        ({"other.example.com": {"{host}"}}, False),
        ({"{registry}": {"{host}"}}, True),
        ({"{registry}": {"{host}:{port}"}}, True),
        ({"{registry}": {"{host}:1"}}, False),
        ({ANY_REGISTRY: {"{host}"}}, True),
    ],
    ids=["not-named", "of-another-registry", "named", "named-with-its-port", "another-port", "of-any-registry"],
)
def test_a_token_service_elsewhere_hears_the_password_when_it_is_named(
    place: tuple[RegistryServer, Path], allowed: dict[str, set[str]], heard: bool
) -> None:
    registry, auth_file = place
    with stranger(registry, takes="t0ken") as (port, told):
        names = {"registry": registry.address, "host": "localhost", "port": port}
        realms = {
            key.format(**names): frozenset(each.format(**names) for each in hosts) for key, hosts in allowed.items()
        }
        settings = RegistrySettings(insecure=frozenset({registry.address}), auth_file=auth_file, realms=realms)
        with RegistryClient(settings) as client, pytest.raises(RefusedError) as raised:
            client.resolve(Repository(registry.address, "a/b").tagged("t"))
    assert [text is not None for text in told] == ([True] if heard else [])
    assert ("--auth-realm localhost" in raised.value.next_step) is not heard
    assert "pw" not in str(raised.value)


def test_a_public_stranger_is_asked_without_the_password(
    monkeypatch: pytest.MonkeyPatch, place: tuple[RegistryServer, Path]
) -> None:
    registry, auth_file = place
    monkeypatch.setattr(module, "reach_of", lambda address: Reach.EVERYWHERE)
    with stranger(registry, takes=None) as (_, told):
        settings = RegistrySettings(insecure=frozenset({registry.address}), auth_file=auth_file)
        with RegistryClient(settings) as client, pytest.raises(RefusedError) as raised:
            client.resolve(Repository(registry.address, "a/b").tagged("t"))
    assert told
    assert set(told) == {None}
    assert "--auth-realm localhost" in raised.value.next_step
    assert "without credentials" in raised.value.what
