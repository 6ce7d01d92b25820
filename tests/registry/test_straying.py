"""Where a registry leads the client: from page to page, by redirect, by scheme; and who hears the password then."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.errors import LayerwatchError, RefusedError, UnavailableError
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer, one_of
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from tests.docker_registry import make_certificate, write_auth_file
from tests.ports import free_port


@pytest.fixture
def thief() -> Iterator[tuple[RegistryServer, list[str | None]]]:
    """Another host, and the Authorization headers it heard."""
    heard: list[str | None] = []

    def hook(asked: Asked) -> None:
        heard.append(asked.headers.get("authorization"))

    with RegistryServer(intercept=hook) as server:
        yield server, heard


@pytest.fixture
def ours() -> Iterator[RegistryServer]:
    with RegistryServer(check_password=one_of({"joe": "pw"})) as server:
        yield server


@pytest.fixture
def client(ours: RegistryServer, tmp_path: Path) -> Iterator[RegistryClient]:
    auth_file = write_auth_file(tmp_path / "auth.json", ours.address, "joe", "pw")
    settings = RegistrySettings(insecure=frozenset({ours.address}), auth_file=auth_file)
    with RegistryClient(settings, sleep=lambda seconds: None) as made:
        yield made


def page(tags: list[str], link: str | None = None) -> Answer:
    headers = {"Link": f'<{link}>; rel="next"'} if link else {}
    return Answer(status=200, headers=headers, body=json.dumps({"name": "a/b", "tags": tags}).encode())


def test_all_pages_are_read(ours: RegistryServer, client: RegistryClient) -> None:
    pages = {
        "/v2/a/b/tags/list": page(["1", "2"], "/v2/a/b/tags/list?last=2&n=2"),
        "/v2/a/b/tags/list?last=2&n=2": page(["3"], f"{ours.url}/v2/a/b/tags/list?last=3"),
        "/v2/a/b/tags/list?last=3": page(["4"], "?last=4"),
        "/v2/a/b/tags/list?last=4": Answer(status=200, body=b'{"name": "a/b", "tags": null}'),
    }
    ours.intercept = lambda asked: pages.get(asked.target)
    assert client.tags(Repository(ours.address, "a/b")) == ("1", "2", "3", "4")


def test_pages_without_end(ours: RegistryServer, client: RegistryClient) -> None:
    ours.intercept = lambda asked: page(["1"], asked.target) if "/tags/" in asked.target else None
    with pytest.raises(LayerwatchError):
        client.tags(Repository(ours.address, "a/b"))
    assert len(ours.requests) < 1100


def test_the_next_page_is_on_another_host(
    ours: RegistryServer, client: RegistryClient, thief: tuple[RegistryServer, list[str | None]]
) -> None:
    elsewhere, heard = thief
    ours.intercept = lambda asked: (
        page(["1"], f"{elsewhere.url}/v2/a/b/tags/list") if "/tags/" in asked.target else None
    )
    with pytest.raises(LayerwatchError):
        client.tags(Repository(ours.address, "a/b"))
    assert heard == []


def test_a_redirected_page_names_a_next_one_beside_itself(
    ours: RegistryServer, client: RegistryClient, thief: tuple[RegistryServer, list[str | None]]
) -> None:
    """The redirect is followed without the password; its next page, relative to the other host, is not."""
    elsewhere, heard = thief

    def lead(asked: Asked) -> Answer:
        heard.append(asked.headers.get("authorization"))
        return page(["1"], "/v2/a/b/tags/list?last=1")

    elsewhere.intercept = lead
    ours.intercept = lambda asked: (
        Answer(status=307, headers={"Location": f"{elsewhere.url}/x"}) if "/tags/" in asked.target else None
    )
    with pytest.raises(LayerwatchError):
        client.tags(Repository(ours.address, "a/b"))
    assert set(heard) == {None}


@pytest.mark.parametrize(
    "challenge", ['Basic realm="x"', 'Bearer realm="{thief}/token",service="x"', 'Bearer realm="{ours}/token"']
)
def test_a_redirects_target_that_asks_for_a_password_gets_none(
    ours: RegistryServer, client: RegistryClient, thief: tuple[RegistryServer, list[str | None]], challenge: str
) -> None:
    elsewhere, heard = thief
    headers = {"WWW-Authenticate": challenge.format(thief=elsewhere.url, ours=ours.url)}

    def ask(asked: Asked) -> Answer:
        heard.append(asked.headers.get("authorization"))
        return error(401, "UNAUTHORIZED", "who are you", headers)

    elsewhere.intercept = ask
    ours.intercept = lambda asked: (
        Answer(status=302, headers={"Location": f"{elsewhere.url}/m"}) if "/manifests/" in asked.target else None
    )
    with pytest.raises(RefusedError):
        client.manifest(Repository(ours.address, "a/b").tagged("t"))
    assert heard == [None]
    assert not [one for one in ours.requests if one.path.startswith("/token")]


def test_a_host_that_is_down_may_speak_either_scheme_later(tmp_path: Path) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    settings = RegistrySettings(insecure=frozenset({address}))
    with RegistryClient(settings, sleep=lambda seconds: None) as client:
        repository = Repository(address, "a/b")
        with pytest.raises(UnavailableError):
            client.find(repository.tagged("t"))
        with RegistryServer(port=port, tls=make_certificate(tmp_path)):
            assert client.find(repository.tagged("t")) is None
