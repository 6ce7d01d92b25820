"""What is remembered of small content: asked for once, by repository and digest, and never a failure."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from layering.errors import NotFoundError
from layering.platform import Platform
from layering.reference import Digest, Repository
from layering.registry.client import RegistryClient
from layering.registry.content import RememberedContent
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image

ONE, TWO = Repository("q.io", "a/one"), Repository("q.io", "a/two")
DIGESTS = [Digest("sha256", f"{number:064x}") for number in range(4)]


def test_it_is_read_once_in_each_repository() -> None:
    read: list[str] = []
    remembered: RememberedContent[str] = RememberedContent(len)
    for repository in (ONE, TWO, ONE):
        for digest in DIGESTS[:2]:
            remembered(repository, digest, lambda: read.append("") or "x")  # type: ignore[func-returns-value]
    assert len(read) == 4


def test_a_failure_is_not_remembered() -> None:
    remembered: RememberedContent[str] = RememberedContent(len)

    def fail() -> str:
        raise NotFoundError("not yet")

    with pytest.raises(NotFoundError):
        remembered(ONE, DIGESTS[0], fail)
    assert remembered(ONE, DIGESTS[0], lambda: "there") == "there"


def test_what_was_not_asked_for_longest_goes_first() -> None:
    read: list[Digest] = []
    remembered: RememberedContent[bytes] = RememberedContent(len, bytes_max=30)

    def ask(digest: Digest) -> None:
        def content() -> bytes:
            read.append(digest)
            return b"x" * 10

        remembered(ONE, digest, content)

    for number in (0, 1, 2, 0, 3, 0, 1):
        ask(DIGESTS[number])
    assert read == [DIGESTS[number] for number in (0, 1, 2, 3, 1)]


def test_threads_wait_for_the_one_that_reads() -> None:
    read: list[int] = []
    together = threading.Barrier(8)
    remembered: RememberedContent[bytes] = RememberedContent(len)

    def content() -> bytes:
        read.append(1)
        return b"x"

    def ask(_: int) -> bytes:
        together.wait()
        return remembered(ONE, DIGESTS[0], content)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {b"x"}
    assert len(read) == 1


def test_a_client_asks_for_a_manifest_and_a_configuration_once_and_for_a_tag_each_time() -> None:
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        repository = Repository(server.address, "a/b")
        with RegistryClient(settings) as client:
            pushed = push_os_image(client, repository, "t", version="1", seed="1")
        with RegistryClient(settings) as client:
            begin = len(server.requests)
            for _ in range(3):
                client.resolve(repository.tagged("t"))
                client.config(repository, client.image(pushed, Platform("linux", "amd64")))
        asked = [request.method for request in server.requests[begin:] if request.path != "/v2/"]
    assert asked.count("HEAD") == 3
    assert asked.count("GET") == 2
