"""Ends connections whose time is over, whatever a thread waits for on them.

A socket's own timeout is for one read: a server that sends a byte now and then, in a status line, a header, the size of
a chunk or a handshake, never meets it. So one thread of a client looks after all of its connections.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from layering.registry.deadline import Deadline

_LONGEST_SLEEP_SECONDS = 60.0
_current = threading.local()


class Watch:
    """One exchange: the socket it is on at the moment, and when it must be over."""

    def __init__(self, deadline: Deadline) -> None:
        self.at = deadline.at
        self._socket: socket.socket | None = None
        self._copy: socket.socket | None = None
        self._ended = False
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        """What this thread sends meanwhile is of this exchange."""
        _current.watch = self
        try:
            yield
        finally:
            _current.watch = None

    def hold(self, held: socket.socket | None, *, copied: bool = False) -> None:
        """It is on this socket now, or on none. A copy is closed with the next one."""
        with self._guard:
            if self._copy is not None:
                self._copy.close()
            self._socket, self._copy = held, held if copied else None
            if self._ended:
                self._shut()

    def end(self) -> None:
        """Its time is over: whoever reads or writes sees the connection end."""
        with self._guard:
            self._ended = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # TLS would change objects another thread uses


class Watchdog:
    """Looks after the exchanges of one client, in a thread that begins with the first of them. Thread-safe."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0
        self._closed = False

    @contextlib.contextmanager
    def until(self, deadline: Deadline) -> Iterator[Watch]:
        """An exchange that must be over at `deadline`."""
        watch = Watch(deadline)
        with self._changed:
            self._watches.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="registry-watchdog", daemon=True)
                self._thread.start()
            elif watch.at < self._wakes_at:
                self._changed.notify()
        try:
            yield watch
        finally:
            with self._changed:
                self._watches.discard(watch)
            watch.hold(None)

    def close(self) -> None:
        """Have the thread end."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for watch in [watch for watch in self._watches if watch.at <= now]:
                    watch.end()
                    self._watches.discard(watch)
                earliest = min((watch.at for watch in self._watches), default=now + _LONGEST_SLEEP_SECONDS)
                self._wakes_at = min(earliest, now + _LONGEST_SLEEP_SECONDS)
                self._changed.wait(self._wakes_at - now)


def hold(held: socket.socket | None, *, copied: bool = False) -> None:
    """This thread sends on `held` now; see Watch.hold."""
    watch: Watch | None = getattr(_current, "watch", None)
    if watch is not None:
        watch.hold(held, copied=copied)
    elif copied and held is not None:
        held.close()
