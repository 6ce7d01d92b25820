"""What the client and the embedded registry promise each other, the client and Debian's docker-registry keep as well.

One story, told to our own registry over TLS with a password, to docker-registry likewise, and to docker-registry that
takes tokens only.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.errors import ContentError, InputError, NotFoundError, RefusedError
from layering.platform import Platform
from layering.reference import Digest, ImageReference, Repository
from layering.registry.client import BlobCopy, RegistryClient, Request
from layering.registry.htpasswd import read_htpasswd
from layering.registry.manifest import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    ImageIndex,
    sha256,
)
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.registry.storage import DirectoryStorage
from layering.sample.images import push_os_image
from tests.docker_registry import PASSWORD, docker_registry, htpasswd_line, make_certificate, write_auth_file
from tests.registry.token_service import docker_registry_with_tokens

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
CONFIG = json.dumps(
    {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
).encode()


@pytest.fixture(scope="module", params=["ours", "docker-registry", "docker-registry with tokens"])
def registry(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, RegistrySettings]]:
    home = tmp_path_factory.mktemp("registry")
    if request.param != "ours":
        start = docker_registry if request.param == "docker-registry" else docker_registry_with_tokens
        with start(home) as running:
            yield running
        return
    tls = make_certificate(home)
    (home / "htpasswd").write_text(htpasswd_line("joe", PASSWORD))
    check = read_htpasswd(home / "htpasswd")
    with RegistryServer(DirectoryStorage(home / "data"), check_password=check, tls=tls) as server:
        auth_file = write_auth_file(home / "auth.json", server.address, "joe", PASSWORD)
        yield server.address, RegistrySettings(auth_file=auth_file, ca_file=tls[0])


@pytest.fixture
def client(registry: tuple[str, RegistrySettings]) -> Iterator[RegistryClient]:
    with RegistryClient(registry[1]) as made:
        yield made


@pytest.fixture
def repository(registry: tuple[str, RegistrySettings], request: pytest.FixtureRequest) -> Repository:
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower()).strip("-")
    return Repository(registry[0], f"test/{name}".replace("--", "-"))


def push(client: RegistryClient, repository: Repository, tag: str, *, docker: bool = False) -> ImageReference:
    """A small image with one layer."""
    layer = b"a layer of " + tag.encode()
    types = (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER_GZIP) if docker else (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER)
    document = {
        "schemaVersion": 2,
        "mediaType": types[0],
        "config": {
            "mediaType": types[1],
            "digest": str(client.push_blob(repository, CONFIG)),
            "size": len(CONFIG),
        },
        "layers": [{"mediaType": types[2], "digest": str(client.push_blob(repository, layer)), "size": len(layer)}],
    }
    return repository.at(client.push_manifest(repository.tagged(tag), json.dumps(document).encode(), types[0]))


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_what_was_pushed_is_found_and_read_back(client: RegistryClient, repository: Repository, docker: bool) -> None:
    image = push(client, repository, "one", docker=docker)
    assert client.resolve(repository.tagged("one")).digest == image.digest
    manifest = client.image(image)
    assert client.config(repository, manifest).platform == AMD64
    assert client.read_blob(repository, manifest.layers[0], limit_bytes=100) == b"a layer of one"
    assert client.tags(repository) == ("one",)


def test_what_is_not_there_is_not_found(client: RegistryClient, repository: Repository) -> None:
    push(client, repository, "one")
    assert client.find(repository.tagged("two")) is None
    assert client.find(repository.at(sha256(b"nothing"))) is None
    assert not client.has_blob(repository, sha256(b"nothing"))
    with pytest.raises(NotFoundError):
        client.manifest(repository.tagged("two"))


def test_a_large_blob_goes_up_in_chunks_and_comes_back_whole(client: RegistryClient, repository: Repository) -> None:
    data = bytes(range(256)) * 40_000  # 10 MB: three chunks
    descriptor = Descriptor(media_type=OCI_LAYER, digest=sha256(data), size=len(data))
    client.push_stream(repository, lambda: iter([data[:3], data[3:]]), descriptor)
    with client.stream_blob(repository, descriptor) as chunks:
        assert b"".join(chunks) == data


def test_a_blob_that_is_not_its_digest_is_not_taken(client: RegistryClient, repository: Repository) -> None:
    wrong = Descriptor(media_type=OCI_LAYER, digest=sha256(b"other"), size=5)
    with pytest.raises(RefusedError):
        client.push_stream(repository, lambda: iter([b"bytes"]), wrong)
    assert not client.has_blob(repository, wrong.digest)


def test_a_blob_is_mounted_from_its_neighbour(client: RegistryClient, repository: Repository) -> None:
    image = push(client, repository, "one")
    layer = client.image(image).layers[0]
    neighbour = Repository(repository.domain, f"{repository.path}/next")
    assert client.copy_blob(repository, neighbour, layer) is BlobCopy.MOUNTED
    assert client.has_blob(neighbour, layer.digest)
    assert client.copy_blob(repository, repository, layer) is BlobCopy.EXISTED


def test_a_manifest_without_its_blobs_is_not_taken(client: RegistryClient, repository: Repository) -> None:
    manifest = client.image(push(client, repository, "one"))
    elsewhere = Repository(repository.domain, f"{repository.path}/elsewhere")
    with pytest.raises(RefusedError):
        client.push_manifest(elsewhere.tagged("one"), manifest.raw, OCI_MANIFEST)


def test_an_index_is_narrowed_to_a_platform(client: RegistryClient, repository: Repository) -> None:
    index = push_os_image(client, repository, "multi", version="1", seed="1", platforms=(AMD64, ARM64))
    found = client.manifest(index)
    assert isinstance(found, ImageIndex)
    assert found.media_type == OCI_INDEX
    assert client.config(repository, client.image(index, ARM64)).platform == ARM64
    with pytest.raises(InputError, match=r"linux/amd64, linux/arm64"):
        client.image(index)
    with pytest.raises(InputError, match=r"there is no linux/s390x"):
        client.image(index, Platform("linux", "s390x"))


def test_a_tag_can_be_moved_and_a_digest_cannot(client: RegistryClient, repository: Repository) -> None:
    first, second = push(client, repository, "one"), push(client, repository, "two")
    moved = client.push_manifest(repository.tagged("one"), client.image(second).raw, OCI_MANIFEST)
    assert client.resolve(repository.tagged("one")).digest == moved == second.digest
    assert client.image(first).digest == first.digest
    with pytest.raises((RefusedError, ContentError)):
        client.push_manifest(first, client.image(second).raw, OCI_MANIFEST)


def test_no_password_and_a_wrong_one_are_refused(
    registry: tuple[str, RegistrySettings], repository: Repository, tmp_path: Path
) -> None:
    address, settings = registry
    wrong = write_auth_file(tmp_path / "auth.json", address, "joe", "wrong-secret")
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    for auth_file, told in ((wrong, f"the credentials in {wrong}"), (empty, "without credentials")):
        sent: list[Request] = []
        with (
            RegistryClient(
                RegistrySettings(auth_file=auth_file, ca_file=settings.ca_file), on_request=sent.append
            ) as client,
            pytest.raises(RefusedError, match=told) as caught,
        ):
            client.resolve(repository.tagged("x"))
        assert "wrong-secret" not in f"{caught.value!r}{caught.value}"
        assert len(sent) <= 2


def test_a_certificate_nobody_named_is_refused(registry: tuple[str, RegistrySettings], repository: Repository) -> None:
    with (
        RegistryClient(RegistrySettings(auth_file=registry[1].auth_file)) as client,
        pytest.raises(RefusedError, match="--ca-file") as caught,
    ):
        client.resolve(repository.tagged("x"))
    assert "not trusted" in caught.value.what


def test_an_unverified_host_can_be_named(registry: tuple[str, RegistrySettings], repository: Repository) -> None:
    address, settings = registry
    insecure = RegistrySettings(auth_file=settings.auth_file, insecure=frozenset({address}))
    with RegistryClient(insecure) as client:
        assert client.find(repository.tagged("x")) is None


def test_reading_sends_nothing_but_reads(registry: tuple[str, RegistrySettings], repository: Repository) -> None:
    sent: list[Request] = []
    with RegistryClient(registry[1]) as client:
        image = push(client, repository, "one")
    with RegistryClient(registry[1], on_request=sent.append) as client:
        manifest = client.image(image)
        client.config(repository, manifest)
        client.tags(repository)
        client.find(repository.tagged("none"))
        client.has_blob(repository, Digest("sha256", "0" * 64))
    assert {request.method for request in sent} == {"GET", "HEAD"}
