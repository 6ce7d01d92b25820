"""Reading through mirrors, against real servers: who is asked, in which order, and what is said when nobody has it.

The source here is a name below `source.example.com`, which does not exist, or a server whose log shows who asked.
"""

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from layering.errors import ContentError, ExitCode, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.reference import Digest, ImageReference, Repository
from layering.registry.client import BlobCopy, RegistryClient
from layering.registry.manifest import OCI_LAYER, Descriptor, sha256
from layering.registry.mirrorrule import Kind, Mirror, MirrorRule
from layering.registry.routes import Asked
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, error
from layering.registry.server_http import Asked as Request
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image
from layering.secrets import Secret
from tests.docker_registry import PASSWORD, docker_registry

OS = "ocp/os"
LAYER = b"a layer of one"
BLOB = Descriptor(media_type=OCI_LAYER, digest=sha256(LAYER), size=len(LAYER))


@dataclass
class Places:
    """A source and two mirrors; an image is put where a test wants it."""

    source: RegistryServer
    first: RegistryServer
    second: RegistryServer
    heard: list[Asked] = field(default_factory=list)

    @property
    def name(self) -> Repository:
        return Repository(self.source.address, OS)

    def settings(self, *, kind: Kind = "any", never: bool = False) -> RegistrySettings:
        mirrors = tuple(Mirror(location=f"{server.address}/copy/{OS}") for server in (self.first, self.second))
        rule = MirrorRule(source=f"{self.source.address}/{OS}", mirrors=mirrors, kind=kind, never_contact_source=never)
        hosts = frozenset(server.address for server in (self.source, self.first, self.second))
        return RegistrySettings(mirrors=(rule,), insecure=hosts, timeout_seconds=20)

    def client(self, *, kind: Kind = "any", never: bool = False) -> RegistryClient:
        settings = self.settings(kind=kind, never=never)
        return RegistryClient(settings, sleep=lambda seconds: None, on_asked=self.heard.append)

    def put(self, server: RegistryServer) -> Digest:
        """The image, its own layer and a tag, at the source or at a mirror."""
        path = OS if server is self.source else f"copy/{OS}"
        with RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client:
            pushed = push_os_image(client, Repository(server.address, path), "t", version="9.6.1-0", seed="s")
            client.push_blob(pushed.repository, LAYER)
        server.requests.clear()
        return pushed.pinned

    def asked(self) -> list[RegistryServer]:
        """Which servers were asked for the image, in order and each once."""
        by_address = {server.address: server for server in (self.source, self.first, self.second)}
        return list(dict.fromkeys(by_address[one.place.repository.domain] for one in self.heard))


@pytest.fixture
def places() -> Iterator[Places]:
    with RegistryServer() as source, RegistryServer() as first, RegistryServer() as second:
        yield Places(source, first, second)


def refusing(status: int) -> Callable[[Request], Answer]:
    return lambda asked: error(status, "X", "no")


def lying(asked: Request) -> Answer | None:
    """Another manifest or blob than the one that was asked for, of the right length."""
    if "/manifests/" in asked.target:
        return Answer(status=200, body=b'{"schemaVersion":2}', headers={"Content-Length": "19"})
    if asked.method == "GET" and "/blobs/" in asked.target:
        return Answer(status=200, body=LAYER[::-1], headers={"Content-Length": str(len(LAYER))})
    return None


def read_all(client: RegistryClient, name: Repository) -> ImageReference:
    """Everything that can be read of an image; the reference that the results give it."""
    found = client.resolve(name.tagged("t"))
    assert client.find(name.at(found.digest)) == found
    manifest = client.image(name.at(client.manifest(name.tagged("t")).digest))
    assert client.config(name, manifest).labels["containers.bootc"] == "1"
    assert client.read_blob(name, BLOB, limit_bytes=100) == LAYER
    with client.stream_blob(name, BLOB) as chunks:
        assert b"".join(chunks) == LAYER
    assert client.tags(name) == ("t",)
    return name.at(found.digest)


def test_a_mirror_has_it_and_the_source_is_dead(places: Places) -> None:
    digest = places.put(places.first)
    places.source.stop()
    with places.client() as client:
        assert read_all(client, places.name) == places.name.at(digest)
    assert {one.place.repository for one in places.heard} == {Repository(places.first.address, f"copy/{OS}")}
    assert places.second.requests == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(None, "404", id="it has no such image"),
        pytest.param(refusing(401), "401", id="it wants credentials"),
        pytest.param(refusing(403), "403", id="it forbids"),
        pytest.param(refusing(503), "503", id="it is out of order"),
        pytest.param(lying, "not its digest", id="it has something else under that digest"),
    ],
)
def test_the_next_place_is_asked_when_one_fails(
    places: Places, fault: Callable[[Request], Answer | None] | None, said: str
) -> None:
    digest = places.put(places.source)
    places.first.intercept = fault
    with places.client() as client:
        manifest = client.image(places.name.at(digest))
        assert client.config(places.name, manifest).labels["containers.bootc"] == "1"
    assert places.asked() == [places.first, places.second, places.source]
    assert places.heard[0].error is not None
    assert said in str(places.heard[0].error)
    assert places.heard[2].error is None


def test_what_belongs_to_a_manifest_is_asked_where_the_manifest_was(places: Places) -> None:
    digest = places.put(places.source)
    with places.client() as client:
        manifest = client.image(places.name.at(digest))
        places.first.requests.clear()
        client.config(places.name, manifest)
    assert places.first.requests == []


def test_a_lying_stream_is_refused_and_asked_elsewhere_next_time(places: Places) -> None:
    places.put(places.first)
    places.put(places.second)
    places.first.intercept = lying
    with places.client() as client:
        with pytest.raises(ContentError, match="not its digest"), client.stream_blob(places.name, BLOB) as chunks:
            list(chunks)
        with client.stream_blob(places.name, BLOB) as chunks:
            assert b"".join(chunks) == LAYER


def test_a_dead_mirror_costs_its_time_once(places: Places) -> None:
    digest = places.put(places.second)
    places.first.intercept = refusing(503)
    with places.client() as client:
        client.resolve(places.name.at(digest))
        tries = len(places.first.requests)
        client.resolve(places.name.at(digest))
    assert len(places.first.requests) == tries
    assert places.source.requests == []


def test_a_mirror_that_nobody_answers_for(places: Places) -> None:
    digest = places.put(places.second)
    places.first.stop()
    with places.client() as client:
        assert client.resolve(places.name.at(digest)).digest == digest
    assert "cannot be reached" in str(places.heard[0].error)


def test_a_silent_mirror_leaves_time_for_the_source(places: Places) -> None:
    digest = places.put(places.source)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        location = f"127.0.0.1:{silent.getsockname()[1]}"
        rule = MirrorRule(source=places.source.address, mirrors=(Mirror(location=location, insecure=True),))
        settings = replace(places.settings(), mirrors=(rule,), timeout_seconds=6)
        with RegistryClient(settings, on_asked=places.heard.append) as client:
            assert client.resolve(places.name.at(digest)).digest == digest
    assert [type(one.error) for one in places.heard] == [UnavailableError, type(None)]


@pytest.mark.parametrize("kind", ["digest", "tag"])
def test_mirrors_are_for_digests_or_for_tags(places: Places, kind: Kind) -> None:
    digest = places.put(places.first)
    places.put(places.source)
    references = {"digest": places.name.at(digest), "tag": places.name.tagged("t")}
    with places.client(kind=kind) as client:
        for name, reference in references.items():
            places.first.requests.clear()
            places.source.requests.clear()
            assert client.resolve(reference).digest == digest
            assert bool(places.first.requests) == (name == kind)
            assert bool(places.source.requests) == (name != kind)


def test_never_contact_source_is_kept_whatever_fails(places: Places) -> None:
    digest = places.put(places.source)
    with places.client(never=True) as client:
        assert client.find(places.name.at(digest)) is None
        places.second.intercept = refusing(503)
        with pytest.raises(UnavailableError):
            client.find(places.name.tagged("t"))
        for write in (lambda: client.push_blob(places.name, b"x"), lambda: client.has_blob(places.name, digest)):
            with pytest.raises(RefusedError, match="blocked"):
                write()
    assert places.source.requests == []


def test_blocked_alone_is_refused_without_a_request(places: Places) -> None:
    rule = MirrorRule(source=places.source.address, blocked=True)
    settings = replace(places.settings(), mirrors=(rule,))
    with RegistryClient(settings) as client, pytest.raises(RefusedError, match="no mirror may be asked") as raised:
        client.resolve(places.name.tagged("t"))
    assert raised.value.where == f"{places.name}:t"
    assert places.source.requests == []


@pytest.mark.parametrize(
    ("mirror", "source", "kind", "code"),
    [
        pytest.param(None, None, NotFoundError, ExitCode.REFUSED, id="nobody has it"),
        pytest.param(refusing(503), None, UnavailableError, ExitCode.UNAVAILABLE, id="one could not tell"),
        pytest.param(None, refusing(500), UnavailableError, ExitCode.UNAVAILABLE, id="the source could not tell"),
        pytest.param(refusing(401), None, RefusedError, ExitCode.REFUSED, id="one would not tell"),
        pytest.param(lying, refusing(503), ContentError, ExitCode.NOT_AS_CLAIMED, id="one lies"),
    ],
)
def test_one_error_tells_of_all_places(
    places: Places,
    mirror: Callable[[Request], Answer | None] | None,
    source: Callable[[Request], Answer | None] | None,
    kind: type[LayerwatchError],
    code: ExitCode,
) -> None:
    places.first.intercept, places.source.intercept = mirror, source
    wanted = places.name.at(sha256(b"nothing"))
    with places.client() as client, pytest.raises(LayerwatchError) as raised:
        client.manifest(wanted)
    assert (type(raised.value), raised.value.exit_code, raised.value.where) == (kind, code, str(wanted))
    for server in (places.first, places.second, places.source):
        assert f"{server.address}/" in raised.value.what


def test_writes_go_to_the_source_and_are_read_back_there(places: Places) -> None:
    with places.client() as client:
        pushed = push_os_image(client, places.name, "new", version="9.6.2-0", seed="n")
        assert client.resolve(places.name.tagged("new")).digest == pushed.pinned
    assert places.first.requests == places.second.requests == []


def test_a_mirror_in_the_targets_registry_is_mounted_from(places: Places) -> None:
    places.put(places.first)
    target = Repository(places.first.address, "team/os")
    with places.client() as client:
        assert client.copy_blob(places.name, target, BLOB) is BlobCopy.MOUNTED
        assert client.has_blob(target, BLOB.digest)
    assert places.source.requests == []


def test_a_copy_to_another_registry_streams_from_a_mirror(places: Places) -> None:
    places.put(places.first)
    target = Repository(places.second.address, "team/os")
    with places.client(never=True) as client:
        assert client.copy_blob(places.name, target, BLOB) is BlobCopy.STREAMED
        assert client.read_blob(target, BLOB, limit_bytes=100) == LAYER


@dataclass
class Gate:
    """Wants a password, and keeps what it was given."""

    password: str
    given: list[str] = field(default_factory=list)

    def __call__(self, user: str, password: str) -> bool:
        self.given.append(password)
        return password == self.password


def test_each_host_sees_its_own_credentials_only() -> None:
    gates = [Gate("of the source"), Gate("of the mirror")]
    with RegistryServer(check_password=gates[0]) as source, RegistryServer(check_password=gates[1]) as mirror:
        auths = {
            source.address: {"username": "u", "password": "of the source"},
            f"{mirror.address}/copy": {"username": "u", "password": "of the mirror"},
        }
        settings = RegistrySettings(
            auth_document=Secret(json.dumps({"auths": auths})),
            mirrors=(MirrorRule(source=source.address, mirrors=(Mirror(location=f"{mirror.address}/copy"),)),),
            insecure=frozenset({source.address, mirror.address}),
        )
        with RegistryClient(settings) as client:
            assert client.find(Repository(source.address, OS).tagged("t")) is None
    assert [set(gate.given) for gate in gates] == [{"of the source"}, {"of the mirror"}]


def test_a_real_registry_as_the_mirror_of_a_source_that_is_not_there(tmp_path: Path) -> None:
    """A disconnected cluster: its pull secret and its authorities are only in memory."""
    with docker_registry(tmp_path) as (address, reached):
        with RegistryClient(reached) as client:
            pushed = push_os_image(client, Repository(address, "copy/ocp/os"), "t", version="9.6.1-0", seed="s")
            client.push_blob(pushed.repository, LAYER)
        assert reached.auth_file is not None
        assert reached.ca_file is not None
        rule = MirrorRule(
            source="source.example.com", mirrors=(Mirror(location=f"{address}/copy"),), never_contact_source=True
        )
        settings = RegistrySettings(
            auth_document=Secret(reached.auth_file.read_text()),
            ca_pem=f"# autorité\n{reached.ca_file.read_text()}\n",
            mirrors=(rule,),
        )
        name = Repository("source.example.com", OS)
        with RegistryClient(settings) as client:
            assert read_all(client, name) == name.at(pushed.pinned)
        with pytest.raises(RefusedError) as raised, RegistryClient(replace(settings, auth_document=Secret("{}"))) as no:
            no.resolve(name.tagged("t"))
        assert PASSWORD not in str(raised.value)


def test_without_a_rule_nothing_is_asked_that_was_not_before(places: Places) -> None:
    digest = places.put(places.source)
    other = replace(places.settings().mirrors[0], source="quay.io")
    sent: Sequence[object] = places.source.requests
    with RegistryClient(replace(places.settings(), mirrors=(other,)), on_asked=places.heard.append) as client:
        client.resolve(places.name.at(digest))
        before = len(sent)
        client.resolve(places.name.at(digest))
    assert len(sent) - before == 1
    assert places.heard == []
