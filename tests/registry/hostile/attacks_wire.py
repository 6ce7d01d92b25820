"""Attacks below HTTP's meaning: answers that are cut off, malformed, endless, or never come."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from time import sleep

from layering.errors import ContentError, LayerwatchError, RefusedError, UnavailableError
from layering.registry.server_http import Asked
from tests.registry.hostile.goods import LAYER, MANIFEST
from tests.registry.hostile.rows import Row

_OK = b"HTTP/1.1 200 OK\r\n"
_SHORT_SECONDS = 1.5
_PIECE = b"x" * 65536


def wire(name: str, ends: type[LayerwatchError], *pieces: bytes, do: str = "manifest", seconds: float = 60.0) -> Row:
    """The same bytes to every request."""
    return Row(name=f"wire: {name}", do=do, raw=lambda asked: pieces, ends=ends, seconds=seconds)


def _endless(
    name: str, begin: bytes, again: bytes, ends: type[LayerwatchError] = ContentError, do: str = "manifest"
) -> Row:
    """As fast as it can be sent, for ever."""

    def raw(asked: Asked) -> Iterator[bytes]:
        yield begin
        yield from itertools.repeat(again)

    return Row(name=f"wire: endless {name}", do=do, raw=raw, ends=ends)


def _silent(asked: Asked) -> Iterator[bytes]:
    """Says nothing, and keeps the line."""
    for _ in range(200):
        sleep(0.1)
        yield b""


def _resumed(content_range: bytes, rest: bytes) -> Callable[[Asked], Iterable[bytes]]:
    """Half of a blob, and another answer to whoever asks for the rest."""
    half = len(LAYER) // 2

    def raw(asked: Asked) -> Iterable[bytes]:
        if "range" not in asked.headers:
            return (_OK + f"Content-Length: {len(LAYER)}\r\n\r\n".encode() + LAYER[:half],)
        head = b"HTTP/1.1 206 Partial Content\r\nContent-Range: " + content_range
        return (head + f"\r\nContent-Length: {len(rest)}\r\n\r\n".encode() + rest,)

    return raw


_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_LENGTH = f"Content-Length: {len(MANIFEST)}\r\n".encode()
_HALF = len(LAYER) // 2

_MALFORMED = [
    wire("a status that is none", ContentError, b"HTTP/1.1 two hundred\r\n\r\n"),
    wire("a status of seven digits", ContentError, b"HTTP/1.1 2000000 OK\r\n\r\n"),
    wire("a negative status", ContentError, b"HTTP/1.1 -200 OK\r\n\r\n"),
    wire("another protocol", ContentError, b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    wire("HTTP/0.9", ContentError, b"<html>hello</html>\r\n\r\n"),
    wire("a version without a number", ContentError, b"HTTP/x.y 200 OK\r\n\r\n"),
    wire("a status line of 1 MiB", ContentError, b"HTTP/1.1 200 " + b"O" * (1 << 20) + b"\r\n\r\n"),
    wire("a header of 1 MiB", ContentError, _OK + b"X: " + b"y" * (1 << 20) + b"\r\n\r\n"),
    wire("1,000 headers", ContentError, _OK + b"X: y\r\n" * 1000 + b"\r\n"),
    wire("a chunk's size of 1 MiB", ContentError, _CHUNKED + b"0" * (1 << 20)),
    *(wire(f"{name} as a chunk's size", ContentError, _CHUNKED + size + b"\r\n" + MANIFEST)
      for name, size in (("letters", b"zz"), ("a negative number", b"-5"), ("nothing", b""), ("a sign", b"+5"),
                         ("a number as Python writes it", b"0x5"), ("an underscore", b"1_0"))),
    *(wire(f"{name} as a length", ContentError, _OK + b"Content-Length: " + length + b"\r\n\r\n" + MANIFEST)
      for name, length in (("letters", b"many"), ("a negative number", b"-5"), ("a sign", b"+5"),
                           ("a number as Python writes it", b"1_0"), ("a list that differs", b"5, 6"))),
    wire("a header without a colon", ContentError, _OK + b"nonsense\r\n" + _LENGTH + b"\r\n" + MANIFEST),
    wire("a header without a name", ContentError, _OK + b": x\r\n" + _LENGTH + b"\r\n" + MANIFEST),
    wire("a body in an encoding of the transfer nobody knows", ContentError,
         _OK + b"Transfer-Encoding: gzip\r\n\r\n" + MANIFEST + b"?"),
    wire("a digest in two headers that differ", ContentError,
         _OK + b"Docker-Content-Digest: sha256:1\r\nDocker-Content-Digest: sha256:2\r\n" + _LENGTH + b"\r\n"
         + MANIFEST),
    wire("two lengths that differ", ContentError, _OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    wire("a length of 5,000 digits", ContentError, _OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{",
         do="resolve"),
    wire("a redirect's address of 60 KiB", ContentError,
         b"HTTP/1.1 307 T\r\nLocation: http://" + b"a" * 60_000 + b"/\r\nContent-Length: 0\r\n\r\n"),
    wire("a NUL in a redirect's address", ContentError,
         b"HTTP/1.1 307 T\r\nLocation: http://127.0.0.2\0.example.com/\r\nContent-Length: 0\r\n\r\n"),
    wire("a second answer behind the first", ContentError,
         _OK + b"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n" + _LENGTH + b"\r\n" + MANIFEST),
    Row(name="wire: a rest that is of another place", do="stream_blob", ends=ContentError,
        raw=_resumed(b"bytes 0-9/10", LAYER[_HALF:])),
    Row(name="wire: a rest that is other bytes", do="stream_blob", ends=ContentError,
        raw=_resumed(f"bytes {_HALF}-{len(LAYER) - 1}/{len(LAYER)}".encode(), b"x" * (len(LAYER) - _HALF))),
    Row(name="wire: a rest that is too long", do="stream_blob", ends=ContentError,
        raw=_resumed(f"bytes {_HALF}-{len(LAYER) - 1}/{len(LAYER)}".encode(), LAYER)),
    Row(name="wire: a rest without its range", do="stream_blob", ends=ContentError, raw=_resumed(b"", LAYER[_HALF:])),
]  # fmt: skip

_ENDLESS = [
    _endless("status line", b"HTTP/1.1 200 ", _PIECE),
    _endless("header", _OK + b"X: ", _PIECE),
    _endless("headers", _OK, b"X: y\r\n" * 1000),
    _endless("body without a length", _OK + b"\r\n", _PIECE),
    _endless("body of a length without end", _OK + b"Content-Length: 99999999999999\r\n\r\n", _PIECE),
    _endless("body in chunks", _CHUNKED, b"10000\r\n" + _PIECE + b"\r\n"),
    _endless("body in the smallest chunks", _CHUNKED, b"1\r\nx\r\n" * 10_000),
    _endless("chunk's size", _CHUNKED, b"0" * 65536),
    _endless("chunk's extension", _CHUNKED + b"1;", _PIECE),
    _endless("blob", _OK + b"\r\n", _PIECE, do="stream_blob"),
    _endless("blob that is to be small", _OK + b"\r\n", _PIECE, do="read_blob"),
    _endless("list of tags", _OK + b"\r\n{\"tags\": [", b'"t",' * 10_000, do="tags"),
    _endless("body of a redirect", b"HTTP/1.1 307 T\r\nLocation: /v2/\r\n\r\n", _PIECE),
    _endless("compressed body of a redirect", b"HTTP/1.1 307 T\r\nContent-Encoding: gzip\r\nLocation: /\r\n\r\n",
             _PIECE),
    _endless("body of a redirect without an address", b"HTTP/1.1 307 T\r\n\r\n", _PIECE),
]  # fmt: skip

_CUT = [
    wire("nothing", UnavailableError),
    wire("half a status", UnavailableError, b"HTTP/1."),
    *(wire(f"{name}, to {do}", UnavailableError, head, do=do)
      for name, head in (("a status without headers", _OK), ("half of a header's name", _OK + b"Content-Le"),
                         ("half of a length", _OK + _LENGTH[:-3]), ("half of the headers", _OK + _LENGTH),
                         ("half of what ends the headers", _OK + _LENGTH + b"\r"))
      for do in ("resolve", "manifest", "push_blob")),
    wire("half of the headers behind a continuation", UnavailableError,
         b"HTTP/1.1 100 Continue\r\n\r\n" + _OK + _LENGTH),
    wire("a continuation and nothing more", UnavailableError, b"HTTP/1.1 100 Continue\r\n\r\n"),
    wire("half of a refusal's headers", UnavailableError, b"HTTP/1.1 404 Not Found\r\nContent-Le", do="find"),
    wire("half of a chunk's size", UnavailableError, _CHUNKED + b"f"),
    wire("a chunk's size and half of its end", UnavailableError, _CHUNKED + b"ff\r"),
    wire("a chunk without its end", UnavailableError, _CHUNKED + b"5\r\nhello"),
    wire("half of the body", UnavailableError, _OK + _LENGTH + b"\r\n" + MANIFEST[:50]),
    wire("half of a chunk", UnavailableError, _CHUNKED + b"ff\r\nxxx"),
    wire("no last chunk", UnavailableError, _CHUNKED + b"5\r\nhello\r\n"),
    wire("half of a blob, each time", UnavailableError,
         _OK + f"Content-Length: {len(LAYER)}\r\n\r\n".encode() + LAYER[:9], do="stream_blob"),
    wire("half of a small blob, each time", UnavailableError,
         _OK + f"Content-Length: {len(LAYER)}\r\n\r\n".encode() + LAYER[:9], do="read_blob"),
    wire("nothing, to an upload", UnavailableError, do="push_blob"),
    wire("nothing, to a manifest", UnavailableError, do="push_manifest"),
    wire("nothing, to the tags", UnavailableError, do="tags"),
    *(Row(name=f"wire: silence to {do}", do=do, raw=_silent, ends=UnavailableError, seconds=_SHORT_SECONDS)
      for do in ("resolve", "manifest", "tags", "read_blob", "stream_blob", "push_blob", "copy_blob", "release")),
]  # fmt: skip


def _dripping(begin: bytes, drip: bytes) -> Callable[[Asked], Iterable[bytes]]:
    def raw(asked: Asked) -> Iterator[bytes]:
        yield begin
        while True:
            sleep(0.02)
            yield drip

    return raw


_SLOW = [
    Row(name=f"wire: a byte now and then, {name}", do=do, raw=_dripping(begin, drip), ends=UnavailableError,
        seconds=_SHORT_SECONDS)
    for name, do, begin, drip in (
        ("in the status", "resolve", b"HTTP/1.1 2", b"0"),
        ("in a header", "resolve", _OK + b"X: ", b"y"),
        ("in headers", "resolve", _OK, b"X: y\r\n"),
        ("before the status", "resolve", b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("in a body", "manifest", _OK + b"Content-Length: 100000\r\n\r\n", b" "),
        ("in a chunk's size", "manifest", _CHUNKED, b"0"),
        ("in chunks", "manifest", _CHUNKED, b"1\r\n \r\n"),
        ("in trailers", "manifest", _CHUNKED + b"0\r\n", b"X: y\r\n"),
        ("in a blob", "stream_blob", _OK + f"Content-Length: {len(LAYER)}\r\n\r\n".encode(), b" "),
    )
] + [
    Row(name="wire: a byte now and then, in a refusal", do="manifest", ends=RefusedError, seconds=5,
        raw=_dripping(b"HTTP/1.1 403 No\r\nContent-Length: 10000\r\n\r\n", b" ")),
]  # fmt: skip

WIRE_ATTACKS = [*_MALFORMED, *_ENDLESS, *_CUT, *_SLOW]
