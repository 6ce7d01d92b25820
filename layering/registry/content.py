"""Small content that was read and checked, by its repository and digest: it can never be anything else.

By repository, too, because that one repository has a thing says nothing of another. Who asks for what another thread is
reading waits for that.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from layering.reference import Digest, Repository

_BYTES_MAX = 8 * 1024 * 1024
_T = TypeVar("_T")
_Key = tuple[Repository, Digest]


class RememberedContent(Generic[_T]):
    """At most 8 MiB of it, as `size` says in bytes; what was not asked for longest goes first. Thread-safe."""

    def __init__(self, size: Callable[[_T], int], bytes_max: int = _BYTES_MAX) -> None:
        self._size_of = size
        self._bytes_max = bytes_max
        self._held: OrderedDict[_Key, _T] = OrderedDict()
        self._size = 0
        self._reading: dict[_Key, Future[_T]] = {}
        self._guard = threading.Lock()

    def __call__(self, repository: Repository, digest: Digest, read: Callable[[], _T]) -> _T:
        """What was remembered, or what `read` gives now. Raises what that raises, to all who wait; it is not kept."""
        key = repository, digest
        with self._guard:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            reading = self._reading.get(key)
            is_ours = reading is None
            if reading is None:
                reading = self._reading[key] = Future()
        if is_ours:
            self._read(key, reading, read)
        return reading.result()

    def _read(self, key: _Key, reading: "Future[_T]", read: Callable[[], _T]) -> None:
        try:
            found = read()
        except BaseException as error:  # noqa: BLE001 handed to everyone who waits, ourselves included
            with self._guard:
                del self._reading[key]
            reading.set_exception(error)
            return
        with self._guard:
            del self._reading[key]
            self._held[key] = found
            self._size += self._size_of(found)
            while self._size > self._bytes_max:
                _, gone = self._held.popitem(last=False)
                self._size -= self._size_of(gone)
        reading.set_result(found)
