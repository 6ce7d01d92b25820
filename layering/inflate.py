"""Inflates a gzip stream piece by piece, with bounds on memory and on how much may come out.

Several gzip members in a row are one stream (RFC 1952, 2.2), as eStargz layers have them. Zstandard is not read here.
"""

import zlib
from collections.abc import Iterable, Iterator

from layering.errors import ContentError

_PIECE = 1 << 20
_PART = 16 << 10
_GZIP_WINDOW = 31
_ALWAYS_ALLOWED = 64 << 20
_RATIO_MAX = 200


def inflate(chunks: Iterable[bytes], *, compressed_size: int, where: str) -> Iterator[bytes]:
    """The inflated bytes of `chunks`, at most 1 MiB at a time; `chunks` is always read to its end.

    Raises ContentError for what is not gzip or ends early, and for a bomb: more than 64 MiB that is also more than
    200 times `compressed_size` in bytes.
    """
    allowed = max(_ALWAYS_ALLOWED, _RATIO_MAX * compressed_size)
    inflater, out = zlib.decompressobj(wbits=_GZIP_WINDOW), 0
    for part in _parts(chunks):
        rest = part
        while rest:
            if inflater.eof:
                inflater = zlib.decompressobj(wbits=_GZIP_WINDOW)
            try:
                piece = inflater.decompress(rest, _PIECE)
            except zlib.error as error:
                raise ContentError(f"this is not a gzip stream: {error}", where=where) from error
            out += len(piece)
            if out > allowed:
                raise ContentError(f"it inflates to more than {allowed} bytes", where=where, next_step=_BOMB_HINT)
            if piece:
                yield piece
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if not inflater.eof:
        raise ContentError("the gzip stream ends early", where=where)


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Small ones: zlib copies all that is behind a member, and a member may be 20 bytes long."""
    for chunk in chunks:
        for start in range(0, len(chunk), _PART):
            yield chunk[start : start + _PART]


_BOMB_HINT = "this looks like a decompression bomb; find out who pushed it"
