"""What a layer holds to Go's archive/tar, which the tools that unpack layers are made of, and to Python's tarfile.

They read what we read, or we refuse it. What they take and we refuse is no fault: it is not what layers are written as.
"""

import io
import tarfile

import pytest
from hypothesis import given

from layering.errors import ContentError
from layering.tarheaders import TarHeader, read_members
from tests.builders.tars import MEMBERS, Member, tar
from tests.examples import at_least
from tests.parsers import tars
from tests.parts.oracle_client import Oracle, OracleMember, Refused

_Read = list[tuple[TarHeader, bytes | None]]


def ours(data: bytes) -> _Read | None:
    """None when it is refused."""
    try:
        return list(read_members([data], lambda header: True, file_bytes_max=1 << 20, where="test"))
    except ContentError:
        return None


def in_common(member: OracleMember) -> TarHeader:
    """As ours has it."""
    return TarHeader(
        path=clean(_text(member.name)),
        flag=member.flag,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        link=_text(member.link),
        has_xattrs=member.xattrs,
    )


def clean(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@given(tars.STREAMS)
@at_least(500)
def test_what_we_read_is_what_archive_tar_reads(oracle: Oracle, data: bytes) -> None:
    found = ours(data)
    if found is None:
        return
    try:
        theirs = [member for member in oracle.members(data) if member.flag != "g"]
    except Refused as refused:
        raise AssertionError(f"read by us, and not by archive/tar: {refused}") from None
    assert [header for header, _ in found] == [in_common(member) for member in theirs]
    assert contents(found) == [member.content for member in theirs if member.flag == "0"]


@given(tars.STREAMS)
@at_least(500)
def test_what_we_read_is_what_tarfile_reads(data: bytes) -> None:
    found = ours(data)
    if not found:
        return  # tarfile takes nothing for a stream
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        members = archive.getmembers()
        files = [
            archive.extractfile(member) for member in members if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
        ]
        assert contents(found) == [file.read() for file in files if file is not None]
    assert [described(header) for header, _ in found] == [
        (clean(one.name), one.type.decode().replace("\0", "0"), one.mode & 0o7777, one.uid, one.gid) for one in members
    ]


def described(header: TarHeader) -> tuple[str, str, int, int, int]:
    return header.path, header.flag, header.mode, header.uid, header.gid


def contents(found: _Read) -> list[bytes]:
    return [content or b"" for header, content in found if header.flag == "0"]


ALL = (
    *MEMBERS,
    Member(name="fifo", type=tarfile.FIFOTYPE),
    Member(name="binary", pax={"hdrcharset": "BINARY"}),
    Member(name="tagged", pax={"SCHILY.xattr.user.a": "b", "mtime": "1700000000.5", "comment": "c"}),
)


@pytest.mark.parametrize(
    "format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT], ids=["pax", "gnu", "ustar"]
)
def test_what_is_well_formed_is_read_by_all(oracle: Oracle, format: int) -> None:
    data = tar(ALL if format != tarfile.USTAR_FORMAT else [one for one in ALL if is_short(one)], format)
    found = ours(data)
    assert found is not None
    assert [header for header, _ in found] == [in_common(member) for member in oracle.members(data)]
    assert len(found) >= 6


def is_short(member: Member) -> bool:
    return len(member.name) < 100 and len(member.link) < 100 and member.uid < 1 << 21


def pax(*records: bytes) -> bytes:
    return tars.extension(b"x", b"".join(records))


FILE = tars.header(name=b"a")
PATH = tars.record(b"path", b"b")
AMBIGUOUS = {
    "a global name": tars.extension(b"g", PATH) + FILE,
    "a global record behind another": pax(PATH) + tars.extension(b"g", b"") + FILE,
    "a name said twice": pax(PATH) + pax(tars.record(b"mtime", b"1")) + FILE,
    "a name said in two forms": pax(PATH) + tars.extension(b"L", b"c\0") + FILE,
    "a name that goes on in its padding": tars.extension(b"L", b"c")[:-511] + b"c" * 511 + FILE,
    "an empty name": tars.extension(b"L", b"\0") + FILE,
    "an empty record": pax(tars.record(b"path", b"")) + FILE,
    "a record that does not end": pax(b"8 path=b!") + FILE,
    "a record without a value": pax(b"8 path !\n") + FILE,
    "a name with a NUL": pax(tars.record(b"path", b"b\0c")) + FILE,
    "names of another character set": pax(tars.record(b"hdrcharset", b"\xff")) + FILE,
    "a time that is none": pax(tars.record(b"mtime", b"now")) + FILE,
    "a name of a sparse file": pax(tars.record(b"GNU.sparse.name", b"b")) + FILE,
    "a sparse file": tars.header(name=b"a", flag=b"S", magic=b"ustar  \0"),
    "a kind of Solaris'": tars.extension(b"X", PATH) + FILE,
    "a file like a directory": tars.header(name=b"a/"),
    "a directory of old": tars.header(name=b"a/", flag=b"\0"),
    "octal as Python has it": tars.header(name=b"a", uid=b"0o17"),
    "a number behind a NUL": tars.header(name=b"a", uid=b"\0\0007"),
    "a time that is no number": tars.header(name=b"a", mtime=b"now"),
    "a prefix in a header of old": tars.header(name=b"a", magic=b"", prefix=b"p"),
    "a prefix in a header of GNU's": tars.header(name=b"a", magic=b"ustar  \0", prefix=b"p"),
    "one block of zeros": FILE + bytes(512) + FILE,
    "nothing behind an extension": pax(PATH),
    "nothing behind a header": tars.header(name=b"a", size=b"1"),
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_read_in_several_ways_is_refused(data: bytes) -> None:
    assert ours(FILE + FILE) is not None
    with pytest.raises(ContentError):
        list(read_members([data], lambda header: True, file_bytes_max=1 << 20, where="test"))
