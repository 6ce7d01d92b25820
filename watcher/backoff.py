"""How long to wait before something that failed is tried again: twice as long each time, up to a limit."""

_DOUBLINGS_MOST = 16


class Backoff:
    """Counts failures in a row. It does not wait, and knows no clock."""

    def __init__(self, *, first_seconds: float, longest_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._failures = 0

    def failed(self) -> None:
        """Once more."""
        self._failures += 1

    def went_well(self) -> bool:
        """The failures are over. Whether there were any."""
        had_failed, self._failures = self._failures > 0, 0
        return had_failed

    @property
    def seconds(self) -> float | None:
        """From the last failure to the next try; None when there is nothing to try again."""
        if not self._failures:
            return None
        factor: int = 2 ** min(self._failures - 1, _DOUBLINGS_MOST)
        return min(self._first_seconds * factor, self._longest_seconds)
