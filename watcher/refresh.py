"""One thread per cluster looks at it, so that a cluster that hangs delays no other; then it asks for a tick.

A refresher is asked by a watch (*look now*, once the burst is over) or by a round of the schedule. A round waits a
short while for all of them and then does without the late ones, each of which asks for a tick of its own when it is
done. A look that failed is tried again soon, ever more slowly, and not only when the schedule says so: a server that
comes back refuses and fails for a while after its watches work again.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from watcher.backoff import Backoff
from watcher.bell import Bell

_RETRY_FIRST_SECONDS = 1.0
_RETRY_LONGEST_SECONDS = 60.0
_log = logging.getLogger("layerwatch.refresh")
QUIET_SECONDS = 0.2
LONGEST_SECONDS = 1.0
GRACE_SECONDS = 2.0


class Round:
    """One look at everything: who has not answered so far, and whether anybody still waits for it."""

    def __init__(self, names: Iterable[str]) -> None:
        self._missing = set(names)
        self._is_open = True
        self._changed = threading.Condition()

    def answered(self, name: str) -> bool:
        """Note the answer. Whether it came in time."""
        with self._changed:
            self._missing.discard(name)
            self._changed.notify_all()
            return self._is_open

    def close_after(self, grace_seconds: float) -> frozenset[str]:
        """Wait for the missing ones. Gives those that are late."""
        with self._changed:
            self._changed.wait_for(lambda: not self._missing, grace_seconds)
            self._is_open = False
            return frozenset(self._missing)


class Refresher:
    """The thread of one cluster.

    `look` must be bounded in time, and says whether it got a good answer. `tell` hears the name when a tick is due.
    """

    def __init__(
        self, name: str, look: Callable[[str], bool], tell: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self.name = name
        self._look = look
        self._tell = tell
        self._bell = Bell(clock, quiet_seconds=QUIET_SECONDS, longest_seconds=LONGEST_SECONDS)
        self._rounds: list[Round] = []
        self._backoff = Backoff(first_seconds=_RETRY_FIRST_SECONDS, longest_seconds=_RETRY_LONGEST_SECONDS)
        self._guard = threading.Lock()

    def start(self) -> None:
        """Begin to wait for being asked."""
        threading.Thread(target=self._run, name=f"refresh {self.name}", daemon=True).start()

    def poke(self) -> None:
        """Something happened there: look soon, and then ask for a tick."""
        self._bell.ring(self.name)

    def join(self, asked: Round) -> None:
        """Look now, as part of a round."""
        with self._guard:
            self._rounds.append(asked)
        self._bell.ring_now()

    @property
    def is_late(self) -> bool:
        """Whether an earlier round did not get its answer yet."""
        return bool(self._rounds)

    def stop(self) -> None:
        """End the thread after the look it is at."""
        self._bell.close()

    def _run(self) -> None:
        while True:
            poked = self._bell.wait(self._backoff.seconds)
            if self._bell.is_closed:
                return
            if poked:
                self._backoff.went_well()  # a sign of life: if this look fails, the next one is soon
            with self._guard:
                rounds = tuple(self._rounds)
            is_back = self._look_once()
            in_time = [asked.answered(self.name) for asked in rounds]
            with self._guard:
                self._rounds = [asked for asked in self._rounds if asked not in rounds]
            if poked or is_back or not all(in_time):
                self._tell(self.name)

    def _look_once(self) -> bool:
        """Look; whether this is the first good answer after a bad one."""
        try:
            is_good = self._look(self.name)
        except Exception:  # noqa: BLE001 logged with its traceback; the next look starts over
            _log.exception("a defect of layerwatch while looking at %s", self.name, extra={"cluster": self.name})
            is_good = False
        if is_good:
            return self._backoff.went_well()
        self._backoff.failed()
        return False


def look_at_all(refreshers: Sequence[Refresher], grace_seconds: float = GRACE_SECONDS) -> frozenset[str]:
    """One round. Gives those that are late; one that owes an earlier round its answer is not waited for again."""
    waited_for = [refresher for refresher in refreshers if not refresher.is_late]
    asked = Round(refresher.name for refresher in waited_for)
    late = frozenset(refresher.name for refresher in refreshers if refresher.is_late)
    for refresher in waited_for:
        refresher.join(asked)
    return late | asked.close_after(grace_seconds)
