"""Who of several watchers acts: the one that holds the Lease, and never two (docs/decisions: our own election).

The rules are client-go's: whoever holds the Lease renews it; others wait until it stood unchanged for its whole
duration by their own clock; nobody compares clocks of two machines. A leader counts its time from before the write that
renewed, with less time than the others wait, so that it has stopped before anybody can start: also when the API hangs,
or the process was frozen. Having lost, it never leads again; the process ends. What leading means is the caller's.
"""

import logging
import math
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from layering.cluster.lease import LeaseRecord
from layering.errors import ConflictError, InputError, LayerwatchError

_log = logging.getLogger("layerwatch.election")
_NEVER = float("-inf")
_GUARD_PAUSE_LEAST_SECONDS = 0.02
_TAKEN, _NOT_RENEWED = "somebody else holds the lease", "the lease was not renewed in time"
_GIVEN_BACK_DURATION_SECONDS = 1  # as client-go writes it


class Lock(Protocol):
    """What a candidate needs of a Lease; layering/cluster/lease.py has the real one."""

    def read(self) -> LeaseRecord | None:
        """What it says now."""

    def create(self, record: LeaseRecord) -> None:
        """Raises ConflictError when there is one by now."""

    def replace(self, record: LeaseRecord) -> None:
        """Raises ConflictError when it changed since it was read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """All in seconds: how long others wait, how long a leader may go without a renewal, how often it renews."""

    lease_duration_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_period_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not self.lease_duration_seconds > self.renew_deadline_seconds > self.retry_period_seconds > 0:
            raise InputError(
                "leaseDuration must be longer than renewDeadline, and that longer than retryPeriod",
                where="daemon.leaderElection",
            )


def steady_clock() -> float:
    """Seconds that go on while the machine sleeps, and that no one can set."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def new_identity() -> str:
    """`<hostname>_<uuid>`: of two processes on one host each has its own."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class Candidate:
    """One process's part in the election, without threads: `attempt` now and then, and ask `leads` before each act."""

    def __init__(
        self, lock: Lock, identity: str, timing: Timing, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._lock = lock
        self._identity = identity
        self._timing = timing
        self._clock = clock
        self._now = now
        self._leads_until: float | None = None  # None: never led so far
        self.was_taken = False  # lost because somebody else holds the Lease, and not by the time alone
        self._seen: LeaseRecord | None = None
        self._seen_at = _NEVER

    @property
    def leads(self) -> bool:
        """Whether it may act at this very moment."""
        return self._leads_until is not None and self._clock() < self._leads_until

    @property
    def has_lost(self) -> bool:
        """Whether it led and does not any more; it never will again."""
        return self._leads_until is not None and not self.leads

    @property
    def seconds_left(self) -> float:
        """How long it may act without another renewal."""
        return 0.0 if self._leads_until is None else max(0.0, self._leads_until - self._clock())

    def attempt(self) -> None:
        """Renew or try to take the Lease, once. Raises LayerwatchError when the API did not answer or said no."""
        if self.has_lost:
            return
        found = self._lock.read()
        if found is None:
            self._write(self._lock.create, self._taken(transitions=0))
        elif found.holder == self._identity:
            self._write(self._lock.replace, replace(found, renewed=self._now()))
        elif self._is_free(found):
            taken = self._taken(transitions=found.transitions + 1)
            self._write(self._lock.replace, replace(taken, metadata=found.metadata))
        elif self._leads_until is not None:
            self._leads_until, self.was_taken = _NEVER, True  # somebody took it from us by hand

    def release(self) -> None:
        """Stop leading, then give the Lease back, so that another need not wait. Raises LayerwatchError."""
        if not self.leads:
            return
        self._leads_until = _NEVER
        found = self._lock.read()
        if found is not None and found.holder == self._identity:
            now = self._now()
            nobodys = replace(
                found, holder="", duration_seconds=_GIVEN_BACK_DURATION_SECONDS, renewed=now, acquired=now
            )
            self._lock.replace(nobodys)

    def _taken(self, *, transitions: int) -> LeaseRecord:
        now = self._now()
        return LeaseRecord(
            holder=self._identity,
            duration_seconds=math.ceil(self._timing.lease_duration_seconds),  # the API takes whole seconds
            acquired=now,
            renewed=now,
            transitions=transitions,
        )

    def _is_free(self, found: LeaseRecord) -> bool:
        """Given back, or unchanged for its whole duration by our clock, counted from when we had read it."""
        if found != self._seen:
            self._seen, self._seen_at = found, self._clock()
        return not found.holder or self._clock() >= self._seen_at + found.duration_seconds

    def _write(self, write: Callable[[LeaseRecord], None], record: LeaseRecord) -> None:
        """Others cannot have seen the record before this moment, so our time is counted from it."""
        started = self._clock()
        write(record)
        if not self.has_lost:
            self._leads_until = started + self._timing.renew_deadline_seconds


class Election:
    """Runs a candidate: one thread tries, and another one guards, which no hanging call can keep from its work.

    `lost` hears why, once, from either thread, as soon as the candidate may not act any more; it should not return.
    """

    def __init__(
        self, candidate: Candidate, timing: Timing, *, won: Callable[[], None], lost: Callable[[str], None]
    ) -> None:
        self._candidate = candidate
        self._timing = timing
        self._won = won
        self._lost = lost
        self._stop = threading.Event()
        self._has_won = threading.Event()
        self._loses_once = threading.Lock()
        self._one_asks = threading.Lock()
        self._complaint = ""

    def start(self) -> None:
        """Begin to try."""
        threading.Thread(target=self._try_forever, name="election", daemon=True).start()
        threading.Thread(target=self._guard, name="election-guard", daemon=True).start()

    def may_act(self) -> bool:
        """Whether this process is the one that acts, at this very moment."""
        return self._candidate.leads

    def resign(self) -> None:
        """Stop trying, and give the Lease back if it is ours; a failure is logged: it then ends by itself.

        An attempt that is under way is waited for: it may be taking the Lease.
        """
        self._stop.set()
        try:
            with self._one_asks:
                self._candidate.release()
        except LayerwatchError as error:
            _log.warning("the lease could not be given back: %s", error, extra={"reason": error.reason})

    def _try_forever(self) -> None:
        while not self._stop.is_set():
            self._try_once()
            if self._stop.is_set():
                return
            if self._candidate.has_lost:
                self._end(_TAKEN if self._candidate.was_taken else _NOT_RENEWED)
                return
            if self._candidate.leads and not self._has_won.is_set():
                self._has_won.set()
                self._won()
            self._stop.wait(self._timing.retry_period_seconds)

    def _try_once(self) -> None:
        try:
            with self._one_asks:
                if not self._stop.is_set():
                    self._candidate.attempt()
            complaint = ""
        except ConflictError:
            complaint = ""  # somebody else was faster, which is how it should be
        except LayerwatchError as error:
            complaint = str(error)
            if complaint != self._complaint:
                _log.warning("no lease this time: %s", error, extra={"reason": error.reason})
        except Exception:  # noqa: BLE001 logged with its traceback; a leader that cannot renew is ended by the guard
            complaint = "a defect of layerwatch"
            _log.exception("a defect of layerwatch while asking for the lease")
        self._complaint = complaint

    def _guard(self) -> None:
        self._has_won.wait()
        while not self._stop.is_set():
            if not self._candidate.leads:
                self._end(_NOT_RENEWED)
                return
            self._stop.wait(max(self._candidate.seconds_left, _GUARD_PAUSE_LEAST_SECONDS))

    def _end(self, why: str) -> None:
        if not self._stop.is_set() and self._loses_once.acquire(blocking=False):
            self._lost(why)
