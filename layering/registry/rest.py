"""Hosts that are left alone for a while: they asked for that, or they did not answer.

For a process that has many things to ask: what one question learnt in its whole time, the others know at once. A host
that says how long it wants to be left alone (429 or 503 with Retry-After) is not asked before that is over.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from layering.errors import UnavailableError

_LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pause:
    until: float
    why: str


class Rest:
    """By HOST[:PORT]. `seconds` is how long one that did not answer is left alone; 0: not at all. Thread-safe."""

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._pauses: dict[str, _Pause] = {}
        self._guard = threading.Lock()

    def check(self, host: str) -> None:
        """Raises UnavailableError while the host is left alone."""
        with self._guard:
            pause = self._pauses.get(host)
            if pause is None:
                return
            left = pause.until - self._clock()
            if left <= 0:
                del self._pauses[host]
                return
        raise UnavailableError(
            f"{pause.why}; it is left alone for {left:.0f} s more", where=host, next_step="it is asked again then"
        )

    def after_failure(self, host: str, error: UnavailableError) -> None:
        """It did not answer in the whole time it was given."""
        self._begin(host, self._seconds, error.what)

    def after_refusal(self, host: str, status: int, asked_seconds: float) -> None:
        """It answers that it has no time for us, and may say for how long."""
        self._begin(host, max(self._seconds, asked_seconds), f"the registry answers {status}")

    def _begin(self, host: str, seconds: float, why: str) -> None:
        if seconds <= 0:
            return
        with self._guard:
            self._pauses[host] = _Pause(until=self._clock() + min(seconds, _LONGEST_SECONDS), why=why)
