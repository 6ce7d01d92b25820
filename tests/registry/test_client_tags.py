"""Lists of tags that are none, have no end, or go on where they must not; test_straying.py has the other hosts."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from layering.errors import ContentError, LayerwatchError, NotFoundError, RefusedError
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image
from tests.docker_registry import docker_registry


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


def tags(server: RegistryServer) -> tuple[str, ...]:
    with RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client:
        return client.tags(Repository(server.address, "a/b"))


def page(names: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=200, headers=headers or {}, body=json.dumps({"name": "a/b", "tags": names}).encode())


@pytest.mark.parametrize(
    "following",
    [
        pytest.param("http://joe:pw@{address}/v2/a/b/tags/list", id="with a password"),
        pytest.param("//thief.example.com/v2/a/b/tags/list", id="another host"),
        pytest.param("http://thief.example.com\\\\@{address}/", id="read in two ways"),
    ],
)
def test_a_next_page_elsewhere_is_not_read(server: RegistryServer, following: str) -> None:
    link = following.format(address=server.address)
    server.intercept = lambda asked: page(["t"], {"Link": f'<{link}>; rel="next"'})
    with pytest.raises((RefusedError, ContentError)):
        tags(server)


@pytest.mark.parametrize(
    "following", ["/v2/a/b/tags/list?n=1", "/v2/a/b/tags/list?last={count}"], ids=["round", "ever new"]
)
def test_pages_without_end_end(server: RegistryServer, following: str) -> None:
    server.intercept = lambda asked: page(
        ["t"] * 2_000, {"Link": f'<{following.format(count=len(server.requests))}>; rel="next"'}
    )
    with pytest.raises(ContentError, match="without end"):
        tags(server)
    assert len(server.requests) < 100


@pytest.mark.parametrize("kind", ["ours", "docker-registry"])
def test_a_tag_that_names_what_it_named_is_told_in_short(tmp_path: Path, server: RegistryServer, kind: str) -> None:
    statuses: list[int] = []
    ours = server.address, RegistrySettings(insecure=frozenset({server.address}))
    with (
        contextlib.nullcontext(ours) if kind == "ours" else docker_registry(tmp_path) as (address, settings),
        RegistryClient(settings, on_request=lambda sent: statuses.append(sent.status)) as client,
    ):
        os = Repository(address, "a/os")
        first = push_os_image(client, os, "latest", version="9.6.1-0", seed="1")
        assert {client.resolve(os.tagged("latest")).digest for _ in range(3)} == {first.digest}
        assert statuses[-3:] == [200, 304, 304]
        second = push_os_image(client, os, "latest", version="9.6.2-0", seed="2")
        assert client.resolve(os.tagged("latest")).digest == second.digest


@pytest.mark.parametrize("name", ["a tag", "a digest"])
def test_not_modified_is_an_answer_to_who_asked_that(server: RegistryServer, name: str) -> None:
    with RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client:
        image = push_os_image(client, Repository(server.address, "a/os"), "latest", version="9.6.1-0", seed="1")
        client.resolve(image)
        server.intercept = lambda asked: Answer(status=304)
        with pytest.raises(ContentError):
            client.resolve(image if name == "a digest" else image.repository.tagged("latest"))


@pytest.mark.parametrize("names", ["t", [1], {"t": 1}, ["a b"], ["x\u001b[31m"], [""]], ids=str)
def test_what_is_no_list_of_tags(server: RegistryServer, names: object) -> None:
    server.intercept = lambda asked: page(names)
    with pytest.raises(ContentError):
        tags(server)


def test_no_tags_and_no_repository_are_different_things(server: RegistryServer) -> None:
    with pytest.raises(NotFoundError):
        tags(server)
    server.intercept = lambda asked: page(None)
    assert tags(server) == ()


@pytest.mark.parametrize("link", ["", "<>", "; rel=next", '<x; rel="next"', "<%>; rel=", "\u00e9"], ids=str)
def test_an_odd_link_is_no_crash(server: RegistryServer, link: str) -> None:
    server.intercept = lambda asked: page(["t"], {"Link": link})
    with contextlib.suppress(LayerwatchError):
        assert tags(server) == ("t",)
