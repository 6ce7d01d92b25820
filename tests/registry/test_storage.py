"""Both storages keep the same promises; a directory keeps them through a kill; and no request breaks the server."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layering.reference import Digest
from layering.registry.manifest import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, sha256
from layering.registry.server import RegistryServer
from layering.registry.server_content import Content, Refused
from layering.registry.storage import DirectoryStorage, MemoryStorage, Storage

STORAGES: dict[str, Callable[[Path], Storage]] = {
    "memory": lambda directory: MemoryStorage(),
    "directory": DirectoryStorage,
}


@pytest.fixture(params=[pytest.param(made, id=name) for name, made in STORAGES.items()])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    made: Storage = request.param(tmp_path / "data")
    return made


def read(storage: Storage, key: str) -> bytes | None:
    found = storage.open(key)
    if found is None:
        return None
    with found[0] as stream:
        data = stream.read()
    assert len(data) == found[1]
    return data


def test_what_is_put_is_found_replaced_and_deleted(storage: Storage) -> None:
    assert read(storage, "a/b") is None
    storage.put("a/b", b"one")
    storage.put("a/b", b"two")
    assert read(storage, "a/b") == b"two"
    assert storage.delete("a/b")
    assert not storage.delete("a/b")
    assert read(storage, "a/b") is None


def test_a_key_above_or_below_another_is_none(storage: Storage) -> None:
    storage.put("a/b", b"x")
    assert read(storage, "a") is None
    assert read(storage, "a/b/c") is None
    assert not storage.delete("a/b/c")


def test_children_are_the_names_directly_below(storage: Storage) -> None:
    for key in ("r/x/2", "r/x/1", "r/x/d/e", "r/xy", "other"):
        storage.put(key, b"")
    assert storage.children("r/x") == ["1", "2", "d"]
    assert storage.children("nothing") == []
    assert storage.children("other") == []


def test_what_comes_in_is_there_only_when_it_is_committed(storage: Storage) -> None:
    incoming = storage.begin()
    incoming.write(b"first ")
    with incoming.read_all() as stream:
        assert stream.read() == b"first "
    incoming.write(b"second")
    assert incoming.size == 12
    assert read(storage, "k") is None
    incoming.commit("k")
    assert read(storage, "k") == b"first second"
    dropped = storage.begin()
    dropped.write(b"x")
    dropped.abort()
    assert read(storage, "k") == b"first second"


def test_a_stream_survives_what_is_done_to_its_key(storage: Storage) -> None:
    storage.put("k", b"old")
    found = storage.open("k")
    assert found is not None
    storage.put("k", b"new!")
    storage.delete("k")
    with found[0] as stream:
        assert stream.read() == b"old"


def test_a_directory_is_whole_after_a_kill(tmp_path: Path) -> None:
    first = DirectoryStorage(tmp_path)
    first.put("kept", b"whole")
    half = first.begin()
    half.write(b"half of an upl")  # and here the process is killed
    assert len(list((tmp_path / "incoming").iterdir())) == 1
    again = DirectoryStorage(tmp_path)
    assert read(again, "kept") == b"whole"
    assert list((tmp_path / "incoming").iterdir()) == []
    half.abort()  # its file is gone already


REPOSITORY = "a/b"


def manifest_of(content: Content, subject: Digest | None = None) -> bytes:
    upload = content.begin_upload(REPOSITORY)
    content.append(REPOSITORY, upload, [b"{}"])
    content.finish_upload(REPOSITORY, upload, sha256(b"{}"))
    config = {"mediaType": OCI_CONFIG, "digest": str(sha256(b"{}")), "size": 2}
    named = {"subject": {"digest": str(subject), "size": 1, "mediaType": OCI_MANIFEST}} if subject else {}
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [], **named}).encode()


@pytest.mark.parametrize("done", range(4))
def test_a_deletion_that_was_killed_is_told_by_nobody_and_can_be_repeated(storage: Storage, done: int) -> None:
    """`done` steps of the deletion happened before the process was killed."""
    content = Content(storage)
    subject = sha256(b"subject")
    raw = manifest_of(content, subject)
    digest, _ = content.put_manifest(REPOSITORY, "t", raw, OCI_MANIFEST)
    assert [entry["digest"] for entry in content.referrers(REPOSITORY, subject, None)["manifests"]] == [str(digest)]
    left = [done]

    def delete(key: str, original: Callable[[str], bool] = storage.delete) -> bool:
        if left[0] == 0:
            raise InterruptedError
        left[0] -= 1
        return original(key)

    storage.delete = delete  # type: ignore[method-assign]
    if done < 3:
        with pytest.raises(InterruptedError):
            content.delete_manifest(REPOSITORY, digest)
    left[0] = 10
    content.referrers(REPOSITORY, subject, None)
    for tag in content.tags(REPOSITORY):
        content.manifest(REPOSITORY, tag)
    content.delete_manifest(REPOSITORY, digest)
    assert content.referrers(REPOSITORY, subject, None)["manifests"] == []
    with pytest.raises(Refused):
        content.manifest(REPOSITORY, digest)


@pytest.fixture(scope="module")
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


def asked(server: RegistryServer, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.address, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


DESCRIPTOR = {"mediaType": OCI_CONFIG, "digest": str(sha256(b"{}")), "size": 2}
ODD_MANIFESTS: list[Any] = [
    {}, [], {"config": None}, {"config": 1, "layers": []}, {"config": {"digest": 1}}, {"config": {"digest": "x"}},
    {"config": DESCRIPTOR, "layers": 7}, {"config": DESCRIPTOR, "layers": [None]},
    {"config": DESCRIPTOR, "layers": [{"mediaType": 1}]}, {"config": DESCRIPTOR, "subject": "x"},
    {"config": DESCRIPTOR, "subject": {"digest": "../../x"}}, {"mediaType": "other"},
]  # fmt: skip


@pytest.mark.parametrize("document", ODD_MANIFESTS, ids=str)
def test_an_odd_manifest_is_answered_with_400(server: RegistryServer, document: Any) -> None:
    raw = json.dumps(document).encode()
    assert asked(server, "PUT", "/v2/a/b/manifests/t", raw, Content_Type=OCI_MANIFEST)[0] == 400


@pytest.mark.parametrize("subject", ["x", [], {"digest": []}], ids=str)
def test_an_odd_subject_of_an_index(server: RegistryServer, subject: Any) -> None:
    raw = json.dumps({"manifests": [], "subject": subject}).encode()
    assert asked(server, "PUT", "/v2/a/b/manifests/t", raw, Content_Type=OCI_INDEX)[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404), ("GET", "/v2", 200), ("GET", "/v2/", 200), ("GET", "/v2/a/b", 404),
        ("GET", "/v2/../../etc/manifests/x", 400), ("GET", "/v2/A/manifests/x", 400), ("GET", "/v2/_x/tags/list", 400),
        ("GET", "/v2/a/blobs/sha256:..%2f..", 400), ("GET", "/v2/a/blobs/sha256:x", 400),
        ("GET", "/v2/a/manifests/-x", 400), ("GET", f"/v2/a/manifests/{'x' * 129}", 400),
        ("GET", f"/v2/{'a' * 300}/tags/list", 400), ("GET", "/v2/none/tags/list", 404),
        ("PATCH", "/v2/a/blobs/uploads/../../x", 404), ("PUT", "/v2/a/blobs/uploads/none?digest=sha256:x", 400),
        ("PUT", f"/v2/a/blobs/uploads/none?digest={sha256(b'')}", 404), ("DELETE", "/v2/a/tags/list", 405),
        ("POST", "/v2/a/blobs/uploads/?mount=x&from=b", 400),
        ("POST", f"/v2/a/blobs/uploads/?mount={sha256(b'')}&from=../x", 400),
    ],
)  # fmt: skip
def test_an_odd_request_has_its_answer(server: RegistryServer, method: str, path: str, status: int) -> None:
    assert asked(server, method, path)[0] == status


def test_numbers_without_end(server: RegistryServer) -> None:
    assert asked(server, "PUT", "/v2/n/manifests/t", b'{"manifests": []}', Content_Type=OCI_INDEX)[0] == 201
    assert json.loads(asked(server, "GET", f"/v2/n/tags/list?n={'9' * 5000}")[1])["tags"] == ["t"]
    status, body = asked(server, "POST", f"/v2/n/blobs/uploads/?digest={sha256(b'0123')}", b"0123")
    assert status == 201, body
    blob = f"/v2/n/blobs/{sha256(b'0123')}"
    assert asked(server, "GET", blob, Range=f"bytes={'9' * 5000}-")[0] == 200  # no range that is understood
    assert asked(server, "GET", blob, Range="bytes=1-2") == (206, b"12")
    assert asked(server, "GET", blob, Range="bytes=4-9")[0] == 416


@pytest.mark.parametrize(
    ("request_bytes", "start"),
    [
        (b"GET http://[x/v2/ HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400"),
        (b"PUT /v2/a/manifests/t HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"HTTP/1.1 400"),
        (b"PUT /v2/a/manifests/t HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b""),
        (b"PUT /v2/a/manifests/t HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort", b""),
        (b"\x16\x03\x01\x00\r\n\r\n", b""),
    ],
    ids=["no path", "an endless length", "no chunk", "gone in the middle", "TLS"],
)
def test_what_no_client_sends_does_not_end_the_server(
    server: RegistryServer, request_bytes: bytes, start: bytes
) -> None:
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(4096).startswith(start)
    assert asked(server, "GET", "/v2/")[0] == 200
