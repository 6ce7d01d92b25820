"""The one thread that ticks: waits until somebody asks for a look, ticks, and tells what came of it.

One tick at a time, whoever asks. What could not be told is looked at again soon, ever more slowly; a build that failed,
when its next attempt is due. A new configuration is put in force between two ticks, by this thread, so that no tick
ever sees half of it. A defect in a tick is logged with its traceback, and the loop goes on. When to look is not its
affair (the schedule, watches), nor is what a tick does (watcher/tick.py).
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence, Set
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from typing import Protocol

from layering.errors import LayerwatchError
from watcher.backoff import Backoff
from watcher.bell import Bell
from watcher.decision import Kind
from watcher.engines.engine import BuildState
from watcher.metrics import TickResult
from watcher.report import Verdict, tick_exit_code
from watcher.settings import Settings
from watcher.world import Observation

_log = logging.getLogger("layerwatch.loop")
EVERYTHING = ""  # rung instead of a cluster's name; no cluster has an empty one
_PAUSE_SECONDS = 5.0
_RETRY_FIRST_SECONDS = 2.0
_RETRY_LONGEST_SECONDS = 300.0
_NEVER = float("inf")


class Ticking(Protocol):
    """One configuration in force."""

    @property
    def has_looked(self) -> bool:
        """Whether its clusters had the time to answer once; before that, a tick could tell nothing of them."""

    def tick(self, only: Set[str] | None) -> Sequence[Verdict]:
        """One tick over everything, or over what involves the named clusters."""


class Pulse:
    """Whether the loop turns: it beats, or `is_busy` knows of work that has an end of its own."""

    def __init__(
        self, clock: Callable[[], float], is_busy: Callable[[], bool], *, longest_seconds: float = 600.0
    ) -> None:
        self._clock = clock
        self._is_busy = is_busy
        self._longest_seconds = longest_seconds
        self._last = clock()

    def beat(self) -> None:
        """It turns."""
        self._last = self._clock()

    @property
    def is_well(self) -> bool:
        """Whether it turned lately."""
        if self._is_busy():
            self.beat()
        return self._clock() - self._last < self._longest_seconds


class Loop:
    """Runs ticks until it is closed.

    `begin` puts a configuration in force, for as long as its context is open. `may_tick`: whether this process is the
    one that acts. `ended` hears of each tick, its seconds included; `has_ticked` is set after the first. `refused`
    hears why a configuration cannot be put in force; the one before it then stays.
    """

    def __init__(
        self,
        bell: Bell,
        begin: Callable[[Settings], AbstractContextManager[Ticking]],
        *,
        pulse: Pulse,
        may_tick: Callable[[], bool],
        ended: Callable[[TickResult, float], None],
        refused: Callable[[LayerwatchError], None],
    ) -> None:
        self.has_ticked = threading.Event()
        self._bell = bell
        self._begin = begin
        self._pulse = pulse
        self._may_tick = may_tick
        self._ended = ended
        self._refused = refused
        self._next: Settings | None = None
        self._current: Ticking | None = None
        self._open = ExitStack()
        self._backoff = Backoff(first_seconds=_RETRY_FIRST_SECONDS, longest_seconds=_RETRY_LONGEST_SECONDS)
        self._again_at = _NEVER
        self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def put_in_force(self, settings: Settings) -> None:
        """From the next tick on, which is soon."""
        self._next = settings
        self._bell.ring_now()

    def close(self, timeout_seconds: float) -> bool:
        """Tick no more. Whether the tick under way, if any, has ended by then."""
        self._bell.close()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with self._open:
            while not self._bell.is_closed:
                self._pulse.beat()
                names = self._bell.wait(min(_PAUSE_SECONDS, max(0.0, self._again_at - time.monotonic())))
                if time.monotonic() >= self._again_at:
                    names |= {EVERYTHING}
                if self._may_tick() and not self._bell.is_closed:
                    self._turn(names)

    def _turn(self, names: Collection[str]) -> None:
        try:
            if self._next is not None:
                self._change()
            if names and self._current is not None and self._current.has_looked:
                self._tick(self._current, None if EVERYTHING in names else frozenset(names))
        except Exception:  # noqa: BLE001 logged with its traceback; the loop goes on
            _log.exception("a defect of layerwatch; the next tick starts over")
            self._again_at = _NEVER  # the schedule is soon enough
            self._ended(TickResult.DEFECT, 0.0)

    def _change(self) -> None:
        """Begin the new configuration, then leave the old one; its own schedule asks for the first tick at once."""
        settings, self._next = self._next, None
        if settings is None:
            return
        opened = ExitStack()
        try:
            begun = opened.enter_context(self._begin(settings))
        except LayerwatchError as error:
            self._refused(error)
            return
        self._open.close()
        self._open.push(opened)
        self._current = begun
        self._again_at = _NEVER  # it looks at everything anyway

    def _tick(self, current: Ticking, only: Set[str] | None) -> None:
        started = time.monotonic()
        verdicts = current.tick(only)
        result = TickResult.IN_THE_WAY if tick_exit_code(verdicts) else TickResult.OK
        self._ended(result, time.monotonic() - started)
        self.has_ticked.set()
        self._plan_again(verdicts, is_whole=only is None)

    def _plan_again(self, verdicts: Sequence[Verdict], *, is_whole: bool) -> None:
        """A part of everything says nothing about the rest: what was planned for that stays planned."""
        pause = _seconds_to_the_next_attempt(verdicts)
        if any(verdict.decision.kind is Kind.UNKNOWN for verdict in verdicts):
            self._backoff.failed()
            pause = min(pause, self._backoff.seconds or _NEVER)
        elif is_whole:
            self._backoff.went_well()
        planned = _NEVER if is_whole else self._again_at
        self._again_at = min(planned, time.monotonic() + pause)


def _seconds_to_the_next_attempt(verdicts: Sequence[Verdict]) -> float:
    """Until the first of the builds that failed and wait is due; the schedule may be hours away."""
    builds = (verdict.seen.build for verdict in verdicts if isinstance(verdict.seen, Observation))
    due = (build.retry_at for build in builds if build and build.state is BuildState.FAILED and build.retry_at)
    now = datetime.now(UTC)
    return min(((at - now).total_seconds() for at in due if at > now), default=_NEVER)
