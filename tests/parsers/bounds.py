"""Holds a call to a processor's time, which is the same however busy the machine is. For the main thread."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CPU_SECONDS_MAX = 5.0


class Unbounded(BaseException):  # no `except Exception` of what is tested may take it
    """It works longer than anybody would wait."""


@contextmanager
def bounded() -> Iterator[None]:
    """Raises Unbounded within what takes more than CPU_SECONDS_MAX; within a regular expression, too."""
    before = signal.signal(signal.SIGVTALRM, _end)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _end(number: int, frame: FrameType | None) -> None:
    raise Unbounded(f"more than {CPU_SECONDS_MAX} seconds of a processor")
