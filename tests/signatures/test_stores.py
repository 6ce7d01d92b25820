"""Stores of signatures: what is asked of them, and how little a hostile one can do."""

import io
import resource
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from layering.errors import ContentError, InputError, LayerwatchError, RefusedError, UnavailableError
from layering.reference import ImageReference
from layering.registry.deadline import Deadline
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked
from layering.registry.settings import RegistrySettings
from layering.releasesignatures.rules import PRODUCT
from layering.releasesignatures.stores import PUBLIC_STORES, Stores, default_places, parse_place
from tests.docker_registry import write_auth_file
from tests.signatures.releases import DIGEST, MIRROR, store

PATH = f"/signatures/sha256={DIGEST.hex}/signature-"
LINK_LOCAL = "http://169.254.169.254/latest/meta-data"


class Endless(io.RawIOBase):
    """A body that does not end."""

    def read(self, size: int = -1) -> bytes:
        return bytes(max(size, 1))


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as running:
        yield running


def read(url: str, *, seconds: float = 20, settings: RegistrySettings | None = None) -> list[bytes]:
    with Stores(settings or RegistrySettings()) as stores:
        return list(stores.open(url).signatures(DIGEST, Deadline.after(seconds)))


def serving(server: RegistryServer, *answers: Answer) -> str:
    """Its URL; the N-th answer is what signature-N gets, 404 what is behind them."""
    known = {f"{PATH}{number}": answer for number, answer in enumerate(answers, 1)}
    server.intercept = lambda asked: known.get(asked.target, Answer(status=404, body=b"no such thing"))
    return f"{server.url}/signatures"


def one(body: bytes = b"signature", status: int = 200, **headers: str) -> Answer:
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def asked_for(server: RegistryServer) -> list[str]:
    return [request.path.removeprefix(PATH) for request in server.requests]


def test_from_one_until_there_are_none(server: RegistryServer) -> None:
    assert read(serving(server, one(b"a"), one(b"b"))) == [b"a", b"b"]
    assert asked_for(server) == ["1", "2", "3"]


def test_a_slash_at_the_end_changes_nothing(server: RegistryServer) -> None:
    assert read(serving(server, one(b"a")) + "/") == [b"a"]


def test_none_at_all(server: RegistryServer) -> None:
    assert read(serving(server)) == []
    assert asked_for(server) == ["1"]


def test_what_follows_a_gap_is_not_asked_for(server: RegistryServer) -> None:
    assert read(serving(server, one(status=404), one(b"b"))) == []


def test_no_more_than_nine_are_asked_for(server: RegistryServer) -> None:
    assert len(read(serving(server, *[one()] * 12))) == 9
    assert asked_for(server) == list("123456789")


def test_no_more_than_are_wanted_are_asked_for(server: RegistryServer) -> None:
    with Stores(RegistrySettings()) as stores:
        next(iter(stores.open(serving(server, one(), one())).signatures(DIGEST, Deadline.after(20))))
    assert asked_for(server) == ["1"]


def test_credentials_of_the_same_host_stay_at_home(tmp_path: Path) -> None:
    heard: list[str | None] = []

    def hear(asked: Asked) -> Answer:
        heard.append(asked.headers.get("authorization"))
        return one(status=401, WWW_Authenticate='Basic realm="signatures"')

    with RegistryServer(intercept=hear) as server:
        auth_file = write_auth_file(tmp_path / "auth.json", server.address, "joe", "pw")
        settings = RegistrySettings(auth_file=auth_file, insecure=frozenset({server.address}))
        with pytest.raises(RefusedError):
            read(f"{server.url}/signatures", settings=settings)
    assert heard == [None]


HOSTILE: Mapping[str, tuple[Callable[[], Answer], type[LayerwatchError], str]] = {
    "a body without end": (
        lambda: Answer(status=200, stream=Endless(), length=1 << 40),  # type: ignore[arg-type]
        ContentError, "longer than 65536",
    ),
    "70 KiB": (lambda: one(bytes(70 * 1024)), ContentError, "longer than 65536"),
    "an error without end": (
        lambda: Answer(status=500, stream=Endless(), length=1 << 40, headers={"Retry-After": "3600"}),  # type: ignore[arg-type]
        UnavailableError, "answers 500",
    ),
    "a redirect to link-local": (lambda: one(status=302, Location=LINK_LOCAL), RefusedError, "169.254.169.254"),
    "a redirect to what an IPv6 address stands for": (
        lambda: one(status=302, Location="http://[::ffff:169.254.169.254]/x"), RefusedError, "not as public",
    ),
    "a redirect to a file": (lambda: one(status=302, Location="file:///etc/passwd"), ContentError, "address"),
    "a redirect without end": (lambda: one(status=302, Location=f"{PATH}1"), ContentError, "redirects"),
    "compressed": (lambda: one(Content_Encoding="gzip"), ContentError, "encodes"),
    "401": (lambda: one(status=401), RefusedError, "401"),
    "403": (lambda: one(status=403), RefusedError, "403"),
    "429": (lambda: one(status=429, Retry_After="3600"), UnavailableError, "429"),
    "503": (lambda: one(status=503, Retry_After="3600"), UnavailableError, "503"),
    "204": (lambda: one(b"", status=204), ContentError, "204"),
    "418": (lambda: one(status=418), ContentError, "418"),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "expected", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_store(
    server: RegistryServer, answer: Callable[[], Answer], expected: type[LayerwatchError], said: str
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(expected, match=said):
        read(serving(server, answer()))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_a_store_that_is_silent_ends_with_its_time(server: RegistryServer) -> None:
    url = serving(server)
    is_over = threading.Event()
    server.intercept = lambda asked: one() if is_over.wait(60) else None
    try:
        with pytest.raises(UnavailableError):
            read(url, seconds=1)
    finally:
        is_over.set()


def test_nobody_listens() -> None:
    with pytest.raises(UnavailableError):
        read("http://127.0.0.1:1/signatures", seconds=2)


def test_a_directory(tmp_path: Path) -> None:
    store(tmp_path, [b"a", b"b"])
    store(tmp_path, [b"d"], first=4)
    with Stores(RegistrySettings()) as stores:
        assert list(stores.open(tmp_path).signatures(DIGEST, Deadline.after(20))) == [b"a", b"b"]


def test_a_directory_with_what_is_no_signature(tmp_path: Path) -> None:
    (tmp_path / f"sha256={DIGEST.hex}" / "signature-1").mkdir(parents=True)
    with Stores(RegistrySettings()) as stores, pytest.raises(InputError, match="cannot be read"):
        list(stores.open(tmp_path).signatures(DIGEST, Deadline.after(20)))


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    store(tmp_path, [bytes(64 * 1024), bytes(64 * 1024 + 1)])
    with Stores(RegistrySettings()) as stores:
        found = stores.open(tmp_path).signatures(DIGEST, Deadline.after(20))
        assert len(next(found)) == 64 * 1024
        with pytest.raises(ContentError, match="longer than 65536"):
            next(found)


@pytest.mark.parametrize("text", ["https://example.com/signatures", "http://127.0.0.1:8080/a%20b", "https://[::1]/x/"])
def test_a_url(text: str) -> None:
    assert parse_place(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("ftp://example.com/x", "file:///x", "https://joe:pw@example.com/x", "https://", "https://example.com/x?y=z"),
        *(
            "https://example.com/#x",
            "https://exa mple.com/",
            "https://example.com\\@evil.example/",
            "https://bücher.org",
        ),
    ],
)
def test_no_url(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_place(text)
    assert "pw" not in str(caught.value)


def test_a_path() -> None:
    assert parse_place("mirror/signatures") == Path("mirror/signatures")


def test_only_the_product_has_stores_that_nobody_named() -> None:
    assert default_places(ImageReference(PRODUCT, digest=DIGEST)) == PUBLIC_STORES
    assert default_places(ImageReference(MIRROR, digest=DIGEST)) == ()
    assert all(parse_place(url) == url for url in PUBLIC_STORES)
