"""Until when an operation may last, however often something in it is tried again."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from layering.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of one operation, on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """`seconds` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds left; not more than 0 when it has passed."""
        return self.at - time.monotonic()

    def share(self, among: int) -> "Deadline":
        """The end of the first of `among` equal parts of what is left."""
        return Deadline(self.at - self.left * (among - 1) / among)

    def remaining(self, where: str) -> float:
        """Seconds left. Raises UnavailableError when there are none."""
        if (left := self.left) > 0:
            return left
        raise UnavailableError(
            "the registry took too long",
            where=where,
            next_step="try again later, or allow it more time: --registry-timeout (registries.timeout)",
        )


class Allowance:
    """The time that all operations of one step have together, from now on; what else the step does is not counted."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def deadline(self) -> Deadline:
        """The end of whatever begins now."""
        return Deadline(self._at)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile is no work with a registry of ours."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._at += time.monotonic() - began
