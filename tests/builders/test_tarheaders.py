"""Reading tar headers from a stream that nobody vouches for."""

import contextlib
import hashlib
import tarfile
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import ContentError
from layering.inflate import inflate
from layering.layerfacts import LayerFacts, Standing, dump_facts, load_facts, look_up, read_facts
from layering.tarheaders import TarHeader, read_headers
from tests.builders.bases import gzipped
from tests.builders.tars import MEMBERS, Member, directory, file, hard_link, odd_base, symlink, tar


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
@pytest.mark.parametrize("piece", [1, 511, 512, 100_000])
def test_reads_what_tarfile_writes(format: int, piece: int) -> None:
    data = tar(MEMBERS, format)
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    headers = {header.path: header for header in read_headers(pieces, where="test")}
    assert list(headers) == ["etc", "etc/" + "n" * 200, "etc/dotted", "etc/l", "etc/h", "etc/é", "big"]
    assert headers["etc"] == TarHeader(path="etc", flag="5", mode=0o1755, uid=1, gid=2, link="", has_xattrs=False)
    assert headers["etc/l"].link == "t" * 300
    assert headers["etc/h"].flag == "1"
    assert headers["big"].uid == 5_000_000


def test_the_stream_is_read_to_its_end_though_the_tar_ends_before() -> None:
    ended = []

    def pieces() -> Iterator[bytes]:
        yield tar([file("a")])
        yield b"more"
        ended.append(True)

    list(read_headers(pieces(), where="test"))
    assert ended == [True]


BOMB_HEADER = bytearray(tar([Member(name="a", pax={"comment": "x"})])[:512])
BOMB_HEADER[124:136] = b"%011o\0" % (1 << 30)
BOMB_HEADER[148:156] = b" " * 8
BOMB_HEADER[148:156] = b"%06o\0 " % sum(BOMB_HEADER)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"not a tar" * 100, "not octal", id="no tar"),
        pytest.param(tar([file("a")]).replace(b"ustar", b"other", 1), "checksum", id="changed"),
        pytest.param(tar([file("a", b"x" * 600)])[:700], "ends within", id="ends early"),
        pytest.param(tar([file("a")])[:100], "ends within", id="ends in a header"),
        pytest.param(tar([file("a/../../b")]), "leaves the root", id="leaves the root"),
        pytest.param(bytes(BOMB_HEADER), "longer than", id="a header of a gigabyte"),
        pytest.param(tar([Member(name="a", pax={"uid": "x"})]), "not a number", id="an owner that is no number"),
        pytest.param(tar([Member(name="a", pax={"size": "9" * 5000})]), "not a number", id="a size without end"),
    ],
)
def test_refuses(data: bytes, message: str) -> None:
    with pytest.raises(ContentError, match=message):
        list(read_headers([data], where="test"))


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=8))
def test_damage_is_noticed_or_harmless(at: int, damage: bytes) -> None:
    data = bytearray(tar(MEMBERS))
    data[at : at + len(damage)] = damage
    with contextlib.suppress(ContentError):
        list(read_headers([bytes(data)], where="test"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not gzip", "not a gzip"),
        (gzipped(b"x" * 1000)[:-5], "ends early"),
        (b"", "ends early"),
        (gzipped(bytes(80 << 20)), "inflates to more"),
    ],
    ids=["no gzip", "cut", "nothing", "bomb"],
)
def test_inflate_refuses(data: bytes, message: str) -> None:
    with pytest.raises(ContentError, match=message):
        for _ in inflate([data], compressed_size=len(data), where="test"):
            pass


def test_inflates_several_members() -> None:
    data = gzipped(b"a" * 100) + gzipped(b"b" * 100)
    pieces = [data[start : start + 3] for start in range(0, len(data), 3)]
    assert b"".join(inflate(pieces, compressed_size=len(data), where="test")) == b"a" * 100 + b"b" * 100
    assert zlib.decompress(data, 31) == b"a" * 100


def test_four_times_as_many_members_are_four_times_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted as the bytes that zlib is given, which it copies all but the member's own."""
    given_bytes = 0

    class Counting:
        def __init__(self, wbits: int) -> None:
            self.real = decompressobj(wbits=wbits)

        def decompress(self, data: bytes, length: int) -> bytes:
            nonlocal given_bytes
            given_bytes += len(data)
            return self.real.decompress(data, length)

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

    decompressobj = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", Counting)
    work = []
    for count in (2000, 8000):
        given_bytes, data = 0, gzipped(b"a") * count
        assert b"".join(inflate([data], compressed_size=len(data), where="test")) == b"a" * count
        work.append(given_bytes)
    assert work[1] < 4.5 * work[0]


FACTS = [read_facts([tar(members)], where="test") for members in reversed(odd_base(b"#!"))]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("etc", "d 755 0:0"),
        ("etc/motd", "f"),
        ("etc/conf.d", "d 710 1:2"),
        ("etc/conf.d/a", "f"),
        ("etc/conf.d/lost", None),
        ("opt", "d 750 7:8"),
        ("opt/old", None),
        ("opt/old/f", None),
        ("opt/kept/f", "f"),
        ("tmp", "d 1777 0:0"),
        ("home", "l var/home"),
        ("usr/bin/sh", "f"),
        ("nothing", None),
        ("nothing/below", None),
    ],
)
def test_what_stands_at_a_path(path: str, expected: str | None) -> None:
    assert shown(FACTS, path) == expected


@pytest.mark.parametrize(
    ("upper", "path", "expected"),
    [
        pytest.param([file("tmp/x")], "tmp", "i", id="implied above an odd directory: nobody knows"),
        pytest.param([file("etc/x")], "etc", "d 755 0:0", id="implied above 0755 root: all agree"),
        pytest.param([file("new/x")], "new", "i", id="implied above nothing"),
        pytest.param([file("etc")], "etc/motd", None, id="a file in place of a directory"),
        pytest.param([symlink("etc", "x")], "etc/motd", None, id="a link in place of a directory"),
        pytest.param([file(".wh.etc"), directory("etc", 0o700)], "etc", "d 700 0:0", id="deleted and made again"),
        pytest.param([file(".wh.etc"), directory("etc", 0o700)], "etc/motd", None, id="without what was in it"),
        pytest.param([hard_link("h", "s"), symlink("s", "t")], "h", "f", id="a hard link forwards"),
        pytest.param([symlink("s", "t"), hard_link("h", "s")], "h", "l t", id="a hard link to a link"),
    ],
)
def test_layers_on_each_other(upper: list[Member], path: str, expected: str | None) -> None:
    assert shown([read_facts([tar(upper)], where="test"), *FACTS], path) == expected


def shown(layers: list[LayerFacts], path: str) -> str | None:
    node = look_up(layers, path)
    if node is None:
        return None
    if node.standing is Standing.DIRECTORY:
        return f"d {node.mode:o} {node.uid}:{node.gid}"
    return f"l {node.target}" if node.standing is Standing.SYMLINK else str(node.standing)


def test_facts_survive_the_cache() -> None:
    for facts in FACTS:
        assert load_facts(dump_facts(facts)) == facts


def other_facts(document: bytes) -> bytes:
    """Undamaged, of some other program."""
    packed = zlib.compress(document)
    return hashlib.sha256(packed).digest() + packed


@pytest.mark.parametrize("data", [b"", b"x" * 100, dump_facts(FACTS[0])[:-1], other_facts(b"["), other_facts(b"{}")])
def test_damaged_facts_are_refused(data: bytes) -> None:
    with pytest.raises(ContentError):
        load_facts(data)
