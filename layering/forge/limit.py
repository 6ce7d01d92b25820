"""When one server takes its next request, as its answers said: nothing is sent before. Sends nothing itself."""

import threading

from layering.forge.patience import Patience

_LEAST_SECONDS = 1.0  # whatever an answer says, it is not asked again at once


class Limit:
    """Safe to use from threads. It is `patience` that waits, so `max_wait_seconds` are for all waiting together."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._not_before = patience.now()
        self._guard = threading.Lock()

    def hold(self, seconds: float) -> None:
        """Send nothing for so long from now."""
        with self._guard:
            self._not_before = max(self._not_before, self._patience.now() + max(_LEAST_SECONDS, seconds))

    @property
    def left(self) -> float:
        """Seconds until it takes a request; not more than 0 when it does."""
        with self._guard:
            return self._not_before - self._patience.now()

    @property
    def is_near(self) -> bool:
        """Whether there is the patience to wait for its end."""
        return self.left <= max(0.0, self._patience.left)

    def wait(self) -> bool:
        """Wait until it takes a request. False, at once, when there is not the patience."""
        seconds = self.left
        return seconds <= 0 or self._patience.wait(seconds)
