"""A notice that a signal's handler may give.

threading.Event is none: its lock may be held by the very thread that the handler interrupts, which then waits for
itself for ever (CPython, Lib/threading.py: Event.wait and Event.set). What this one needs instead is promised for
queue.SimpleQueue: a get() or put() may be interrupted by another put() in the same thread.
"""

import contextlib
from queue import Empty, SimpleQueue

_TURN_SECONDS = 0.25


class Notice:
    """Given by anybody, waited for by one thread."""

    def __init__(self) -> None:
        self._is_set = False
        self._woken: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Give it. Safe in a signal handler, and in one that interrupts another."""
        self._is_set = True
        self._woken.put(None)

    def is_set(self) -> bool:
        """Whether it is given."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait so long for it at most. Whether it is given."""
        if not self._is_set:
            with contextlib.suppress(Empty):
                self._woken.get(timeout=seconds)
        return self._is_set

    def wait_for_it(self) -> None:
        """Wait until it is given, however long that takes.

        In short turns: a signal that another thread received does not wake the main one, where its handler runs.
        """
        while not self.wait(_TURN_SECONDS):
            pass

    def clear(self) -> None:
        """Take it back. One that is given meanwhile stays."""
        self._is_set = False
        with contextlib.suppress(Empty):
            while True:
                self._woken.get_nowait()
