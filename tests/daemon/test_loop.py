"""The ticking thread: one tick at a time, configurations change between ticks, defects end nothing."""

import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from layering.errors import InputError, LayerwatchError
from layering.reasons import Reason
from tests.daemon.process import eventually
from tests.daemon.verdicts import build, observation, verdict
from watcher.bell import Bell
from watcher.decision import Kind
from watcher.engines.engine import BuildState
from watcher.loop import EVERYTHING, Loop, Pulse
from watcher.metrics import TickResult
from watcher.report import Verdict
from watcher.settings import Settings

_SECONDS = 30.0


def configuration(every: str) -> Settings:
    document = {"apiVersion": "layerwatch/v1alpha1", "kind": "WatchConfig", "schedule": {"every": every}}
    return Settings.model_validate(document)


@dataclass
class World:
    """What is in force, what was ticked, and how it ended."""

    bell: Bell = field(default_factory=lambda: Bell(time.monotonic))
    ticks: "queue.Queue[tuple[float, Set[str] | None]]" = field(default_factory=queue.Queue)
    results: "queue.Queue[TickResult]" = field(default_factory=queue.Queue)
    refused: list[LayerwatchError] = field(default_factory=list)
    open: list[float] = field(default_factory=list)
    goes_on: threading.Event = field(default_factory=threading.Event)
    leads: bool = True
    has_looked: bool = True
    fault: Exception | None = None
    says: Verdict = field(default_factory=verdict)
    unusable: LayerwatchError | None = None

    @contextmanager
    def begin(self, settings: Settings) -> "Iterator[InForce]":
        if self.unusable:
            raise self.unusable
        every = settings.schedule.every_seconds
        self.open.append(every)
        try:
            yield InForce(every, self)
        finally:
            self.open.remove(every)


@dataclass
class InForce:
    every: float
    world: World

    @property
    def has_looked(self) -> bool:
        return self.world.has_looked

    def tick(self, only: Set[str] | None) -> Sequence[Verdict]:
        self.world.ticks.put((self.every, only))
        assert self.world.goes_on.wait(_SECONDS)
        if self.world.fault:
            raise self.world.fault
        return [self.world.says]


@pytest.fixture
def world() -> World:
    made = World()
    made.goes_on.set()
    return made


@pytest.fixture
def loop(world: World) -> Iterator[Loop]:
    made = Loop(
        world.bell,
        world.begin,
        pulse=Pulse(time.monotonic, lambda: False),
        may_tick=lambda: world.leads,
        ended=lambda result, seconds: world.results.put(result),
        refused=world.refused.append,
    )
    made.start()
    yield made
    world.goes_on.set()
    assert made.close(_SECONDS)
    assert world.open == []


def ticked(world: World) -> tuple[float, Set[str] | None]:
    return world.ticks.get(timeout=_SECONDS)


def ended(world: World) -> TickResult:
    return world.results.get(timeout=_SECONDS)


def test_a_tick_is_over_what_was_rung_for(world: World, loop: Loop) -> None:
    loop.put_in_force(configuration("60s"))
    world.bell.ring("prod")
    assert ticked(world) == (60.0, {"prod"})
    assert ended(world) is TickResult.OK
    world.bell.ring(EVERYTHING)
    assert ticked(world) == (60.0, None)
    assert ended(world) is TickResult.OK
    assert loop.has_ticked.is_set()


def test_no_tick_before_the_clusters_had_the_time_to_answer(world: World, loop: Loop) -> None:
    world.has_looked = False
    loop.put_in_force(configuration("60s"))
    eventually("it is in force", lambda: world.open == [60.0])
    for name in ("prod", EVERYTHING):
        world.bell.ring(name)
        assert loop.has_ticked.wait(0.2) is False
    world.has_looked = True
    world.bell.ring(EVERYTHING)
    assert ticked(world) == (60.0, None)


def test_what_rings_during_a_tick_is_one_tick_after_it(world: World, loop: Loop) -> None:
    loop.put_in_force(configuration("60s"))
    world.goes_on.clear()
    world.bell.ring("prod")
    ticked(world)
    for name in ("stage", "prod", "stage"):
        world.bell.ring(name)
    assert world.ticks.empty()
    world.goes_on.set()
    assert ticked(world) == (60.0, {"prod", "stage"})


def test_a_new_configuration_begins_between_two_ticks(world: World, loop: Loop) -> None:
    loop.put_in_force(configuration("60s"))
    world.goes_on.clear()
    world.bell.ring("prod")
    ticked(world)
    loop.put_in_force(configuration("90s"))
    assert world.open == [60.0]
    world.bell.ring("prod")
    world.goes_on.set()
    assert ticked(world) == (90.0, {"prod"})
    assert world.open == [90.0]


def test_one_that_cannot_begin_leaves_the_old_one(world: World, loop: Loop) -> None:
    loop.put_in_force(configuration("60s"))
    world.bell.ring("prod")
    ticked(world)
    ended(world)
    world.unusable = InputError("no such context")
    loop.put_in_force(configuration("90s"))
    world.bell.ring("prod")
    assert ticked(world) == (60.0, {"prod"})
    assert [error.what for error in world.refused] == ["no such context"]


def test_a_defect_is_logged_and_the_loop_goes_on(world: World, loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop.put_in_force(configuration("60s"))
    world.fault = ValueError("a defect")
    with caplog.at_level(logging.ERROR, logger="layerwatch.loop"):
        world.bell.ring("prod")
        assert ended(world) is TickResult.DEFECT
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert not loop.has_ticked.is_set()
    world.fault = None
    world.bell.ring("prod")
    assert ended(world) is TickResult.OK


def test_what_could_not_be_told_is_looked_at_again_without_being_asked(world: World, loop: Loop) -> None:
    world.says = verdict(Kind.UNKNOWN, Reason.UNREACHABLE)
    loop.put_in_force(configuration("60s"))
    world.bell.ring("prod")
    assert ticked(world) == (60.0, {"prod"})
    world.says = verdict()
    assert ticked(world) == (60.0, None)


def test_a_build_that_waits_is_looked_at_when_it_is_due_however_rare_the_schedule(world: World, loop: Loop) -> None:
    loop.put_in_force(configuration("60s"))
    failed = replace(build(BuildState.FAILED), retry_at=datetime.now(UTC) + timedelta(seconds=4))
    world.says = verdict(Kind.HELD, Reason.BACK_OFF, seen=observation(build=failed))
    world.bell.ring("prod")
    assert ticked(world) == (60.0, {"prod"})
    world.says = verdict()
    assert ticked(world) == (60.0, None)


def test_a_stand_by_puts_nothing_in_force(world: World, loop: Loop) -> None:
    world.leads = False
    loop.put_in_force(configuration("60s"))
    world.bell.ring("prod")
    assert loop.has_ticked.wait(0.2) is False
    assert world.open == []
    world.leads = True
    world.bell.ring(EVERYTHING)
    assert ticked(world) == (60.0, None)


def test_closing_waits_for_the_tick_but_not_for_ever(world: World, loop: Loop) -> None:
    loop.put_in_force(configuration("60s"))
    world.goes_on.clear()
    world.bell.ring("prod")
    ticked(world)
    assert not loop.close(0.05)
