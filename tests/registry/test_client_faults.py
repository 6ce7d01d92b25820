"""What the client makes of a registry that fails, lies or leads astray: a typed error, and no credential for others."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from layering.errors import ContentError, LayerwatchError, RefusedError, UnavailableError
from layering.reference import Repository
from layering.registry.client import BlobCopy, RegistryClient, Request
from layering.registry.manifest import OCI_CONFIG, OCI_MANIFEST, Descriptor, sha256
from layering.registry.server import RegistryServer, one_of
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from tests.docker_registry import write_auth_file

MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": str(sha256(b"{}")), "size": 2},
        "layers": [],
    }
).encode()
HEADERS = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": str(sha256(MANIFEST))}
Hook = Callable[[Asked], Answer | None]


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


def client_of(
    server: RegistryServer, slept: list[float] | None = None, auth_file: Path | None = None
) -> RegistryClient:
    settings = RegistrySettings(insecure=frozenset({server.address}), auth_file=auth_file)
    waits: list[float] = [] if slept is None else slept
    return RegistryClient(settings, sleep=waits.append)


def repository(server: RegistryServer) -> Repository:
    return Repository(server.address, "a/b")


def in_turn(*answers: Answer) -> Hook:
    """The answers to manifest requests, one after the other; the last one stays."""
    left = list(answers)

    def hook(asked: Asked) -> Answer | None:
        if "/manifests/" not in asked.target:
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    return hook


GOOD = Answer(status=200, headers=HEADERS, body=MANIFEST)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_is_temporary_is_tried_again(server: RegistryServer, status: int) -> None:
    server.intercept = in_turn(error(status, "X", "x"), error(status, "X", "x"), GOOD)
    slept: list[float] = []
    with client_of(server, slept) as client:
        assert client.manifest(repository(server).tagged("t")).raw == MANIFEST
    assert len(slept) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_to_the_end_it_is_unavailable_and_never_not_found(server: RegistryServer, status: int) -> None:
    server.intercept = in_turn(error(status, "X", "x"))
    with client_of(server) as client, pytest.raises(UnavailableError):
        client.find(repository(server).tagged("t"))


def test_retry_after_is_honoured_and_a_long_one_is_not_waited_for(server: RegistryServer) -> None:
    slept: list[float] = []
    server.intercept = in_turn(error(429, "X", "x", {"Retry-After": "7"}), GOOD)
    with client_of(server, slept) as client:
        client.manifest(repository(server).tagged("t"))
    assert slept == [7.0]
    server.intercept = in_turn(error(429, "X", "x", {"Retry-After": "3600"}), GOOD)
    with client_of(server, slept) as client, pytest.raises(UnavailableError, match="3600"):
        client.manifest(repository(server).tagged("t"))
    assert slept == [7.0]


@pytest.mark.parametrize("status", [400, 401, 403, 405, 409, 416])
def test_a_refusal_is_not_tried_again(server: RegistryServer, status: int) -> None:
    server.intercept = in_turn(error(status, "DENIED", "no"))
    with client_of(server) as client, pytest.raises(RefusedError, match="DENIED no"):
        client.manifest(repository(server).tagged("t"))
    assert len([r for r in server.requests if "/manifests/" in r.path]) == 1


LIES = [
    ("another manifest for a digest", Answer(status=200, headers=HEADERS, body=MANIFEST + b" ")),
    ("a digest that the header contradicts",
     Answer(status=200, headers={**HEADERS, "Docker-Content-Digest": str(sha256(b"x"))}, body=MANIFEST)),
    ("a digest that is none",
     Answer(status=200, headers={**HEADERS, "Docker-Content-Digest": "sha256:1"}, body=MANIFEST)),
    ("a web page", Answer(status=200, headers={"Content-Type": "text/html"}, body=b"<html>")),
    ("an index called an image", Answer(status=200, headers={"Content-Type": OCI_MANIFEST},
                                        body=b'{"schemaVersion":2,"manifests":[]}')),
    ("both at once", Answer(status=200, headers={"Content-Type": OCI_MANIFEST},
                            body=MANIFEST.replace(b'"layers"', b'"manifests": [], "layers"'))),
    ("a key twice", Answer(status=200, headers={"Content-Type": OCI_MANIFEST},
                           body=MANIFEST.replace(b'"layers"', b'"layers": [], "layers"'))),
    ("a key in other case", Answer(status=200, headers={"Content-Type": OCI_MANIFEST},
                                   body=MANIFEST.replace(b'"layers"', b'"Layers": [], "layers"'))),
    ("schema 1", Answer(status=200, headers={}, body=b'{"schemaVersion":1,"fsLayers":[]}')),
    ("more than 4 MiB", Answer(status=200, headers={"Content-Type": OCI_MANIFEST}, body=b" " * (4 * 1024**2 + 1))),
    ("deep nesting", Answer(status=200, headers={"Content-Type": OCI_MANIFEST}, body=b"[" * 100_000)),
    ("an encoding nobody asked for",
     Answer(status=200, headers={**HEADERS, "Content-Encoding": "gzip"}, body=MANIFEST)),
]  # fmt: skip


@pytest.mark.parametrize("answer", [pytest.param(answer, id=name) for name, answer in LIES])
def test_a_lie_is_content_that_is_not_what_it_claims(server: RegistryServer, answer: Answer) -> None:
    server.intercept = in_turn(answer)
    asked = (
        repository(server).at(sha256(MANIFEST)) if answer.body == MANIFEST + b" " else repository(server).tagged("t")
    )
    with client_of(server) as client, pytest.raises(ContentError):
        client.manifest(asked)


def test_a_head_that_says_too_little_is_followed_by_a_get(server: RegistryServer) -> None:
    server.intercept = in_turn(Answer(status=200, headers={"Content-Type": OCI_MANIFEST}, body=MANIFEST))
    with client_of(server) as client:
        assert client.resolve(repository(server).tagged("t")).digest == sha256(MANIFEST)
    assert [request.method for request in server.requests if "/manifests/" in request.path] == ["HEAD", "GET"]


def test_a_manifest_is_read_no_further_than_its_limit(server: RegistryServer) -> None:
    padded = MANIFEST + b" " * (5 * 1024 * 1024)
    server.intercept = in_turn(Answer(status=200, headers={"Content-Type": OCI_MANIFEST}, body=padded))
    with client_of(server) as client, pytest.raises(ContentError, match="longer than"):
        client.manifest(repository(server).tagged("t"))


def test_a_head_of_a_manifest_over_the_limit_is_refused(server: RegistryServer) -> None:
    server.intercept = in_turn(Answer(status=200, headers=HEADERS, length=5 * 1024 * 1024))
    with client_of(server) as client, pytest.raises(ContentError, match="more than"):
        client.resolve(repository(server).tagged("t"))


@pytest.mark.parametrize("sent", [b"wrong", b"sho", b"much too long"], ids=["other bytes", "shorter", "longer"])
def test_a_blob_that_is_not_its_descriptor(server: RegistryServer, sent: bytes) -> None:
    server.intercept = lambda asked: Answer(status=200, body=sent) if "/blobs/" in asked.target else None
    blob = Descriptor(media_type="x", digest=sha256(b"right"), size=5)
    with client_of(server) as client, pytest.raises(ContentError):
        client.read_blob(repository(server), blob, limit_bytes=100)


def test_a_redirect_is_followed_without_credentials_for_another_origin(server: RegistryServer, tmp_path: Path) -> None:
    heard: list[str | None] = []

    def storage(asked: Asked) -> Answer:
        heard.append(asked.headers.get("authorization"))
        return Answer(status=200, body=b"right")

    with RegistryServer(intercept=storage) as elsewhere, RegistryServer(check_password=one_of({"joe": "pw"})) as ours:
        ours.intercept = lambda asked: (
            Answer(status=307, headers={"Location": f"{elsewhere.url}/signed?token=secret"})
            if "/blobs/" in asked.target
            else None
        )
        auth_file = write_auth_file(tmp_path / "auth.json", ours.address, "joe", "pw")
        with client_of(ours, auth_file=auth_file) as client:
            blob = Descriptor(media_type="x", digest=sha256(b"right"), size=5)
            assert client.read_blob(repository(ours), blob, limit_bytes=100) == b"right"
    assert heard == [None]


def test_redirects_end(server: RegistryServer) -> None:
    server.intercept = lambda asked: Answer(status=302, headers={"Location": asked.target})
    settings = RegistrySettings(insecure=frozenset({server.address}))
    with RegistryClient(settings) as client, pytest.raises(LayerwatchError, match="redirects"):
        client.manifest(repository(server).tagged("t"))
    assert len(server.requests) < 20


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:1/upload", "http://user:pw@{address}/x", "http://127.0.0.1:1\\@{address}/x"]
)
def test_an_upload_is_sent_to_no_other_host(server: RegistryServer, location: str) -> None:
    target = location.format(address=server.address)
    server.intercept = lambda asked: (
        Answer(status=202, headers={"Location": target}) if asked.method == "POST" else None
    )
    with client_of(server) as client, pytest.raises((RefusedError, ContentError)):
        client.push_blob(repository(server), b"data")
    assert [request.method for request in server.requests if request.method in ("PUT", "PATCH")] == []


def test_a_foreign_realm_gets_no_credentials(server: RegistryServer, tmp_path: Path) -> None:
    heard: list[Asked] = []
    with RegistryServer(intercept=lambda asked: heard.append(asked) or Answer(status=200, body=b"{}")) as thief:  # type: ignore[func-returns-value]
        realm = thief.url.replace("127.0.0.1", "localhost")
        challenge = {"WWW-Authenticate": f'Bearer realm="{realm}/token",service="x"'}
        server.intercept = lambda asked: error(401, "UNAUTHORIZED", "x", challenge)
        auth_file = write_auth_file(tmp_path / "auth.json", server.address, "joe", "pw")
        with client_of(server, auth_file=auth_file) as client, pytest.raises(RefusedError, match="not its own host"):
            client.manifest(repository(server).tagged("t"))
    assert heard == []


def test_a_bearer_token_is_fetched_once_and_used(server: RegistryServer, tmp_path: Path) -> None:
    def hook(asked: Asked) -> Answer | None:
        if asked.target.startswith("/token"):
            assert asked.headers["authorization"].startswith("Basic ")
            assert "scope=repository%3Aa%2Fb%3Apull" in asked.target
            return Answer(status=200, body=b'{"token": "t0ken"}')
        if asked.headers.get("authorization") == "Bearer t0ken":
            return GOOD if "/manifests/" in asked.target else None
        realm = f'Bearer realm="{server.url}/token",service="x",scope="repository:a/b:pull"'
        return error(401, "UNAUTHORIZED", "x", {"WWW-Authenticate": realm})

    server.intercept = hook
    auth_file = write_auth_file(tmp_path / "auth.json", server.address, "joe", "pw")
    with client_of(server, auth_file=auth_file) as client:
        for _ in range(3):
            client.manifest(repository(server).tagged("t"))
    assert len([request for request in server.requests if request.path.startswith("/token")]) == 1
    assert len([request for request in server.requests if request.status == 401]) <= 2


def test_a_token_that_is_never_enough_ends(server: RegistryServer) -> None:
    def hook(asked: Asked) -> Answer:
        if asked.target.startswith("/token"):
            return Answer(status=200, body=b'{"token": "useless"}')
        return error(401, "UNAUTHORIZED", "x", {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})

    server.intercept = hook
    with client_of(server) as client, pytest.raises(RefusedError):
        client.manifest(repository(server).tagged("t"))
    assert len([request for request in server.requests if "/manifests/" in request.path]) <= 2


@pytest.mark.parametrize("token", [b"{}", b'{"token": 1}', b'{"token": "a b"}', b'{"token": "a\\nb"}', b"[]", b"no"])
def test_an_answer_that_is_no_token(server: RegistryServer, token: bytes) -> None:
    def hook(asked: Asked) -> Answer:
        if asked.target.startswith("/token"):
            return Answer(status=200, body=token)
        return error(401, "UNAUTHORIZED", "x", {"WWW-Authenticate": f'Bearer realm="{server.url}/token"'})

    server.intercept = hook
    with client_of(server) as client, pytest.raises(ContentError):
        client.manifest(repository(server).tagged("t"))


def test_a_mount_that_is_declined_goes_on_in_the_upload_it_opened(server: RegistryServer) -> None:
    def decline(asked: Asked) -> Answer | None:
        if "mount=" not in asked.target:
            return None
        opened = requests.post(f"{server.url}/v2/c/d/blobs/uploads/", timeout=10)
        return Answer(status=202, headers={"Location": opened.headers["Location"]})

    with client_of(server) as client:
        source, target = repository(server), Repository(server.address, "c/d")
        digest = client.push_blob(source, b"data")
        server.intercept, begun = decline, len(server.requests)
        blob = Descriptor(media_type="x", digest=digest, size=4)
        assert client.copy_blob(source, target, blob) is BlobCopy.STREAMED
        assert client.has_blob(target, digest)
    assert [request.method for request in server.requests[begun:]].count("POST") == 2  # the mount, and the test's own


def test_netrc_and_cookies_play_no_part(
    server: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    heard: list[tuple[str | None, str | None]] = []

    def hook(asked: Asked) -> Answer:
        heard.append((asked.headers.get("authorization"), asked.headers.get("cookie")))
        return Answer(status=200, headers={**HEADERS, "Set-Cookie": "session=1"}, body=MANIFEST)

    server.intercept = hook
    with client_of(server) as client:
        client.manifest(repository(server).tagged("t"))
        client.manifest(repository(server).tagged("t"))
    assert set(heard) == {(None, None)}


def test_every_request_is_heard_of(server: RegistryServer) -> None:
    sent: list[Request] = []
    with RegistryClient(RegistrySettings(insecure=frozenset({server.address})), on_request=sent.append) as client:
        client.push_blob(repository(server), b"x")
    assert [(request.method, request.status) for request in sent if "/a/b/" in request.path] == [
        ("HEAD", 404), ("POST", 202), ("PUT", 201),
    ]  # fmt: skip
