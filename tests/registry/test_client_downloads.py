"""Downloads over a line that breaks: they go on where they stopped, and are still checked whole."""

import random
from collections.abc import Iterator

import pytest

from layering.errors import ContentError, UnavailableError
from layering.reference import Repository
from layering.registry.client import RegistryClient, Request
from layering.registry.manifest import OCI_LAYER, OCI_MANIFEST, Descriptor, sha256
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked
from layering.registry.settings import RegistrySettings
from tests.registry.relay import Relay
from tests.registry.test_client_connections import MANIFEST, push_image

DATA = random.Random(1).randbytes(500_000)
BLOB = Descriptor(media_type=OCI_LAYER, digest=sha256(DATA), size=len(DATA))


class Line:
    """A registry with a blob and an image in it, behind a relay; what the registry is asked; what the client waits."""

    def __init__(self, server: RegistryServer, relay: Relay) -> None:
        self.server, self.relay = server, relay
        self.repository = Repository(relay.address, "a/b")
        self.sent: list[Request] = []
        self.slept: list[float] = []
        self.client = RegistryClient(
            RegistrySettings(insecure=frozenset({relay.address})), sleep=self.slept.append, on_request=self.sent.append
        )
        self.client.push_blob(self.repository, DATA)
        push_image(self.client, self.repository)
        self.sent.clear()

    def read(self) -> bytes:
        return self.client.read_blob(self.repository, BLOB, limit_bytes=len(DATA))


@pytest.fixture
def line() -> Iterator[Line]:
    with RegistryServer() as server, Relay(server.address) as relay:
        line = Line(server, relay)
        with line.client:
            yield line


def test_a_download_goes_on_where_it_broke_off(line: Line) -> None:
    line.relay.cut_next(200_000, 100_000)
    assert line.read() == DATA
    assert [request.status for request in line.sent if request.status] == [200, 206, 206]


def test_a_registry_without_ranges_sends_all_again(line: Line) -> None:
    heard: list[str] = []

    def all_again(asked: Asked) -> Answer | None:
        heard.append(asked.headers.get("range", ""))
        return Answer(status=200, body=DATA) if "/blobs/" in asked.target else None

    line.server.intercept = all_again
    line.relay.cut_next(200_000)
    assert line.read() == DATA
    assert heard[0] == ""
    assert heard[-1].startswith("bytes=")


def test_a_line_that_breaks_every_time_is_given_up(line: Line) -> None:
    line.relay.cut_next(*[1_000] * 20)
    with pytest.raises(UnavailableError, match="breaks off"):
        line.read()
    assert len(line.slept) < 10


def test_another_part_than_asked_for_is_no_continuation(line: Line) -> None:
    def from_the_start(asked: Asked) -> Answer | None:
        if "range" not in asked.headers:
            return None
        return Answer(status=206, headers={"Content-Range": f"bytes 0-9/{len(DATA)}"}, body=DATA[:10])

    line.server.intercept = from_the_start
    line.relay.cut_next(200_000)
    with pytest.raises(ContentError, match="another part"):
        line.read()


def test_a_part_is_not_the_whole(line: Line) -> None:
    headers = {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}
    line.server.intercept = lambda asked: Answer(status=206, headers=headers, body=DATA)
    with pytest.raises(ContentError, match="another part"):
        line.read()


def test_what_goes_on_with_other_bytes_is_not_the_blob(line: Line) -> None:
    def other(asked: Asked) -> Answer | None:
        if not (wanted := asked.headers.get("range")):
            return None
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        headers = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}
        return Answer(status=206, headers=headers, body=bytes(len(DATA) - start))

    line.server.intercept = other
    line.relay.cut_next(200_000)
    with pytest.raises(ContentError, match="not its digest"):
        line.read()


def test_a_manifest_that_breaks_off_is_asked_for_again(line: Line) -> None:
    large = b" " * 200_000 + MANIFEST
    line.server.intercept = lambda asked: (
        Answer(status=200, headers={"Content-Type": OCI_MANIFEST}, body=large)
        if "/manifests/" in asked.target
        else None
    )
    line.relay.cut_next(100_000)
    assert line.client.manifest(line.repository.tagged("t")).digest == sha256(large)


def test_who_stops_early_pays_no_more(line: Line) -> None:
    with line.client.stream_blob(line.repository, BLOB) as chunks:
        assert DATA.startswith(next(chunks))
    assert line.client.find(line.repository.tagged("t")) is not None
    assert [request.method for request in line.sent] == ["GET", "HEAD"]
