"""Tar streams block by block: well formed, nearly so, and damaged with their checksums put right again."""

from hypothesis import strategies as st

_BLOCK = 512
_FIELDS = {"name": (0, 100), "mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "mtime": (136, 12)}
_FIELDS |= {"flag": (156, 1), "link": (157, 100), "magic": (257, 8), "owner": (265, 32), "prefix": (345, 155)}
_END = bytes(2 * _BLOCK)


def header(**fields: bytes) -> bytes:
    """A block with these fields and the checksum that they have."""
    block = bytearray(_BLOCK)
    usual = {"magic": b"ustar\00000", "mode": b"0000644\0", "uid": b"0000000\0", "gid": b"0000000\0"}
    for name, value in {**usual, "mtime": b"00000000000\0", "flag": b"0", **fields}.items():
        at, size = _FIELDS[name]
        block[at : at + size] = value[:size].ljust(size, b"\0")
    return summed(block)


def summed(block: bytes | bytearray) -> bytes:
    """A header with the checksum that it should have."""
    result = bytearray(block)
    result[148:156] = b" " * 8
    result[148:156] = b"%06o\0 " % sum(result)
    return bytes(result)


def padded(content: bytes) -> bytes:
    """With zeros up to a whole block."""
    return content + bytes(-len(content) % _BLOCK)


def extension(flag: bytes, content: bytes) -> bytes:
    """A header that is about the next one."""
    return header(name=b"x", flag=flag, size=b"%011o\0" % len(content)) + padded(content)


def record(key: bytes, value: bytes) -> bytes:
    """One PAX record, whose length counts its own digits."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


_NAMES = st.sampled_from(
    [
        *(b"a", b"a/b", b"./a/", b"etc/x", b"/a", b"a//b", b"..", b"a/../b", b"", b".", b"\xc3\xa9", b"\xff"),
        *(b"n" * 100, b"a\0b"),
    ]
)
_NUMBERS = st.sampled_from(
    [
        *(b"0000644\0", b"644", b" 644 \0", b"", b"\0\0007", b"0o17", b"1_7", b"+7", b"-1", b"8", b"7 7", b"7\0007"),
        *(b"\x80\0\0\0\0\0\0\5", b"\x80" + b"\0" * 10 + b"\3", b"\xff" * 8, b"\xff" * 12, b"\t7", b"7\n", b"7777777 "),
    ]
)
_SIZES = st.sampled_from([0, 1, 511, 512, 513]).map(lambda size: b"%011o\0" % size) | _NUMBERS
_FLAGS = st.sampled_from([bytes([flag]) for flag in b"01234567\0xgLKSXANVD"])
_MAGICS = st.sampled_from([b"ustar\00000", b"ustar  \0", b"\0" * 8, b"ustar\0  ", b"ustar\0\0\0", b"ustar   "])
_KEYS = st.sampled_from(
    [
        *(b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime", b"uname", b"comment", b"hdrcharset", b"", b"path "),
        *(b"GNU.sparse.name", b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.map", b"GNU.sparse.realsize"),
        *(b"GNU.sparse.offset", b"GNU.sparse.numbytes", b"SCHILY.realsize", b"SCHILY.xattr.a", b"LIBARCHIVE.xattr.a"),
        b"a\0b",
    ]
)
_VALUES = st.sampled_from(
    [
        *(b"a", b"x/y", b"", b"0", b"5", b"512", b"-1", b"+5", b"05", b"1_0", b" 5", b"1.5", b"9" * 30, b"a=b"),
        *(b"a\0b", b"a\nb", b"\xc3\xa9", b"\xff", b"..", b"dir/", "\u0661".encode(), b"BINARY"),
    ]
)
_RECORDS = st.builds(record, _KEYS, _VALUES) | st.sampled_from(
    [
        *(b"", b"5 a=b", b"6 a=b\n\n", b"06 a=b\n", b"+6 a=b\n", b"5 a=\n", b"4 a\n", b"7 path=\n", b"8 path=a\0"),
        *(b"9999 a=b\n", b"12 path=a\nb\n", b"\n", b"\0", b"10 path=a\0\n", b" 6 a=b\n", b"8 path=a\n"),
    ]
)
_LONG = st.sampled_from([b"long/name\0", b"long", b"", b"\0", b"a\0b", b"l" * 300 + b"\0"])
_PAX = st.lists(_RECORDS, max_size=3).map(b"".join)
_EXTENSIONS = st.builds(extension, st.sampled_from([b"x", b"x", b"g"]), _PAX) | (
    st.builds(extension, st.sampled_from([b"L", b"K"]), _LONG)
)
_PLACES = st.sampled_from([0, 99, 124, 135, 156, 157, 257, 263, 345, 482, 500, 508]) | st.integers(0, 511)


@st.composite
def _members(draw: st.DrawFn) -> bytes:
    """A header with some fields that are odd, and a body that is as long as the header says, or not quite."""
    fields = {"name": draw(_NAMES), "flag": draw(st.just(b"0") | _FLAGS)}
    odd = {"uid": _NUMBERS, "gid": _NUMBERS, "mode": _NUMBERS, "mtime": _NUMBERS, "magic": _MAGICS, "prefix": _NAMES}
    odd |= {"link": _NAMES, "size": _SIZES, "owner": _NAMES}
    for name in draw(st.lists(st.sampled_from([*odd, "size"]), max_size=3)):
        fields[name] = draw(odd[name])
    return header(**fields) + draw(st.sampled_from([b"", b"", padded(b"c"), padded(b"c" * 513), bytes(_BLOCK)]))


@st.composite
def _damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """With a few bytes changed; most often in a header, whose checksum then holds again."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        block = draw(st.integers(0, max(len(data) // _BLOCK - 1, 0))) * _BLOCK
        at = block + draw(_PLACES)
        data[at : at + 1] = draw(st.sampled_from([b"\0", b" ", b"0", b"7", b"/", b"\xff", b"\x80", b"t"]))
        if draw(st.booleans()):
            data[block : block + _BLOCK] = summed(data[block : block + _BLOCK].ljust(_BLOCK, b"\0"))
    return bytes(data)


_WHOLE = st.builds(
    lambda parts, end: b"".join(parts) + end,
    st.lists(_EXTENSIONS | _members(), max_size=5),
    st.sampled_from([_END, _END, b"", bytes(_BLOCK), bytes(_BLOCK) + header(name=b"late"), _END + b"more", b"\0"]),
)
STREAMS = _WHOLE | _damaged(_WHOLE)
