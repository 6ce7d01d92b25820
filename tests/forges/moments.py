"""The moments at which whoever proposes is killed: at each request, and anywhere between two of them."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tests.git_http import Asked, Served

_BETWEEN_SECONDS = 0.03  # about as long as there is between two requests
_SECONDS = 60


class When(StrEnum):
    """Of a request: before it does anything, when it is done and not answered, or some time after the answer."""

    BEFORE = "before"
    DONE = "done, not answered"
    ANSWERED = "answered"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """At the `number`th request, the first is 1. `seconds` after its answer, when it is answered."""

    number: int
    when: When
    seconds: float = 0.0


def moments(requests: int, count: int, seed: int) -> list[Moment]:
    """Before and after each of so many requests, then as many after answers as make `count`, in an order by chance."""
    chance = random.Random(seed)
    made = [Moment(number=number, when=when) for number in range(1, requests + 1) for when in (When.BEFORE, When.DONE)]
    made += [
        Moment(
            number=chance.randint(1, requests), when=When.ANSWERED, seconds=round(chance.random() * _BETWEEN_SECONDS, 4)
        )
        for _ in range(max(0, count - len(made)))
    ]
    chance.shuffle(made)
    return made


@dataclass(kw_only=True)
class Dropping:
    """Stands in a relay and lets the line drop, once, at the `number`th request: before it, or when it is done."""

    number: int
    when: When
    _count: int = 0

    def between(self, asked: Asked, serve: Callable[[], Served]) -> Served | None:
        """See tests.git_http.Between. Of requests that come one after the other."""
        self._count += 1
        if self._count != self.number:
            return serve()
        if self.when is When.DONE:
            serve()
        return None


@dataclass(kw_only=True)
class Before:
    """Stands in a relay and acts before the `number`th request is served, once. What it asks itself is not counted."""

    number: int
    act: Callable[[], object]
    _count: int = 0

    def between(self, asked: Asked, serve: Callable[[], Served]) -> Served | None:
        """See tests.git_http.Between. Of requests that come one after the other."""
        self._count += 1
        if self._count == self.number:
            self.act()
        return serve()


class Mortal(Protocol):
    """A process that proposes."""

    def kill(self) -> None:
        """SIGKILL; it is dead when this returns. May be called from any thread."""


class Killer:
    """Stands in a relay and kills a proposer, once. Set `proposer` when it runs: that request waits for it."""

    def __init__(self, moment: Moment) -> None:
        self.proposer: Future[Mortal] = Future()
        self._moment = moment
        self._count = 0
        self._guard = threading.Lock()

    def between(self, asked: Asked, serve: Callable[[], Served]) -> Served | None:
        """See tests.git_http.Between."""
        with self._guard:
            self._count += 1
            is_it = self._count == self._moment.number
        if not is_it:
            return serve()
        proposer = self.proposer.result(_SECONDS)
        served = serve() if self._moment.when is not When.BEFORE else None
        if self._moment.when is When.ANSWERED:
            threading.Timer(self._moment.seconds, proposer.kill).start()
            return served
        proposer.kill()
        return None
