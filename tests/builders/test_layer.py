"""The layer writer: the same bytes for the same files, in the shape that containers/storage writes."""

import hashlib
import io
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import InputError
from layering.inflate import inflate
from layering.layer import EntryKind, LayerEntry, write_layer
from layering.tarheaders import read_headers

LONG = "d/" + "n" * 120


def directory(path: str, mode: int = 0o755) -> LayerEntry:
    return LayerEntry(path=path, kind=EntryKind.DIRECTORY, mode=mode)


def written(*entries: LayerEntry, mtime: int = 1_700_000_000) -> bytes:
    out = io.BytesIO()
    layer = write_layer(entries, out, mtime=mtime)
    packed = out.getvalue()
    assert layer.size == len(packed)
    assert layer.digest.hex == hashlib.sha256(packed).hexdigest()
    tar = zlib.decompress(packed, 31)
    assert layer.diff_id.hex == hashlib.sha256(tar).hexdigest()
    return tar


def test_an_empty_layer_is_the_one_all_tools_know() -> None:
    digest = hashlib.sha256(written()).hexdigest()
    assert digest == "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def test_entries_are_read_back_by_tarfile(tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"content")
    entries = [
        LayerEntry(path="a/f", kind=EntryKind.FILE, mode=0o4711, uid=5, gid=6, source=source, size=7),
        LayerEntry(path="a/l", kind=EntryKind.SYMLINK, mode=0, target="../" + "t" * 150),
        directory("a", 0o1777),
        directory(LONG, 0o700),
        directory("d"),
    ]
    with tarfile.open(fileobj=io.BytesIO(written(*entries))) as archive:
        found = {member.name: member for member in archive}
        content = archive.extractfile("a/f")
        assert content is not None
        assert content.read() == b"content"
    assert list(found) == ["a", "a/f", "a/l", "d", LONG]
    assert (found["a/f"].mode & 0o7777, found["a/f"].uid, found["a/f"].gid) == (0o4711, 5, 6)
    assert found["a"].mode & 0o7777 == 0o1777
    assert found["a/l"].linkname == "../" + "t" * 150
    assert {member.mtime for member in found.values()} == {1_700_000_000}
    assert {member.uname for member in found.values()} == {""}


def test_the_order_of_entries_does_not_matter() -> None:
    one, two, three = directory("a"), directory("a/b"), directory("a-b")
    assert written(one, two, three) == written(three, two, one)


def test_a_source_that_changes_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"longer than it was")
    entry = LayerEntry(path="f", kind=EntryKind.FILE, mode=0o644, source=source, size=3)
    with pytest.raises(InputError, match="changed while it was read"):
        written(entry)


@pytest.mark.parametrize(("uid", "gid"), [(0o10000000, 0), (0, 0o10000000)])
def test_an_owner_too_large_is_refused(uid: int, gid: int) -> None:
    with pytest.raises(InputError):
        written(LayerEntry(path="f", kind=EntryKind.DIRECTORY, mode=0, uid=uid, gid=gid))


@given(
    st.lists(
        st.text(alphabet="abcé", min_size=1, max_size=90), min_size=1, max_size=4
    ).map("/".join),
    st.integers(0, 0o7777),
    st.integers(0, 0o7777777),
)  # fmt: skip
def test_our_reader_reads_what_our_writer_writes(path: str, mode: int, owner: int) -> None:
    entry = LayerEntry(path=path, kind=EntryKind.SYMLINK, mode=mode, uid=owner, gid=owner, target=path)
    (header,) = read_headers([written(entry)], where="test")
    assert (header.path, header.link, header.uid, header.gid, header.flag) == (path, path, owner, owner, "2")


def test_inflates_what_was_written_in_any_pieces() -> None:
    out = io.BytesIO()
    write_layer([directory("a")], out, mtime=0)
    packed = out.getvalue()
    for size in (1, 7, len(packed)):
        pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
        assert b"".join(inflate(pieces, compressed_size=len(packed), where="test")) == zlib.decompress(packed, 31)


def test_names_of_one_file_are_hard_links_to_the_first(tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"content")
    entries = [
        LayerEntry(path=path, kind=EntryKind.FILE, mode=0o640, source=source, size=7, inode="one") for path in "cab"
    ]
    with tarfile.open(fileobj=io.BytesIO(written(*entries))) as archive:
        found = [(member.name, member.type, member.linkname, member.size) for member in archive]
    assert found == [("a", tarfile.REGTYPE, "", 7), ("b", tarfile.LNKTYPE, "a", 0), ("c", tarfile.LNKTYPE, "a", 0)]


def test_a_part_of_a_file_attributes_and_a_pipe(tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"before content after")
    xattrs = (("user.note", b"1"),)
    entries = [
        LayerEntry(path="f", kind=EntryKind.FILE, mode=0o640, source=source, offset=7, size=7, xattrs=xattrs),
        LayerEntry(path="p", kind=EntryKind.FIFO, mode=0o622),
    ]
    with tarfile.open(fileobj=io.BytesIO(written(*entries))) as archive:
        file, pipe = archive
        content = archive.extractfile(file)
        assert content is not None
        assert content.read() == b"content"
    assert file.pax_headers == {"SCHILY.xattr.user.note": "1"}
    assert pipe.isfifo()


def test_a_long_name_stays_whole_beside_another_record(tmp_path: Path) -> None:
    """A name that USTAR can split must be in the PAX records once there are any (archive/tar, `allowedFormats`)."""
    name = "/".join(["directory"] * 12)
    entry = LayerEntry(path=name, kind=EntryKind.SYMLINK, mode=0, target="t" * 150)
    with tarfile.open(fileobj=io.BytesIO(written(entry))) as archive:
        assert [(member.name, member.linkname) for member in archive] == [(name, "t" * 150)]
