"""Uploads that break: they go on where the registry says it is, begin anew where it has lost them, and end."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layering.errors import LayerwatchError, NotFoundError, UnavailableError
from layering.reference import Repository
from layering.registry.client import RegistryClient, Request
from layering.registry.manifest import OCI_LAYER, Descriptor, sha256
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from tests.registry.crash import RegistryProcess
from tests.registry.relay import Relay

MIB = 1024 * 1024
PIECE = 4 * MIB
DATA = random.Random(7).randbytes(9 * MIB)
BLOB = Descriptor(media_type=OCI_LAYER, digest=sha256(DATA), size=len(DATA))
PLACE = "/v2/a/b/blobs/uploads/"


@dataclass
class Keeper:
    """A registry with one upload at a time, that keeps the first bytes of a piece and then fails, as it is told.

    `keeps` holds how many bytes of the next PATCH requests are kept, None for all; those that are not wholly kept are
    answered with `status`. `told` gives what a question for its state is answered with, for a number of bytes.
    """

    keeps: list[int | None] = field(default_factory=list)
    status: int = 503
    told: Callable[[int], Answer] | None = None
    ends: list[int] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    kept: bytes = b""

    def __call__(self, asked: Asked) -> Answer | None:
        if not asked.target.startswith(PLACE):
            return None if asked.method != "HEAD" or not self.kept else Answer(status=200)
        self.heard.append(asked.method)
        return {"POST": self._open, "PATCH": self._take, "GET": self._tell, "PUT": self._close}[asked.method](asked)

    def _open(self, asked: Asked) -> Answer:
        self.received.clear()
        return Answer(status=202, headers={"Location": f"{PLACE}1"})

    def _take(self, asked: Asked) -> Answer:
        data = asked.body.whole(100 * MIB)
        if int(asked.headers["content-range"].partition("-")[0]) != len(self.received):
            return error(416, "RANGE_INVALID", "not here")
        kept = self.keeps.pop(0) if self.keeps else None
        self.received += data[:kept]
        if kept is not None:
            return error(self.status, "X", "x")
        return Answer(status=202, headers={"Location": f"{PLACE}1"})

    def _tell(self, asked: Asked) -> Answer:
        held = len(self.received)
        return self.told(held) if self.told else state(held)

    def _close(self, asked: Asked) -> Answer:
        if self.ends:
            return error(self.ends.pop(0), "X", "x")
        self.kept = bytes(self.received)
        return Answer(status=201)


def state(held: int, status: int = 204, prefix: str = "") -> Answer:
    headers = {"Location": f"{PLACE}1", "Range": f"{prefix}0-{max(held - 1, 0)}"}
    return Answer(status=status, headers=headers)


def push(keeper: Keeper) -> list[float]:
    """What the client slept."""
    slept: list[float] = []
    with (
        RegistryServer(intercept=keeper) as server,
        RegistryClient(RegistrySettings(insecure=frozenset({server.address})), sleep=slept.append) as client,
    ):
        client.push_stream(Repository(server.address, "a/b"), lambda: iter([DATA]), BLOB)
    return slept


@pytest.mark.parametrize("status", [416, 429, 500, 503])
@pytest.mark.parametrize("kept", [0, 1, 1_000_000, PIECE], ids=["nothing", "a byte", "a part", "all"])
def test_an_upload_goes_on_where_the_registry_is(kept: int, status: int) -> None:
    keeper = Keeper(keeps=[None, kept], status=status)
    slept = push(keeper)
    assert keeper.kept == DATA
    pieces = ["PATCH"] * (1 if kept == PIECE else 2)
    assert keeper.heard == ["POST", "PATCH", "PATCH", "GET", *pieces, "PUT"]
    assert len(slept) == 1


@pytest.mark.parametrize("kept", [0, 1, 2], ids=["nothing", "a byte, which cannot be told from nothing", "2 bytes"])
def test_an_upload_that_breaks_in_its_first_bytes(kept: int) -> None:
    keeper = Keeper(keeps=[kept])
    push(keeper)
    assert keeper.kept == DATA
    assert keeper.heard.count("POST") == (2 if kept == 1 else 1)


@pytest.mark.parametrize("status", [200, 202])
def test_a_state_that_is_told_otherwise(status: int) -> None:
    keeper = Keeper(keeps=[1000], told=lambda held: state(held, status, "bytes="))
    push(keeper)
    assert (keeper.kept, keeper.heard.count("POST")) == (DATA, 1)


LOST = {
    "it is gone": lambda held: error(404, "BLOB_UPLOAD_UNKNOWN", "what upload"),
    "it is not offered": lambda held: error(405, "UNSUPPORTED", "no"),
    "no range": lambda held: Answer(status=204, headers={"Location": f"{PLACE}1"}),
    "no place": lambda held: Answer(status=204, headers={"Range": f"0-{held}"}),
    "a range that is none": lambda held: Answer(status=204, headers={"Location": f"{PLACE}1", "Range": "1-x"}),
    "less than it had": lambda held: state(10),
    "more than was sent": lambda held: state(held + 20 * MIB),
}


@pytest.mark.parametrize("told", LOST.values(), ids=LOST)
def test_what_cannot_be_gone_on_with_is_begun_anew(told: Callable[[int], Answer]) -> None:
    keeper = Keeper(keeps=[None, 1000], told=told)
    push(keeper)
    assert keeper.kept == DATA
    assert keeper.heard == ["POST", "PATCH", "PATCH", "GET", "POST", "PATCH", "PATCH", "PATCH", "PUT"]


def test_each_piece_may_break() -> None:
    keeper = Keeper(keeps=[*[1_000_000] * 3, None, 2_000_000, 1_000_000, None])
    push(keeper)
    assert (keeper.kept, keeper.heard.count("POST")) == (DATA, 1)


@pytest.mark.parametrize("kept", [0, 1, 1000])
def test_what_never_gets_on_ends(kept: int) -> None:
    keeper = Keeper(keeps=[kept] * 1000)
    with pytest.raises(UnavailableError):
        push(keeper)
    assert (keeper.heard.count("POST"), keeper.heard.count("PATCH")) == (4, 16)
    assert keeper.kept == b""


@pytest.mark.parametrize(("status", "ends"), [(404, NotFoundError), (500, UnavailableError)])
def test_an_upload_that_cannot_be_closed_ends(status: int, ends: type[LayerwatchError]) -> None:
    keeper = Keeper(ends=[status] * 1000)
    with pytest.raises(ends):
        push(keeper)
    assert keeper.heard.count("PUT") == 4


@pytest.mark.parametrize("status", [404, 500])
def test_what_was_kept_unheard_is_not_sent_again(status: int) -> None:
    """The answer to the closing PUT is lost: the upload is gone, and the blob is there."""
    keeper = Keeper()

    def unheard(asked: Asked) -> Answer | None:
        answer = keeper(asked)
        return error(status, "X", "x") if asked.method == "PUT" else answer

    with (
        RegistryServer(intercept=unheard) as server,
        RegistryClient(RegistrySettings(insecure=frozenset({server.address})), sleep=lambda _: None) as client,
    ):
        client.push_stream(Repository(server.address, "a/b"), lambda: iter([DATA]), BLOB)
    assert keeper.heard == ["POST", "PATCH", "PATCH", "PATCH", "PUT"]


def _over_a_broken_line(registry: str) -> list[tuple[str, int]]:
    """The uploads' requests over a line that breaks a megabyte into the second piece."""
    sent: list[Request] = []
    passed = 0

    def cut_once(data: bytes) -> None:
        nonlocal passed
        before, passed = passed, passed + len(data)
        if before < PIECE + MIB <= passed:
            relay.cut_next()

    with Relay(registry, on_sent=cut_once) as relay:
        settings, repository = RegistrySettings(insecure=frozenset({relay.address})), Repository(relay.address, "a/b")
        with RegistryClient(settings, on_request=sent.append, sleep=lambda _: None) as client:
            client.push_stream(repository, lambda: iter([DATA]), BLOB)
            assert client.read_blob(repository, BLOB, limit_bytes=len(DATA)) == DATA
    return [(one.method, one.status) for one in sent if one.path.startswith(PLACE)]


def test_our_registry_over_a_broken_line() -> None:
    """It may still be writing what came over the line when it is asked how much that is: then it is asked twice."""
    asked_again = [("PATCH", 416), ("GET", 204)]
    with RegistryServer() as server:
        asked = _over_a_broken_line(server.address)
    if asked[4:6] == asked_again:
        del asked[4:6]
    assert asked == [
        ("POST", 202), ("PATCH", 202), ("PATCH", 0), ("GET", 204), ("PATCH", 202), ("PATCH", 202), ("PUT", 201),
    ]  # fmt: skip


def test_dockers_registry_over_a_broken_line(tmp_path: Path) -> None:
    """It knows an upload by the state it gave out last. Once it has written down the broken piece that is another one,
    and the upload is begun anew; when it is asked before, it is gone on with. Either way all of it is sent.
    """
    with RegistryProcess("docker", tmp_path) as registry:
        asked = _over_a_broken_line(registry.address)
    begun, whole = ["POST", "PATCH"], ["PATCH", "PATCH", "PUT"]
    assert [method for method, _ in asked[:4]] == [*begun, "PATCH", "GET"]
    done = [method for method, status in asked if method != "GET" and 200 <= status < 300]
    assert done in ([*begun, *whole], [*begun, *begun, *whole])
