"""Hosts that are left alone for a while: they asked for that, or they did not answer.

For a process that has many things to ask: what one question learnt in its whole time, the others know at once. A host
that says how long it wants to be left alone (Retry-After) is not asked before that is over. One that answers others is
not left alone because of one question that it cannot answer.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from layering.errors import UnavailableError

_LONGEST_SECONDS = 3600.0
_TOO_MANY = 429


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
        self._answered_at: dict[str, float] = {}
        self._guard = threading.Lock()

    def begin(self, host: str) -> float:
        """A question begins: when that is. Raises UnavailableError while the host is left alone."""
        with self._guard:
            now, pause = self._clock(), self._pauses.get(host)
            left = pause.until - now if pause else 0.0
            if pause is None or left <= 0:
                self._pauses.pop(host, None)
                return now
        raise UnavailableError(
            f"{pause.why}; it is left alone for {left:.0f} s more", where=host, next_step="it is asked again then"
        )

    def answered(self, host: str) -> None:
        """It answered something."""
        with self._guard:
            self._answered_at[host] = self._clock()

    def after_failure(self, host: str, error: UnavailableError, began: float) -> None:
        """It did not answer in the whole time it was given, nor anything else since then."""
        with self._guard:
            is_alive = self._answered_at.get(host, float("-inf")) > began
        if not is_alive:
            self._leave_alone(host, self._seconds, error.what)

    def after_refusal(self, host: str, status: int, asked_seconds: float) -> None:
        """It has no time for us (429), or says for how long it wants to be left alone."""
        seconds = max(self._seconds, asked_seconds) if status == _TOO_MANY else asked_seconds
        self._leave_alone(host, seconds, f"the registry answers {status}")

    def _leave_alone(self, host: str, seconds: float, why: str) -> None:
        if seconds <= 0:
            return
        with self._guard:
            self._pauses[host] = _Pause(until=self._clock() + min(seconds, _LONGEST_SECONDS), why=why)
