"""Uploads that registries make hard: moved, refused half-way, forgotten, wanted in larger pieces."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from layering.errors import ContentError, RefusedError, UnavailableError
from layering.reference import Repository
from layering.registry.client import BlobCopy, RegistryClient
from layering.registry.manifest import OCI_LAYER, OCI_MANIFEST, Descriptor, sha256
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from tests.registry.test_client_connections import MANIFEST

MIB = 1024 * 1024
DATA = bytes(range(256)) * (9 * MIB // 256)
BLOB = Descriptor(media_type=OCI_LAYER, digest=sha256(DATA), size=len(DATA))


@dataclass
class Script:
    """Answers uploads by the letter, keeps what came, and does one thing wrong."""

    chunk_min: int = 0
    failures: list[int] = field(default_factory=list)  # statuses for the next PATCH or PUT requests
    location: str = "/v2/a/b/blobs/uploads/{number}?_state=a%2Fb%3D%3D"
    number: int = 0
    heard: list[tuple[str, str]] = field(default_factory=list)
    received: bytes = b""

    def __call__(self, asked: Asked) -> Answer | None:
        if "/blobs/uploads/" not in asked.target:
            return None
        self.heard.append((asked.method, asked.target))
        if asked.method == "GET":
            return error(404, "BLOB_UPLOAD_UNKNOWN", "it is gone")
        self.number += 1
        data = asked.body.whole(100 * MIB)
        headers = {"Location": self.location.format(number=self.number), "OCI-Chunk-Min-Length": str(self.chunk_min)}
        if asked.method == "POST":
            self.received = b""
            return Answer(status=202, headers=headers)
        if self.failures and (status := self.failures.pop(0)):
            return error(status, "X", "x")
        self.received += data
        return Answer(status=201 if asked.method == "PUT" else 202, headers=headers)

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.heard]


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def client(server: RegistryServer, slept: list[float]) -> Iterator[RegistryClient]:
    with RegistryClient(RegistrySettings(insecure=frozenset({server.address})), sleep=slept.append) as client:
        yield client


@pytest.fixture
def repository(server: RegistryServer) -> Repository:
    return Repository(server.address, "a/b")


def push(client: RegistryClient, repository: Repository) -> None:
    client.push_stream(repository, lambda: iter([DATA]), BLOB)


def test_each_location_is_followed_with_its_query(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    server.intercept = script = Script()
    push(client, repository)
    assert script.methods == ["POST", "PATCH", "PATCH", "PATCH", "PUT"]
    assert [target for _, target in script.heard[1:4]] == [
        f"/v2/a/b/blobs/uploads/{number}?_state=a%2Fb%3D%3D" for number in (1, 2, 3)
    ]
    assert script.heard[4][1] == f"/v2/a/b/blobs/uploads/4?_state=a%2Fb%3D%3D&digest=sha256%3A{BLOB.digest.hex}"
    assert script.received == DATA


def test_a_registry_may_wish_for_larger_pieces(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    server.intercept = script = Script(chunk_min=8 * MIB)
    push(client, repository)
    assert script.methods == ["POST", "PATCH", "PATCH", "PUT"]


@pytest.mark.parametrize("status", [416, 500, 503], ids=["a part was lost", "500", "503"])
def test_a_broken_upload_that_is_gone_is_begun_anew(
    server: RegistryServer, client: RegistryClient, repository: Repository, slept: list[float], status: int
) -> None:
    server.intercept = script = Script(failures=[0, status])
    push(client, repository)
    assert script.methods == ["POST", "PATCH", "PATCH", "GET", "POST", "PATCH", "PATCH", "PATCH", "PUT"]
    assert script.received == DATA
    assert len(slept) == 2


def test_an_upload_that_never_succeeds_ends(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    server.intercept = script = Script(failures=[503] * 100)
    with pytest.raises(UnavailableError):
        client.push_blob(repository, b"data")
    assert script.methods == ["POST", "PUT"] * 4


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_a_refused_upload_is_not_begun_anew(
    server: RegistryServer, client: RegistryClient, repository: Repository, status: int
) -> None:
    server.intercept = script = Script(failures=[status] * 100)
    with pytest.raises(RefusedError):
        client.push_blob(repository, b"data")
    assert script.methods == ["POST", "PUT"]


def test_an_upload_without_a_location_is_no_upload(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    server.intercept = Script(location="")
    with pytest.raises(ContentError, match="does not say where"):
        client.push_blob(repository, b"data")


def test_between_registries_a_blob_is_streamed(client: RegistryClient, repository: Repository) -> None:
    client.push_stream(repository, lambda: iter([DATA]), BLOB)
    with RegistryServer() as other:
        target = Repository(other.address, "c/d")
        with RegistryClient(RegistrySettings(insecure=frozenset({repository.domain, other.address}))) as both:
            assert both.copy_blob(repository, target, BLOB) is BlobCopy.STREAMED
            assert both.copy_blob(repository, target, BLOB) is BlobCopy.EXISTED
            assert both.read_blob(target, BLOB, limit_bytes=len(DATA)) == DATA


def test_a_source_that_is_not_its_digest_reaches_no_target(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    wrong = bytes(len(DATA))
    server.intercept = lambda asked: Answer(status=200, body=wrong) if asked.method == "GET" else None
    with RegistryServer() as other:
        target = Repository(other.address, "c/d")
        with (
            RegistryClient(RegistrySettings(insecure=frozenset({repository.domain, other.address}))) as both,
            pytest.raises(ContentError),
        ):
            both.copy_blob(repository, target, BLOB)
        assert "PUT" not in {request.method for request in other.requests}


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_where_no_mount_is_granted_the_blob_is_streamed(
    server: RegistryServer, client: RegistryClient, repository: Repository, status: int
) -> None:
    client.push_blob(repository, b"data")
    server.intercept = lambda asked: error(status, "X", "x") if "mount=" in asked.target else None
    blob = Descriptor(media_type=OCI_LAYER, digest=sha256(b"data"), size=4)
    target = Repository(server.address, "c/d")
    assert client.copy_blob(repository, target, blob) is BlobCopy.STREAMED
    assert client.copy_blob(repository, target, blob) is BlobCopy.EXISTED


def test_a_mount_is_asked_for_again_before_a_gigabyte_is_sent(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    client.push_blob(repository, b"data")
    statuses = [503, 503]
    server.intercept = lambda asked: error(statuses.pop(), "X", "x") if "mount=" in asked.target and statuses else None
    blob = Descriptor(media_type=OCI_LAYER, digest=sha256(b"data"), size=4)
    assert client.copy_blob(repository, Repository(server.address, "c/d"), blob) is BlobCopy.MOUNTED


def test_a_token_for_both_repositories_that_is_refused_is_no_end(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    client.push_blob(repository, b"data")

    def tokens(asked: Asked) -> Answer | None:
        if asked.target.startswith("/token"):
            if asked.target.count("scope=") > 1:
                return error(401, "DENIED", "not for both")
            return Answer(status=200, body=json.dumps({"token": "t"}).encode())
        if asked.headers.get("authorization") == "Bearer t":
            return None
        return error(401, "UNAUTHORIZED", "x", {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})

    server.intercept = tokens
    blob = Descriptor(media_type=OCI_LAYER, digest=sha256(b"data"), size=4)
    assert client.copy_blob(repository, Repository(server.address, "c/d"), blob) is BlobCopy.STREAMED


def test_a_manifest_goes_nowhere_under_the_digest_of_another(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    with pytest.raises(ContentError, match="not its digest"):
        client.push_manifest(repository.at(sha256(b"another")), MANIFEST, OCI_MANIFEST)
    assert server.requests == []


def test_a_registry_that_stores_something_else_is_caught(
    server: RegistryServer, client: RegistryClient, repository: Repository
) -> None:
    server.intercept = lambda asked: (
        Answer(status=201, headers={"Docker-Content-Digest": str(sha256(b"x"))}) if asked.method == "PUT" else None
    )
    with pytest.raises(ContentError, match="not its digest"):
        client.push_manifest(repository.tagged("t"), MANIFEST, OCI_MANIFEST)
