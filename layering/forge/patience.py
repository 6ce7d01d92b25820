"""How long one operation may wait in all for a forge that fails for now. Knows nothing of why it waits."""

import random
import threading
import time
from collections.abc import Callable

_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 20.0
_BRIEF_SECONDS = 2.0


class Patience:
    """Each thread has its own, from its last `begin`. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._sleep = sleep
        self._clock = clock
        self._thread = _Thread()

    def begin(self, *, briefly: bool = False) -> None:
        """An operation of this thread begins. `briefly`: one that others wait for, and that is begun again soon."""
        seconds = min(self._seconds, _BRIEF_SECONDS) if briefly else self._seconds
        self._thread.ends_at = self._clock() + seconds
        self._thread.pauses = 0

    def now(self) -> float:
        """The clock that waiting moves."""
        return self._clock()

    @property
    def left(self) -> float:
        """Seconds that may still be waited; not more than 0 when they are used up."""
        if self._thread.ends_at is None:
            self.begin()
        return (self._thread.ends_at or 0.0) - self._clock()

    def back_off(self) -> bool:
        """Wait before another try, longer each time. False, at once, when the time is not there."""
        self._thread.pauses += 1
        longest = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2**self._thread.pauses)
        return self.wait(random.uniform(longest / 2, longest))  # noqa: S311 no secret

    def wait(self, seconds: float) -> bool:
        """Wait so long. False, at once, when the time is not there."""
        if seconds > self.left:
            return False
        self._sleep(max(0.0, seconds))
        return True


class _Thread(threading.local):
    ends_at: float | None = None
    pauses: int = 0
