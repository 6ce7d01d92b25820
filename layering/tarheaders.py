"""Reads the headers of a tar stream, and the few files that are asked for; throws the rest away.

USTAR, PAX and GNU headers are understood; nothing is written anywhere and memory stays bounded. What other
readers would understand otherwise is refused, and so are kinds of members that container tools refuse: the tests hold
this to Go's archive/tar, which those tools read layers with, and to tarfile (tests/parsers/test_tar_readers.py).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from layering.errors import ContentError
from layering.tarextensions import DIGITS_MAX, XATTRS, Extensions, text

_BLOCK = 512
_EXTENSION_MAX = 1 << 20
_EXTENSIONS = "xgLK"
_FILES = "0\0"
_MEMBERS = f"{_FILES}123456"  # containers/storage pkg/archive, `createTarFile`: all others are "unhandled"
_PATH_LENGTH_MAX = 4096  # Linux: PATH_MAX
_NUMBER_MAX = 1 << 62
_OCTAL = re.compile(rb" *[0-7]* *(?:\0[ \0]*)?")
_POSIX, _STAR = b"ustar\0", b"tar\0"
_POSITIVE, _NEGATIVE = 0x80, 0xFF  # how a number in base 256 begins


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

    Raises ContentError for what is not a tar stream, ends early, names a path outside of the root, or is ambiguous.
    """
    for header, _ in read_members(chunks, lambda header: False, file_bytes_max=0, where=where):
        yield header


def read_members(
    chunks: Iterable[bytes], wanted: Callable[[TarHeader], bool], *, file_bytes_max: int, where: str
) -> Iterator[tuple[TarHeader, bytes | None]]:
    """The same, with the contents of the `wanted` regular files. Raises ContentError also for a larger one of them."""
    stream, extensions = _Stream(iter(chunks), where), Extensions(where)
    while (block := stream.take(_BLOCK)) and any(block):
        _check(block, where)
        flag, size = chr(block[156]), _number(block[124:136], where)
        if flag in _EXTENSIONS:
            extensions.add(flag, stream.take_extension(size))
            continue
        records = extensions.taken()
        header = _header(block, flag, records, where)
        recorded = _recorded(records, "size", size, where)
        stored = recorded if flag in _FILES else 0  # links and directories have a size at most
        if flag in _FILES and wanted(header):
            if stored > file_bytes_max:
                raise ContentError(f"{header.path} in it is larger than {file_bytes_max} bytes", where=where)
            yield header, stream.take_padded(stored)
        else:
            yield header, None
            stream.skip_padded(stored)
    extensions.check_none()
    if any(stream.take(_BLOCK)):
        raise ContentError("the tar stream goes on behind a mark of its end", where=where)
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
        """The `size` bytes of an extension header, which nobody needs to be long. Some read their padding, too."""
        if size > _EXTENSION_MAX:
            raise ContentError(f"a tar header is longer than {_EXTENSION_MAX} bytes", where=self._where)
        content = self._take_blocks(size)
        if any(content[size:]):
            raise ContentError("a tar header that does not end where it says", where=self._where)
        return content[:size]

    def take_padded(self, size: int) -> bytes:
        """A member's `size` bytes, without their padding."""
        return self._take_blocks(size)[:size]

    def _take_blocks(self, size: int) -> bytes:
        content = self.take(size + -size % _BLOCK)
        if len(content) < size:
            raise ContentError("the tar stream ends within a member", where=self._where)
        return content

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


def _check(block: bytes, where: str) -> None:
    """Raises ContentError for a header that is none, or not one for everybody."""
    sum_field = block[148:156]
    if sum_field[0] & 0x80 or sum(block) - sum(sum_field) + 8 * 0x20 != _number(sum_field, where):
        raise ContentError("this is not a tar stream: a header's checksum is wrong", where=where)
    if chr(block[156]) not in _EXTENSIONS + _MEMBERS:
        raise ContentError(f"a tar member of the kind {chr(block[156])!r}, which is not for layers", where=where)
    is_posix = block[257:263] == _POSIX
    # star's prefix is shorter; what is no prefix to some, but times of GNU's, is one to others
    if block[508:512] == _STAR if is_posix else block[345] != 0:
        raise ContentError("a tar header of a form that is read in several ways", where=where)
    unused = [block[136:148], block[329:337], block[337:345]]
    if chr(block[156]) in _EXTENSIONS:
        unused += [block[100:108], block[108:116], block[116:124]]
    for field in unused:
        _signed(field, where)


def _number(field: bytes, where: str) -> int:
    value = _signed(field, where)
    if value < 0:
        raise ContentError("a number in a tar header is negative", where=where)
    return value


def _signed(field: bytes, where: str) -> int:
    """A number in octal, or in base 256 (GNU)."""
    if field[0] in (_POSITIVE, _NEGATIVE):
        value = int.from_bytes(field if field[0] == _NEGATIVE else field[1:], "big", signed=field[0] == _NEGATIVE)
        if abs(value) < _NUMBER_MAX:
            return value
    elif _OCTAL.fullmatch(field):
        return int(field.strip(b" \0") or b"0", 8)
    raise ContentError("a number in a tar header is not octal, or out of range", where=where)


def _recorded(records: Mapping[str, str], key: str, otherwise: int, where: str) -> int:
    """A number from the PAX records, which win over the header's own."""
    digits = records.get(key)
    if digits is None:
        return otherwise
    if not digits.isascii() or not digits.isdigit() or len(digits) > DIGITS_MAX:
        raise ContentError(f"the PAX record {key} is not a number", where=where)
    return int(digits)


def _header(block: bytes, flag: str, records: Mapping[str, str], where: str) -> TarHeader:
    name = _until_nul(block[0:100])
    prefix = _until_nul(block[345:500]) if block[257:263] == _POSIX else ""
    own = f"{prefix}/{name}" if prefix else name
    path = records.get("path", own)
    if flag in _FILES and (path.endswith("/") or (flag == "\0" and own.endswith("/"))):
        raise ContentError("a file in a layer that is called like a directory", where=where)
    return TarHeader(
        path=_clean(path, where),
        flag="0" if flag in _FILES else flag,
        mode=_number(block[100:108], where) & 0o7777,
        uid=_recorded(records, "uid", _number(block[108:116], where), where),
        gid=_recorded(records, "gid", _number(block[116:124], where), where),
        link=records.get("linkpath", _until_nul(block[157:257])),
        has_xattrs=XATTRS in records,
    )


def _until_nul(field: bytes) -> str:
    return text(field.partition(b"\0")[0])


def _clean(path: str, where: str) -> str:
    if len(path) > _PATH_LENGTH_MAX:
        raise ContentError(f"a tar member's path is longer than {_PATH_LENGTH_MAX} characters", where=where)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ContentError(f"a tar member leaves the root: {path[:160]!r}", where=where)
    return "/".join(parts)
