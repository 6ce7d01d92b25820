"""Writes one image layer as a deterministic gzipped tar.

The tar is byte for byte the one containers/storage makes of the same files (Go's archive/tar: USTAR where it fits,
PAX records where it does not; entries in the order of a directory walk), so an equal `diff_id` proves an equal file
system. Nothing of the machine gets in: no user names, one time for all entries. The digest of the compressed form also
depends on the zlib that made it; the `diff_id` does not. This module decides nothing about what belongs in a layer.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from layering.errors import InputError
from layering.reference import Digest

_BLOCK = 512
_CHUNK = 1 << 20
_NAME_LENGTH = 100
_PREFIX_LENGTH = 155
_ID_MAX = 0o7777777
_SIZE_MAX = 0o77777777777
_COMPRESSION_LEVEL = 6
_GZIP_WINDOW = 31  # zlib's way to say: a gzip header, with no name and no time in it
_LINK_MODE = 0o777


class EntryKind(Enum):
    """What an entry is, as the type bits of its mode and the tar's type flag."""

    FILE = (0o100000, b"0")
    SYMLINK = (0o120000, b"2")
    DIRECTORY = (0o040000, b"5")
    FIFO = (0o010000, b"6")
    HARD_LINK = (0o100000, b"1")
    WHITEOUT = (0, b"0")


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerEntry:
    """One path of a layer. `path` is relative, without leading or trailing slash; `mode` has permission bits only.

    A file has its `source`, of which it is the `size` bytes from `offset` on; a symbolic link its `target`. Of the
    entries with the same `inode`, the first in the layer is the file, and the others are hard links to it.
    """

    path: str
    kind: EntryKind
    mode: int
    uid: int = 0
    gid: int = 0
    source: Path | None = None
    size: int = 0
    target: str = ""
    offset: int = 0
    inode: object = None
    xattrs: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenLayer:
    """A finished layer: the digest and size in bytes of its gzipped form, and the digest of the tar within."""

    digest: Digest
    size: int
    diff_id: Digest


def write_layer(entries: Iterable[LayerEntry], out: BinaryIO, *, mtime: int) -> WrittenLayer:
    """Write `entries` to `out`, each with `mtime` in seconds since the epoch.

    Raises InputError when a source changed its size since it was looked at, or has no place in a tar.
    """
    compressor = zlib.compressobj(_COMPRESSION_LEVEL, wbits=_GZIP_WINDOW)
    inner, outer, size = hashlib.sha256(), hashlib.sha256(), 0
    for chunk in _tar(entries, mtime):
        inner.update(chunk)
        packed = compressor.compress(chunk)
        outer.update(packed)
        size += out.write(packed)
    packed = compressor.flush()
    outer.update(packed)
    size += out.write(packed)
    return WrittenLayer(
        digest=Digest("sha256", outer.hexdigest()), size=size, diff_id=Digest("sha256", inner.hexdigest())
    )


def _tar(entries: Iterable[LayerEntry], mtime: int) -> Iterator[bytes]:
    seen: dict[object, str] = {}
    for entry in sorted(entries, key=lambda entry: entry.path.split("/")):
        first = seen.setdefault(entry.inode, entry.path) if entry.inode is not None else entry.path
        if first != entry.path:
            entry = replace(entry, kind=EntryKind.HARD_LINK, target=first, source=None, size=0)
        yield _headers(entry, mtime)
        if entry.source is not None:
            yield from _content(entry.source, entry.offset, entry.size)
    yield bytes(2 * _BLOCK)


def _content(source: Path, offset: int, size: int) -> Iterator[bytes]:
    missing = size
    with source.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(min(_CHUNK, missing)):
            missing -= len(chunk)
            yield chunk
        grown = not offset and file.read(1)
    if missing or grown:
        raise InputError(f"{source} changed while it was read", next_step="build again when nothing writes to it")
    if padding := -size % _BLOCK:
        yield bytes(padding)


def _headers(entry: LayerEntry, mtime: int) -> bytes:
    """The entry's header, with a PAX header before it when USTAR cannot hold the name or the link's target."""
    if max(entry.uid, entry.gid) > _ID_MAX or entry.size > _SIZE_MAX:
        raise InputError(f"{entry.path} has an owner or a size too large for a layer")
    name = entry.path + "/" * (entry.kind is EntryKind.DIRECTORY)
    prefix, short, fits = _ustar_name(name)
    records = {f"SCHILY.xattr.{key}": value for key, value in entry.xattrs}
    if not _fits(entry.target):
        records["linkpath"] = entry.target.encode("utf-8", "surrogateescape")
    if not fits or (records and not _fits(name)):
        records["path"] = name.encode("utf-8", "surrogateescape")
    if not records:
        return _header(entry, short, prefix, mtime)
    packed = b"".join(_pax_record(key, records[key]) for key in sorted(records))
    return _pax_header(name, packed) + _header(entry, _ascii(name), b"", mtime)


def _fits(text: str) -> bool:
    return text.isascii() and len(text) <= _NAME_LENGTH


def _ustar_name(name: str) -> tuple[bytes, bytes, bool]:
    """Prefix, name and whether USTAR holds them exactly (archive/tar writer.go, `splitUSTARPath`)."""
    if _fits(name):
        return b"", name.encode(), True
    if name.isascii():
        cut = name.rfind("/", 0, min(len(name) - name.endswith("/"), _PREFIX_LENGTH + 1))
        if cut > 0 and 0 < len(name) - cut - 1 <= _NAME_LENGTH:
            return name[:cut].encode(), name[cut + 1 :].encode(), True
    return b"", _ascii(name), False


def _ascii(text: str) -> bytes:
    return "".join(character for character in text if character.isascii()).encode()[:_NAME_LENGTH]


def _pax_record(key: str, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE\\n`, where LENGTH counts its own digits (POSIX pax, extended header)."""
    body = b" " + key.encode() + b"=" + value + b"\n"
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def _pax_header(name: str, records: bytes) -> bytes:
    directory, _, file = name.rpartition("/")
    title = "/".join(part for part in (directory, "PaxHeaders.0", file) if part)
    block = bytearray(_BLOCK)
    block[0:_NAME_LENGTH] = _ascii(title).rstrip(b"/").ljust(_NAME_LENGTH, b"\0")
    _numbers(block, mode=0, uid=0, gid=0, size=len(records), mtime=0)
    block[156:157] = b"x"
    return _sealed(block) + records + bytes(-len(records) % _BLOCK)


def _header(entry: LayerEntry, name: bytes, prefix: bytes, mtime: int) -> bytes:
    type_bits, flag = entry.kind.value
    block = bytearray(_BLOCK)
    block[0:_NAME_LENGTH] = name.ljust(_NAME_LENGTH, b"\0")
    mode = type_bits | (_LINK_MODE if entry.kind is EntryKind.SYMLINK else entry.mode)
    _numbers(block, mode=mode, uid=entry.uid, gid=entry.gid, size=entry.size, mtime=mtime)
    block[156:157] = flag
    block[157:257] = _ascii(entry.target).ljust(_NAME_LENGTH, b"\0")
    block[329:337] = block[337:345] = b"0000000\0"
    block[345:500] = prefix.ljust(_PREFIX_LENGTH, b"\0")
    return _sealed(block)


def _numbers(block: bytearray, *, mode: int, uid: int, gid: int, size: int, mtime: int) -> None:
    block[100:108] = b"%07o\0" % mode
    block[108:116] = b"%07o\0" % uid
    block[116:124] = b"%07o\0" % gid
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"%011o\0" % mtime


def _sealed(block: bytearray) -> bytes:
    """`block` with the format's magic and its checksum, which is summed with spaces in its own place."""
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
