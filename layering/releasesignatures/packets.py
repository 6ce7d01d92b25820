"""The frame of OpenPGP data (RFC 9580): armor, packets, compression. No cryptography: that is openpgp.py's.

What comes out of here is small, not compressed, and of one form only, so that whatever verifies it reads it in no
other way than we do, and cannot be made to inflate it.
"""

import base64
import binascii
import bz2
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from layering.errors import ContentError

SIGNATURE, ONE_PASS_SIGNATURE, SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, COMPRESSED, LITERAL = 2, 4, 5, 6, 7, 8, 11
_INFLATED_BYTES_MAX = 128 * 1024
_ARMOR = re.compile(
    rb"^-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n(?:[^\r\n]*:[^\r\n]*\r?\n)*[ \t]*\r?\n"
    rb"(?P<lines>[A-Za-z0-9+/=\r\n]*)-----END PGP PUBLIC KEY BLOCK-----",
    re.MULTILINE,
)
_RAW_DEFLATE, _ZLIB = -15, 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Packet:
    """One packet: its type's number, and its body."""

    tag: int
    body: bytes

    def __bytes__(self) -> bytes:
        """Framed anew, in the one form that has a length of five octets."""
        return bytes((0xC0 | self.tag, 0xFF)) + len(self.body).to_bytes(4, "big") + self.body


def dearmored(data: bytes) -> bytes:
    """Public keys in binary: all the armored blocks in `data`, or `data` as it is when there is none.

    Raises ContentError for a block that is none.
    """
    if b"-----BEGIN PGP" not in data:
        return data
    blocks = [block["lines"] for block in _ARMOR.finditer(data)]
    if not blocks or len(blocks) != data.count(b"-----BEGIN PGP"):
        raise ContentError("armored, and not as blocks of public keys")
    return b"".join(_unarmored(block) for block in blocks)


def _unarmored(block: bytes) -> bytes:
    lines = [line for line in block.split() if not line.startswith(b"=")]  # the checksum is no protection
    try:
        return base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error:
        raise ContentError("its armor is not base64") from None


def packets(data: bytes) -> Iterator[Packet]:
    """The packets of `data`. Raises ContentError when it is something else."""
    at = 0
    while at < len(data):
        first = data[at]
        if not first & 0x80:
            raise ContentError("this is not OpenPGP data")
        if first & 0x40:
            tag, (body, at) = first & 0x3F, _body(data, at + 1)
        else:
            tag, (body, at) = first >> 2 & 0x0F, _old_body(data, at + 1, first & 0x03)
        yield Packet(tag=tag, body=body)


def signed_message(signature: bytes) -> tuple[bytes, Packet]:
    """A message that one key signed, without its compression, and the signature packet in it.

    Raises ContentError for any other message: several signatures, several texts, encrypted, compressed twice.
    """
    found = list(packets(signature))
    if [packet.tag for packet in found] == [COMPRESSED]:
        found = list(packets(_inflated(found[0].body)))
    tags = [packet.tag for packet in found]
    if tags not in ([ONE_PASS_SIGNATURE, LITERAL, SIGNATURE], [SIGNATURE, LITERAL]):
        raise ContentError("this is not one text with one OpenPGP signature")
    return b"".join(map(bytes, found)), next(packet for packet in found if packet.tag == SIGNATURE)


def _body(data: bytes, at: int) -> tuple[bytes, int]:
    """The body whose length begins at `at`, and where the next packet begins (RFC 9580 section 4.2.1)."""
    parts: list[bytes] = []
    while True:
        first = _number(data, at, 1)
        if first < 192:
            return _joined(parts, data, at + 1, first)
        if first < 224:
            return _joined(parts, data, at + 2, ((first - 192) << 8) + _number(data, at + 1, 1) + 192)
        if first == 255:
            return _joined(parts, data, at + 5, _number(data, at + 1, 4))
        part, at = _slice(data, at + 1, 1 << (first & 0x1F))
        parts.append(part)


def _old_body(data: bytes, at: int, length_type: int) -> tuple[bytes, int]:
    """The same in the older form (section 4.2.2); its last type goes to the end of the data."""
    if length_type == 3:
        return data[at:], len(data)
    size = 1 << length_type
    return _slice(data, at + size, _number(data, at, size))


def _joined(parts: list[bytes], data: bytes, at: int, length: int) -> tuple[bytes, int]:
    last, end = _slice(data, at, length)
    return b"".join((*parts, last)), end


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_slice(data, at, size)[0], "big")


def _slice(data: bytes, at: int, length: int) -> tuple[bytes, int]:
    end = at + length
    if end > len(data):
        raise ContentError("the OpenPGP data ends within a packet")
    return data[at:end], end


def _inflated(body: bytes) -> bytes:
    """What a compressed packet holds (section 5.6), bounded. Raises ContentError."""
    algorithm, compressed = body[:1], body[1:]
    try:
        if algorithm == b"\x03":
            bunzip = bz2.BZ2Decompressor()
            inflated, is_whole = bunzip.decompress(compressed, _INFLATED_BYTES_MAX), bunzip.eof
        elif algorithm in (b"\x01", b"\x02"):
            inflater = zlib.decompressobj(_RAW_DEFLATE if algorithm == b"\x01" else _ZLIB)
            inflated, is_whole = inflater.decompress(compressed, _INFLATED_BYTES_MAX), inflater.eof
        else:
            raise ContentError("the signature is compressed in an unknown way")
    except (zlib.error, OSError, EOFError) as error:
        raise ContentError(f"the signature cannot be inflated: {error}") from None
    if not is_whole:
        raise ContentError(f"the signature ends early, or inflates to more than {_INFLATED_BYTES_MAX} bytes")
    return inflated
