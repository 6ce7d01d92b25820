"""Reads the headers of a tar stream, and the few files that are asked for; throws the rest away.

USTAR, PAX (`x`, `g`) and GNU (`L`, `K`, base-256 numbers) headers are understood; nothing is written anywhere and
memory stays bounded whatever the stream says. Sparse files are skipped by their stored size, as their headers ask.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from layering.errors import ContentError

_BLOCK = 512
_EXTENSION_MAX = 1 << 20
_DIGITS_MAX = 18
_XATTR_PREFIXES = ("SCHILY.xattr.", "LIBARCHIVE.xattr.")
_PATH_LENGTH_MAX = 4096  # Linux: PATH_MAX
_USED = ("path", "linkpath", "size", "uid", "gid")
_XATTRS = "xattrs"  # stands for all of them; any number of headers may come before a member


@dataclass(frozen=True, kw_only=True, slots=True)
class TarHeader:
    """One member: `path` without leading `./` or `/` and trailing slash ("" is the root); `flag` as in POSIX."""

    path: str
    flag: str
    mode: int
    uid: int
    gid: int
    link: str
    has_xattrs: bool


def read_headers(chunks: Iterable[bytes], *, where: str) -> Iterator[TarHeader]:
    """The headers in `chunks`, in order; when the last one is given, `chunks` has been read to its end.

    Raises ContentError for what is not a tar stream, ends early, or names a path outside of the root.
    """
    for header, _ in read_members(chunks, lambda header: False, file_bytes_max=0, where=where):
        yield header


def read_members(
    chunks: Iterable[bytes], wanted: Callable[[TarHeader], bool], *, file_bytes_max: int, where: str
) -> Iterator[tuple[TarHeader, bytes | None]]:
    """The same, with the contents of the `wanted` regular files. Raises ContentError also for a larger one of them."""
    stream = _Stream(iter(chunks), where)
    shared: dict[str, str] = {}
    extension: dict[str, str] = {}
    while (block := stream.take(_BLOCK)) and any(block):
        _check_sum(block, where)
        flag, size = chr(block[156]), _number(block[124:136], where)
        if flag in "xgLK":
            records = _records(flag, stream.take_extension(size), where)
            (shared if flag == "g" else extension).update(records)
            continue
        merged = {**shared, **extension}
        extension = {}
        header = _header(block, flag, merged, where)
        stored = 0 if flag in "123456" else _recorded(merged, "size", size, where)
        if header.flag == "0" and wanted(header):
            if stored > file_bytes_max:
                raise ContentError(f"{header.path} in it is larger than {file_bytes_max} bytes", where=where)
            yield header, stream.take_padded(stored)
        else:
            yield header, None
            stream.skip_padded(stored)
    stream.drain()


class _Stream:
    """Chunks as a stream that gives exactly what it is asked for."""

    def __init__(self, chunks: Iterator[bytes], where: str) -> None:
        self._chunks = chunks
        self._where = where
        self._chunk = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """`size` bytes, or none at the end of the stream."""
        parts, missing = [], size
        while missing and self._more():
            part = self._chunk[self._at : self._at + missing]
            self._at += len(part)
            missing -= len(part)
            parts.append(part)
        if missing and parts:
            raise ContentError("the tar stream ends within a member", where=self._where)
        return b"".join(parts)

    def take_extension(self, size: int) -> bytes:
        """The `size` bytes of an extension header, which nobody needs to be long."""
        if size > _EXTENSION_MAX:
            raise ContentError(f"a tar header is longer than {_EXTENSION_MAX} bytes", where=self._where)
        return self.take_padded(size)

    def take_padded(self, size: int) -> bytes:
        """A member's `size` bytes, without their padding."""
        return self.take(size + -size % _BLOCK)[:size]

    def skip_padded(self, size: int) -> None:
        """Step over a member's `size` bytes and their padding."""
        missing = size + -size % _BLOCK
        while missing:
            if not self._more():
                raise ContentError("the tar stream ends within a member", where=self._where)
            step = min(missing, len(self._chunk) - self._at)
            self._at += step
            missing -= step

    def drain(self) -> None:
        """Read what follows the end mark, so that the sender's digest check runs."""
        for _ in self._chunks:
            pass

    def _more(self) -> bool:
        while self._at >= len(self._chunk):
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._chunk, self._at = chunk, 0
        return True


def _check_sum(block: bytes, where: str) -> None:
    expected = _number(block[148:156], where)
    if sum(block) - sum(block[148:156]) + 8 * 0x20 != expected:
        raise ContentError("this is not a tar stream: a header's checksum is wrong", where=where)


def _number(field: bytes, where: str) -> int:
    """A number in octal, or in base 256 when the first bit is set (GNU)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
    else:
        try:
            value = int(field.split(b"\0")[0].strip() or b"0", 8)
        except ValueError:
            raise ContentError("a number in a tar header is not octal", where=where) from None
    if value < 0 or value >= 1 << 62:
        raise ContentError("a number in a tar header is out of range", where=where)
    return value


def _records(flag: str, data: bytes, where: str) -> dict[str, str]:
    if flag in "LK":
        return {"path" if flag == "L" else "linkpath": _text(data.split(b"\0")[0])}
    records, at = {}, 0
    while at < len(data):  # without a copy of the rest for each of a hundred thousand records
        space = data.find(b" ", at, at + _DIGITS_MAX + 1)
        length = data[at:space] if space > at else b""
        end = at + int(length) if length.isdigit() else 0
        if not space + 1 < end <= len(data):
            raise ContentError("a PAX record's length is wrong", where=where)
        key, _, value = data[space + 1 : end - 1].partition(b"=")
        name = _text(key)
        if name in _USED:
            records[name] = _text(value)
        elif name.startswith(_XATTR_PREFIXES):
            records[_XATTRS] = ""
        at = end
    return records


def _recorded(records: Mapping[str, str], key: str, otherwise: int, where: str) -> int:
    """A number from the PAX records, which win over the header's own."""
    text = records.get(key)
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
        raise ContentError(f"the PAX record {key} is not a number", where=where)
    return int(text)


def _header(block: bytes, flag: str, records: Mapping[str, str], where: str) -> TarHeader:
    name = _text(block[0:100].split(b"\0")[0])
    prefix = _text(block[345:500].split(b"\0")[0]) if block[257:263] == b"ustar\0" else ""
    return TarHeader(
        path=_clean(records.get("path", f"{prefix}/{name}" if prefix else name), where),
        flag=flag.replace("\0", "0"),
        mode=_number(block[100:108], where) & 0o7777,
        uid=_recorded(records, "uid", _number(block[108:116], where), where),
        gid=_recorded(records, "gid", _number(block[116:124], where), where),
        link=records.get("linkpath", _text(block[157:257].split(b"\0")[0])),
        has_xattrs=_XATTRS in records,
    )


def _clean(path: str, where: str) -> str:
    if len(path) > _PATH_LENGTH_MAX:
        raise ContentError(f"a tar member's path is longer than {_PATH_LENGTH_MAX} characters", where=where)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ContentError(f"a tar member leaves the root: {path[:160]!r}", where=where)
    return "/".join(parts)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
