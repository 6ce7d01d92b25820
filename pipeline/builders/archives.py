"""Archives that ADD unpacks: tar, plain or compressed with gzip, bzip2 or xz (copier.go, `isArchivePath`).

Members keep the owners, modes and attributes that the archive gives them. A compressed archive is expanded into a file
once, so that contents are read from there and memory stays small. zstd, devices and sparse files are refused.
"""

import bz2
import gzip
import lzma
import os
import posixpath
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from layering.layer import EntryKind
from pipeline.builders.refusal import RefusalReason, Refused
from pipeline.builders.sources import SourceFile, is_kept_xattr

_XATTR = "SCHILY.xattr."
_CHUNK = 1 << 20
_EXPANDED_MAX = 8 << 30
_ZSTD = b"(\xb5/\xfd"
_OPENERS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b\x08": lambda path: cast(IO[bytes], gzip.GzipFile(path)),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_KINDS = {
    tarfile.REGTYPE: EntryKind.FILE,
    tarfile.AREGTYPE: EntryKind.FILE,
    tarfile.DIRTYPE: EntryKind.DIRECTORY,
    tarfile.SYMTYPE: EntryKind.SYMLINK,
    tarfile.FIFOTYPE: EntryKind.FIFO,
    tarfile.LNKTYPE: EntryKind.HARD_LINK,
}


def is_archive(path: Path) -> bool:
    """Whether ADD unpacks the file: its first header is one of a tar. Raises Refused for zstd, which cannot be told."""
    try:
        with _opened(path) as stream:
            block = stream.read(tarfile.BLOCKSIZE)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return False
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def members(path: Path, scratch: Path) -> Iterator[SourceFile]:
    """The members, in order; contents stay in the archive, or in a file that is made in `scratch`. Raises Refused."""
    plain = _expanded(path, scratch)
    size = plain.stat().st_size
    try:
        with tarfile.open(plain, mode="r:") as archive:
            for member in archive:
                if not 0 <= member.size <= size - member.offset_data:
                    raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"{path.name} ends early")
                yield _source_file(member, plain, path.name)
    except (tarfile.TarError, OSError, ValueError, RecursionError) as error:  # what tarfile lets out of odd headers
        raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"{path.name} cannot be read as a tar: {error}") from error


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(_ZSTD):
        raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"{path.name} is compressed with zstd")
    opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
    return opener(path) if opener else path.open("rb")


def _expanded(path: Path, scratch: Path) -> Path:
    with path.open("rb") as file:
        if not file.read(6).startswith(tuple(_OPENERS)):
            return path
    handle, name = tempfile.mkstemp(dir=scratch, suffix=".tar")
    written = 0
    with os.fdopen(handle, "wb") as out, _opened(path) as stream:
        try:
            while chunk := stream.read(_CHUNK):
                written += out.write(chunk)
                if written > _EXPANDED_MAX:
                    raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"{path.name} expands to more than 8 GiB")
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"{path.name} cannot be expanded: {error}") from error
    return Path(name)


def _source_file(member: tarfile.TarInfo, plain: Path, archive: str) -> SourceFile:
    kind = _KINDS.get(member.type)
    if kind is None or member.sparse is not None or "GNU.sparse.major" in member.pax_headers:
        raise Refused(RefusalReason.SOURCE_IS_ARCHIVE, f"{archive} has a member of an odd kind: {member.name[:80]!r}")
    is_file = kind is EntryKind.FILE
    return SourceFile(
        name=posixpath.normpath(f"/{member.name}").strip("/"),
        kind=kind,
        mode=member.mode & 0o7777,
        path=plain if is_file else None,
        offset=member.offset_data if is_file else 0,
        size=member.size if is_file else 0,
        target=member.linkname if kind in (EntryKind.SYMLINK, EntryKind.HARD_LINK) else "",
        owner=(member.uid, member.gid),
        xattrs=tuple(
            (key.removeprefix(_XATTR), value.encode("utf-8", "surrogateescape"))
            for key, value in sorted(member.pax_headers.items())
            if key.startswith(_XATTR) and is_kept_xattr(key.removeprefix(_XATTR))
        ),
    )
