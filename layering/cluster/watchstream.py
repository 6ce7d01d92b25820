"""The events of one open watch, read from its connection, and how to end it from another thread.

kubernetes.io, "API concepts", efficient detection of changes: one JSON object a line. Who opens a watch again after it
ended is not decided here.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import urllib3

from layering.cluster.exchange import Limit, chunks
from layering.cluster.failures import not_kubernetes, refused
from layering.errors import UnavailableError

_LINE_BYTES_MAX = 32 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchEvent:
    """`type` is ADDED, MODIFIED, DELETED, or BOOKMARK, whose object has a resourceVersion and nothing else."""

    type: str
    object: dict[str, Any]


class OpenWatches:
    """The connections that threads are waiting on, so that another one can end the waiting."""

    def __init__(self) -> None:
        self._is_ended = False
        self._open: set[urllib3.BaseHTTPResponse] = set()
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def holding(self, response: urllib3.BaseHTTPResponse) -> Iterator[None]:
        """While a thread reads it."""
        with self._guard:
            if not self._is_ended:
                self._open.add(response)
        try:
            yield
        finally:
            with self._guard:
                self._open.discard(response)
            response.close()

    def holds(self, response: urllib3.BaseHTTPResponse) -> bool:
        """Whether it is open and nobody ended it."""
        with self._guard:
            return response in self._open

    def end(self) -> None:
        """Wake all that wait: their reads find the end of the stream. Watches that are opened later end at once."""
        with self._guard:
            self._is_ended = True
            ended, self._open = self._open, set()
            for response in ended:
                with contextlib.suppress(ValueError, RuntimeError, OSError):  # it ended by itself meanwhile
                    response.shutdown()


def events(response: urllib3.BaseHTTPResponse, watches: OpenWatches, limit: Limit, where: str) -> Iterator[WatchEvent]:
    """The events until the server ends the watch, or `watches.end()` does.

    Raises ExpiredError and the like for an ERROR event, UnavailableError when it breaks off or the limit passes.
    """
    with watches.holding(response):
        try:
            for line in _lines(response, limit, where) if watches.holds(response) else ():
                yield _event(line, where)
        except UnavailableError:
            if watches.holds(response):
                raise


def _lines(response: urllib3.BaseHTTPResponse, limit: Limit, where: str) -> Iterator[bytes]:
    pending = b""
    for chunk in chunks(response, limit, where):
        *lines, pending = (pending + chunk).split(b"\n")
        yield from filter(None, lines)
        if len(pending) > _LINE_BYTES_MAX:
            raise not_kubernetes(where, f"an event is longer than {_LINE_BYTES_MAX} bytes")


def _event(line: bytes, where: str) -> WatchEvent:
    try:
        document = json.loads(line)
        kind, body = document["type"], document["object"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise not_kubernetes(where, "an event is not one") from None
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise not_kubernetes(where, "an event is not one")
    if kind == "ERROR":
        code = body.get("code")
        raise refused(code if isinstance(code, int) else 500, json.dumps(body).encode(), where)
    return WatchEvent(type=kind, object=body)
