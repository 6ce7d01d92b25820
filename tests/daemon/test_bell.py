"""When a burst of events is over, and who is told of it."""

import threading

import pytest

from watcher.bell import Bell, Debounce


@pytest.mark.parametrize(
    ("events", "now", "due_in"),
    [
        ([], 5.0, None),
        ([0.0], 0.0, 0.2),
        ([0.0], 0.15, 0.05),
        ([0.0], 3.0, 0.0),
        ([0.0, 0.1], 0.1, 0.2),
        ([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], 0.9, 0.1),
        ([0.0, 0.5, 0.95], 1.0, 0.0),
    ],
    ids=["none", "one", "one, a little later", "long over", "again", "never quiet", "at the latest"],
)
def test_a_burst(events: list[float], now: float, due_in: float | None) -> None:
    debounce = Debounce(quiet_seconds=0.2, longest_seconds=1.0)
    for moment in events:
        debounce.touch(moment)
    found = debounce.due_in(now)
    assert found == (due_in if due_in is None else pytest.approx(due_in))


def test_after_an_answer_the_next_burst_begins_anew() -> None:
    debounce = Debounce(quiet_seconds=0.2, longest_seconds=1.0)
    debounce.touch(0.0)
    debounce.reset()
    assert debounce.due_in(0.5) is None
    debounce.touch(10.0)
    assert debounce.due_in(10.0) == pytest.approx(0.2)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_everybody_who_rang_is_told_once() -> None:
    clock = Clock()
    bell = Bell(clock, quiet_seconds=0.2, longest_seconds=1.0)
    bell.ring("prod")
    bell.ring("stage", "prod")
    clock.now += 0.3
    assert bell.wait() == {"prod", "stage"}
    assert bell.wait(timeout_seconds=0.0) == frozenset()


def test_now_is_not_later() -> None:
    bell = Bell(Clock(), quiet_seconds=60.0, longest_seconds=60.0)
    bell.ring("prod")
    bell.ring_now()
    assert bell.wait() == {"prod"}


def test_closing_wakes_who_waits() -> None:
    bell = Bell(Clock())
    heard: list[frozenset[str]] = []
    waiting = threading.Thread(target=lambda: heard.append(bell.wait()))
    waiting.start()
    bell.close()
    waiting.join(10)
    assert heard == [frozenset()]
    assert bell.is_closed
