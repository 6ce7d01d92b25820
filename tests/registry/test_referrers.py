"""What refers to an image, as a registry lists it: whole, filtered or not, or not at all."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from layering.errors import ContentError, RefusedError
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_INDEX, OCI_MANIFEST, sha256
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image

KIND = "application/vnd.example.kind.v1+json"


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


@pytest.fixture
def client(server: RegistryServer) -> Iterator[RegistryClient]:
    with RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as made:
        yield made


@pytest.fixture
def image(server: RegistryServer, client: RegistryClient) -> ImageReference:
    return push_os_image(client, Repository(server.address, "acme/os"), "t", version="1", seed="1")


def refer(client: RegistryClient, image: ImageReference, kind: str, text: str) -> str:
    """Push a manifest that refers to the image; its digest."""
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": {**empty, "digest": str(client.push_blob(image.repository, b"{}"))},
        "layers": [],
        "subject": {"mediaType": OCI_MANIFEST, "digest": str(image.digest), "size": 1},
        "annotations": {"text": text},
    }
    raw = json.dumps(document).encode()
    return str(client.push_manifest(image.repository.at(sha256(raw)), raw, OCI_MANIFEST))


def listed(client: RegistryClient, image: ImageReference) -> list[str] | None:
    found = client.referrers(image, KIND)
    return None if found is None else [str(one.digest) for one in found]


def test_those_of_the_kind_are_listed_and_no_others(client: RegistryClient, image: ImageReference) -> None:
    assert listed(client, image) == []
    one, two = refer(client, image, KIND, "one"), refer(client, image, KIND, "two")
    refer(client, image, "application/vnd.example.other+json", "three")
    assert listed(client, image) == sorted([one, two])


def referrers_answer(answer: Callable[[Asked], Answer]) -> Callable[[Asked], Answer | None]:
    return lambda asked: answer(asked) if "/referrers/" in asked.target else None


def an_index(manifests: Sequence[Any], **headers: str) -> Answer:
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()
    return Answer(status=200, headers={"Content-Type": OCI_INDEX, **headers}, body=raw)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=404), id="404, as the specification has it"),
        pytest.param(Answer(status=405), id="405"),
        pytest.param(Answer(status=200, headers={"Content-Type": "text/html"}, body=b"<p>hello"), id="a web page"),
    ],
)
def test_a_registry_that_does_not_list_them(
    server: RegistryServer, client: RegistryClient, image: ImageReference, answer: Answer
) -> None:
    server.intercept = referrers_answer(lambda asked: answer)
    assert listed(client, image) is None


def test_a_registry_that_says_no_is_not_one_that_does_not_list_them(
    server: RegistryServer, client: RegistryClient, image: ImageReference
) -> None:
    server.intercept = referrers_answer(lambda asked: Answer(status=403))
    with pytest.raises(RefusedError, match="403"):
        listed(client, image)


def test_every_page_is_read(server: RegistryServer, client: RegistryClient, image: ImageReference) -> None:
    def paged(asked: Asked) -> Answer:
        digit = "2" if "page=2" in asked.target else "1"
        entry = {"mediaType": OCI_MANIFEST, "digest": f"sha256:{digit * 64}", "size": 1}
        path = asked.target.partition("?")[0]
        return an_index([entry], **({} if digit == "2" else {"Link": f'<{path}?page=2>; rel="next"'}))

    server.intercept = referrers_answer(paged)
    assert listed(client, image) == [f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda asked: an_index([], Link=f'<{asked.target}>; rel="next"'), id="a page that follows itself"),
        pytest.param(lambda asked: an_index([{}]), id="an entry that is none"),
        pytest.param(lambda asked: Answer(status=200, headers={"Content-Type": OCI_INDEX}, body=b"{"), id="no JSON"),
    ],
)
def test_a_false_list(
    server: RegistryServer, client: RegistryClient, image: ImageReference, answer: Callable[[Asked], Answer]
) -> None:
    server.intercept = referrers_answer(answer)
    with pytest.raises(ContentError):
        listed(client, image)
