"""Archives for ADD: what is one, what is in it, and what is refused."""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layering.layer import EntryKind
from pipeline.builders.archives import is_archive, members
from pipeline.builders.refusal import RefusalReason, Refused
from pipeline.builders.sources import SourceFile
from tests.builders.tars import Member, directory, file, hard_link, symlink, tar

PLAIN = tar(
    [directory("d", 0o711, 1, 2), file("d/f", b"content", 0o4755, 3, 4), symlink("l", "d"), hard_link("h", "d/f")]
)


def written(directory: Path, data: bytes) -> Path:
    path = directory / "archive"
    path.write_bytes(data)
    return path


def content(member: SourceFile) -> bytes:
    assert member.path is not None
    return member.path.read_bytes()[member.offset : member.offset + member.size]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_members(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = written(tmp_path, pack(PLAIN))
    assert is_archive(path)
    found = {member.name: member for member in members(path, tmp_path)}
    assert [member.kind for member in found.values()] == [
        EntryKind.DIRECTORY, EntryKind.FILE, EntryKind.SYMLINK, EntryKind.HARD_LINK,
    ]  # fmt: skip
    assert (found["d"].mode, found["d"].owner) == (0o711, (1, 2))
    assert (found["d/f"].mode, found["d/f"].owner, content(found["d/f"])) == (0o4755, (3, 4), b"content")
    assert (found["l"].target, found["h"].target) == ("d", "d/f")


def test_names_stay_below_the_destination(tmp_path: Path) -> None:
    path = written(tmp_path, tar([file("../../etc/f"), file("/g"), file("./a/../h")]))
    assert [member.name for member in members(path, tmp_path)] == ["etc/f", "g", "h"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\x1f\x8b\x08rest",
        gzip.compress(PLAIN)[:20],
        gzip.compress(b"text"),
        bytes(1024),
        tar([]),
        b"PK\x03\x04",
    ],
    ids=["nothing", "text", "broken gzip", "half a tar", "text in gzip", "zeros", "an empty tar", "zip"],
)
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    assert not is_archive(written(tmp_path, data))


def _chain_of_headers() -> bytes:
    """More extension headers before one member than tarfile recurses."""
    return (tar([Member(name="s", pax={"comment": "c"})])[:1024]) * 2000 + PLAIN


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PLAIN[:1100], id="cut within a file"),
        pytest.param(gzip.compress(PLAIN)[:-20], id="cut within the compression"),
        pytest.param(tar([Member(name="null", type=tarfile.CHRTYPE)]), id="a device"),
        pytest.param(tar([Member(name="s", pax={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})]), id="sparse"),
        pytest.param(_chain_of_headers(), id="headers of headers"),
    ],
)
def test_what_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        list(members(written(tmp_path, data), tmp_path))
    assert refused.value.reason is RefusalReason.SOURCE_IS_ARCHIVE


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255), st.booleans())
def test_a_damaged_archive_is_read_or_refused(tmp_path: Path, at: int, byte: int, packed: bool) -> None:
    data = PLAIN[:at] + bytes([byte]) + PLAIN[at + 1 :]
    path = written(tmp_path, gzip.compress(data, 1) if packed else data)
    try:
        assert all(member.size >= 0 for member in members(path, tmp_path)) or not is_archive(path)
    except Refused:
        return
