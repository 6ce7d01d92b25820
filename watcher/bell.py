"""Collects who asked for a look, until it has been quiet for a moment: ten events in a row are one look.

It carries names and nothing else: no facts, no counts. Waiting wakes at once when the bell is closed.
"""

import threading
from collections.abc import Callable


class Debounce:
    """When a burst is over: `quiet_seconds` after its last event, at the latest `longest_seconds` after its first."""

    def __init__(self, *, quiet_seconds: float, longest_seconds: float) -> None:
        self._quiet_seconds = quiet_seconds
        self._longest_seconds = longest_seconds
        self._first: float | None = None
        self._last = 0.0

    def touch(self, now: float) -> None:
        """There was an event."""
        self._last = now
        self._first = now if self._first is None else self._first

    def end(self, now: float) -> None:
        """The burst is over now, whatever comes after it."""
        self._first = now - self._longest_seconds

    def due_in(self, now: float) -> float | None:
        """Seconds until the burst is over, at least 0; None when there is none."""
        if self._first is None:
            return None
        return max(0.0, min(self._last + self._quiet_seconds, self._first + self._longest_seconds) - now)

    def reset(self) -> None:
        """The burst was answered."""
        self._first = None


class Bell:
    """Rung by many threads, waited for by one. With the default pauses it answers at once."""

    def __init__(self, clock: Callable[[], float], *, quiet_seconds: float = 0.0, longest_seconds: float = 0.0) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._debounce = Debounce(quiet_seconds=quiet_seconds, longest_seconds=longest_seconds)
        self._names: set[str] = set()
        self._closed = False

    def ring(self, *names: str) -> None:
        """Ask for a look at these."""
        with self._changed:
            self._names.update(names)
            self._debounce.touch(self._clock())
            self._changed.notify_all()

    def ring_now(self) -> None:
        """Ask for a look without waiting for quiet; who rang before is answered with it."""
        with self._changed:
            self._debounce.end(self._clock())
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether it will never be answered again."""
        return self._closed

    def close(self) -> None:
        """Nobody needs to wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, timeout_seconds: float | None = None) -> frozenset[str]:
        """Who rang, once it is quiet. Nobody: `ring_now`, the time is over, or the bell is closed."""
        deadline = None if timeout_seconds is None else self._clock() + timeout_seconds
        with self._changed:
            while not self._closed:
                now = self._clock()
                due = self._debounce.due_in(now)
                if due == 0.0:
                    return self._take()
                if deadline is not None and now >= deadline:
                    break
                pauses = [pause for pause in (due, None if deadline is None else deadline - now) if pause is not None]
                self._changed.wait(min(pauses, default=None))
            return frozenset()

    def _take(self) -> frozenset[str]:
        self._debounce.reset()
        names, self._names = frozenset(self._names), set()
        return names
