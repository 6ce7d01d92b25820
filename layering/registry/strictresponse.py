"""An answer as Python reads it, without what Python lets pass: a header that is cut off, a chunk whose size is none.

http.client takes the end of a connection for the end of a header, so that half a length would be a length; it takes a
chunk's size as `int` does, with signs and underscores; and it tells a size that is none from a connection that ended
no more than urllib3 does. RFC 9112 sections 5, 6.3, 7.1 and 8.
"""

import errno
import http.client
import re
import socket
from typing import Any, BinaryIO

from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing

_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]+[ \t]*(;[^\r\n]*)?\r?\n")
_LENGTH = re.compile(r"[0-9]+")


class StrictResponse(http.client.HTTPResponse):
    """Raises HTTPException itself for what is no HTTP, and ConnectionResetError for what may be whole next time."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._lines = _Lines(self.fp)
        self.fp: Any = self._lines

    def begin(self) -> None:
        """Read the status and the headers."""
        began = self.headers is not None
        super().begin()
        if began:
            return
        if not self._lines.last.endswith(b"\n"):
            raise ConnectionResetError(errno.ECONNRESET, "the answer breaks off in its header")
        try:
            assert_header_parsing(self.msg)  # urllib3 itself only logs what it finds, with the URL
        except HeaderParsingError:
            raise http.client.HTTPException("a header that is none") from None
        for stated in self.headers.get_all("Content-Length", []):
            if not all(_LENGTH.fullmatch(length.strip()) for length in stated.split(",")):
                raise http.client.HTTPException("a length that is none")

    def _read_next_chunk_size(self) -> int:
        """Called by http.client for each chunk, with `int` for a parser."""
        try:
            size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        except ValueError:
            size = -1
        if not self._lines.last.endswith(b"\n"):
            raise http.client.IncompleteRead(b"")
        if size < 0 or not _CHUNK_SIZE.fullmatch(self._lines.last):
            raise http.client.HTTPException("a chunk's size that is none")
        return size


class _Lines:
    """A stream that remembers the last line that was read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._stream.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
