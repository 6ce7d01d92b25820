"""Who leads: the rules as a table, and the promise that never two do: freezes, lost answers, clocks that drift."""

import queue
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.cluster.lease import LeaseRecord
from layering.errors import ConflictError, InputError, UnavailableError
from tests.examples import at_least
from watcher.election import Candidate, Election, Timing

TIMING = Timing(lease_duration_seconds=15, renew_deadline_seconds=10, retry_period_seconds=2)
SECONDS = 60
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Lease:
    """The API server's side: one object, and a version that every write changes."""

    record: LeaseRecord | None = None
    version: int = 0
    before_write: Callable[[], object] | None = None  # once

    def read(self) -> LeaseRecord | None:
        return self.record and replace(self.record, metadata={"resourceVersion": self.version})

    def create(self, record: LeaseRecord) -> None:
        if self.record is not None:
            raise ConflictError("there is one")
        self._write(record)

    def replace(self, record: LeaseRecord) -> None:
        if self.record is None or record.metadata["resourceVersion"] != self.version:
            raise ConflictError("it changed")
        self._write(record)

    def _write(self, record: LeaseRecord) -> None:
        act, self.before_write = self.before_write, None
        if act is not None:
            act()
        self.record = record
        self.version += 1


@dataclass
class World:
    """A clock, a Lease, and candidates that ask for it."""

    seconds: float = 1000.0
    lease: Lease = field(default_factory=Lease)

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)

    def candidate(self, name: str) -> Candidate:
        return Candidate(self.lease, name, TIMING, self.clock, self.now)


def test_the_first_one_leads_and_the_second_waits() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    one.attempt()
    two.attempt()
    assert (one.leads, two.leads) == (True, False)
    assert world.lease.record is not None
    assert world.lease.record.holder == "one"
    assert world.lease.record.duration_seconds == 15


@pytest.mark.parametrize(
    ("pause", "leads", "lost"),
    [(9.9, True, False), (10.0, False, True), (15.0, False, True)],
    ids=["just in time", "at the deadline", "long after"],
)
def test_a_leader_that_does_not_renew(pause: float, leads: bool, lost: bool) -> None:
    world = World()
    one = world.candidate("one")
    one.attempt()
    world.seconds += pause
    assert (one.leads, one.has_lost) == (leads, lost)


def test_a_leader_that_lost_never_leads_again() -> None:
    world = World()
    one = world.candidate("one")
    one.attempt()
    world.seconds += 10
    one.attempt()
    assert (one.leads, one.has_lost, one.was_taken) == (False, True, False)


def test_another_takes_it_after_its_whole_duration_counted_by_its_own_clock() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    one.attempt()
    world.seconds += 14  # nobody has looked so far: what counts is how long the other one has seen it unchanged
    two.attempt()
    world.seconds += 14.9
    two.attempt()
    assert [candidate.leads for candidate in (one, two)] == [False, False]
    world.seconds += 0.1
    two.attempt()
    assert [candidate.leads for candidate in (one, two)] == [False, True]
    assert world.lease.record is not None
    assert (world.lease.record.holder, world.lease.record.transitions) == ("two", 1)


def test_a_renewal_is_a_sign_of_life() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    for _ in range(20):
        one.attempt()
        two.attempt()
        world.seconds += 8
    assert (one.leads, two.leads) == (True, False)


def test_given_back_it_is_anybodys_at_once() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    one.attempt()
    two.attempt()
    one.release()
    assert not one.leads
    assert world.lease.record is not None
    assert (world.lease.record.holder, world.lease.record.duration_seconds) == ("", 1)
    two.attempt()
    assert two.leads


def test_releasing_what_is_not_ours_changes_nothing() -> None:
    world = World()
    one, two = world.candidate("one"), world.candidate("two")
    one.attempt()
    two.release()
    assert world.lease.version == 1


def test_a_lease_taken_by_hand_is_lost_at_the_next_look() -> None:
    world = World()
    one = world.candidate("one")
    one.attempt()
    assert world.lease.record is not None
    world.lease.replace(replace(world.lease.record, holder="somebody", metadata={"resourceVersion": 1}))
    one.attempt()
    assert (one.has_lost, one.was_taken) == (True, True)


def test_a_deleted_lease_is_made_again() -> None:
    world = World()
    one = world.candidate("one")
    one.attempt()
    world.lease.record = None
    world.seconds += 9
    one.attempt()
    world.seconds += 9
    assert one.leads


@pytest.mark.parametrize(
    ("duration", "deadline", "retry"), [(10, 10, 2), (15, 2, 2), (15, 10, 0)], ids=["duration", "deadline", "retry"]
)
def test_times_that_cannot_be_safe_are_refused(duration: float, deadline: float, retry: float) -> None:
    with pytest.raises(InputError):
        Timing(lease_duration_seconds=duration, renew_deadline_seconds=deadline, retry_period_seconds=retry)


@dataclass
class BadNetwork:
    """One candidate's way to the Lease: slow, and now and then an answer is lost, before or after it took effect.

    While a request is on its way the others go on: `meanwhile` lets them.
    """

    lease: Lease
    chance: random.Random
    meanwhile: Callable[[], None]

    def read(self) -> LeaseRecord | None:
        self._way()
        found = self.lease.read()
        self._way()
        return found

    def create(self, record: LeaseRecord) -> None:
        self._way()
        self.lease.create(record)
        self._way()

    def replace(self, record: LeaseRecord) -> None:
        self._way()
        self.lease.replace(record)
        self._way()

    def _way(self) -> None:
        if self.chance.random() < 0.3:
            self.meanwhile()
        if self.chance.random() < 0.1:
            raise UnavailableError("the answer was lost")


class Race:
    """Several candidates at random; after every step at most one may believe that it leads."""

    def __init__(self, seed: int, count: int) -> None:
        self.chance = random.Random(seed)
        self.world = World()
        self.depth = 0
        self.busy: set[int] = set()
        self.led: set[int] = set()
        self.candidates = [self._candidate(number) for number in range(count)]

    def _candidate(self, number: int) -> Candidate:
        rate = self.chance.uniform(0.9, 1.1)  # no two clocks run equally fast

        def clock() -> float:
            return self.world.seconds * rate

        network = BadNetwork(self.world.lease, self.chance, self.step)
        return Candidate(network, f"c{number}", TIMING, clock, self.world.now)

    def step(self) -> None:
        """Time goes on, a little or for as long as a freeze takes, and somebody who is not at it already tries."""
        self.world.seconds += self.chance.choice([0.01, 0.5, 2, 2, 2, 7, 12, 30])
        self.check()
        idle = [number for number in range(len(self.candidates)) if number not in self.busy]
        if not idle or len(self.busy) > 3:
            return
        number = self.chance.choice(idle)
        self.busy.add(number)
        try:
            if self.chance.random() < 0.03:
                self.candidates[number].release()
            else:
                self.candidates[number].attempt()
        except (UnavailableError, ConflictError):
            pass
        finally:
            self.busy.discard(number)
        if self.candidates[number].has_lost:
            self.candidates[number] = self._candidate(1000 + self.world.lease.version * 10 + number)  # a new process
        self.check()

    def check(self) -> None:
        leading = [number for number, candidate in enumerate(self.candidates) if candidate.leads]
        self.led.update(leading)
        assert len(leading) <= 1, f"{leading} lead at {self.world.seconds}"


@given(seed=st.integers(0, 2**32), count=st.integers(2, 5))
@at_least(150)
def test_never_do_two_lead(seed: int, count: int) -> None:
    race = Race(seed, count)
    for _ in range(60):
        race.step()


def test_the_race_is_won_now_and_then() -> None:
    """Or the property above would hold of nothing."""
    led = 0
    for seed in range(20):
        race = Race(seed, 3)
        for _ in range(60):
            race.step()
        led += len(race.led) > 1
    assert led > 5


# The threads

QUICK = Timing(lease_duration_seconds=60, renew_deadline_seconds=40, retry_period_seconds=0.05)


@dataclass
class Elected:
    """One that runs, and what it says."""

    election: Election
    won: threading.Event
    lost: "queue.Queue[str]"

    @classmethod
    def of(cls, world: World) -> "Elected":
        won, lost = threading.Event(), queue.Queue[str]()
        return cls(Election(world.candidate("one"), QUICK, won=won.set, lost=lost.put), won, lost)


@pytest.mark.parametrize("is_won", [False, True], ids=["taking it", "renewing it"])
def test_resigning_waits_for_an_attempt_that_is_under_way(is_won: bool) -> None:
    world, held, goes_on = World(), threading.Event(), threading.Event()
    one = Elected.of(world)

    def hold() -> None:
        held.set()
        assert goes_on.wait(SECONDS)

    if is_won:
        one.election.start()
        assert one.won.wait(SECONDS)
        world.lease.before_write = hold
    else:
        world.lease.before_write = hold
        one.election.start()
    assert held.wait(SECONDS)
    resigning = threading.Thread(target=one.election.resign)
    resigning.start()
    resigning.join(0.2)  # long enough to come too early
    goes_on.set()
    resigning.join(SECONDS)
    assert world.lease.record is not None
    assert (world.lease.record.holder, one.won.is_set(), one.lost.empty()) == ("", is_won, True)


def taken_by_hand(world: World) -> None:
    assert world.lease.record is not None
    world.lease.record = replace(world.lease.record, holder="two")


def not_renewed(world: World) -> None:
    world.seconds += QUICK.renew_deadline_seconds


@pytest.mark.parametrize(
    ("happens", "why"),
    [(taken_by_hand, "somebody else holds the lease"), (not_renewed, "the lease was not renewed in time")],
)
def test_who_lost_it_says_why(happens: Callable[[World], None], why: str) -> None:
    world = World()
    one = Elected.of(world)
    one.election.start()
    assert one.won.wait(SECONDS)
    happens(world)
    assert one.lost.get(timeout=SECONDS) == why
    one.election.resign()
