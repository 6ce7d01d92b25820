"""What stands in a tar stream before a member and is about it: PAX records (`x`, `g`) and GNU's long names (`L`, `K`).

Tools disagree on much of what may be written there: whether a global record holds (archive/tar leaves it out, others do
not), which of two names wins, what an empty value means, what a sparse file is called. A layer must be one thing to all
of them, so what they disagree on is refused; nobody who makes layers writes it. POSIX pax(1), "pax Extended Header".
"""

import re
from collections.abc import Iterator, Mapping

from layering.errors import ContentError

XATTRS = "xattrs"  # stands for all of them; any number of headers may come before a member
DIGITS_MAX = 18
_XATTR_PREFIXES = ("SCHILY.xattr.", "LIBARCHIVE.xattr.")
_SPARSE_PREFIX = "GNU.sparse."
_TEXTS = ("path", "linkpath", "uname", "gname")
_TIMES = ("mtime", "atime", "ctime")
_USED = ("path", "linkpath", "size", "uid", "gid")
_CHARACTER_SETS = (b"BINARY", b"ISO-IR 10646 2000 UTF-8")  # of names: in both they are the bytes that stand there
_TIME = re.compile(rf"-?[0-9]{{1,{DIGITS_MAX}}}(?:\.[0-9]*)?")
_LONG = {"L": "path", "K": "linkpath"}


class Extensions:
    """What was said so far of the member that comes next."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._flags = ""
        self._records: dict[str, str] = {}

    def add(self, flag: str, data: bytes) -> None:
        """Take in one extension header's content. Raises ContentError."""
        if flag in self._flags or (flag == "g" and self._flags):
            raise ContentError("two tar headers about the same of one member", where=self._where)
        records = dict(self._long(flag, data) if flag in _LONG else self._pax(data))
        if flag == "g" and records:
            raise ContentError("a global PAX header that not all tools heed", where=self._where)
        if records.keys() & self._records.keys() & set(_LONG.values()):
            raise ContentError("a tar member with two long names", where=self._where)
        self._flags += flag
        self._records.update(records)

    def taken(self) -> Mapping[str, str]:
        """All of it; what comes then is about another member."""
        records = self._records
        self._flags, self._records = "", {}
        return records

    def check_none(self) -> None:
        """Raises ContentError at the end of a stream where a member was still to come."""
        if self._flags:
            raise ContentError("the tar stream ends before a member that it announces", where=self._where)

    def _long(self, flag: str, data: bytes) -> Iterator[tuple[str, str]]:
        name = data.partition(b"\0")[0]
        if not name:
            raise ContentError("an empty name in a tar header", where=self._where)
        yield _LONG[flag], text(name)

    def _pax(self, data: bytes) -> Iterator[tuple[str, str]]:
        """The records that mean something here."""
        at = 0
        while at < len(data):  # without a copy of the rest for each of a hundred thousand records
            space = data.find(b" ", at, at + DIGITS_MAX + 1)
            length = data[at:space] if space > at else b""
            end = at + int(length) if length.isdigit() else 0
            if not space + 1 < end <= len(data) or data[end - 1] != 0x0A:
                raise ContentError("a PAX record's length is wrong", where=self._where)
            key, equals, value = data[space + 1 : end - 1].partition(b"=")
            if not key or not equals or b"\0" in key:
                raise ContentError("a PAX record without a name or a value", where=self._where)
            name = text(key)
            self._check(name, value)
            if name in _USED:
                yield name, text(value)
            elif name.startswith(_XATTR_PREFIXES):
                yield XATTRS, ""
            elif name.startswith(_SPARSE_PREFIX):
                raise ContentError("a sparse file in a layer", where=self._where, next_step=_SPARSE_HINT)
            at = end

    def _check(self, name: str, value: bytes) -> None:
        is_empty = not value and name in _USED
        is_time = not value or name not in _TIMES or _TIME.fullmatch(text(value))
        is_known = name != "hdrcharset" or value in _CHARACTER_SETS
        if is_empty or not is_time or not is_known or (name in _TEXTS and b"\0" in value):
            raise ContentError(f"the PAX record {name} is not one", where=self._where)


def text(data: bytes) -> str:
    """Names are bytes; those that are not UTF-8 come out as they went in."""
    return data.decode("utf-8", "surrogateescape")


_SPARSE_HINT = "make the layer without tar's --sparse"
