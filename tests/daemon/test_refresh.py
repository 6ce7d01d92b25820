"""A thread per cluster: one that hangs delays neither the round nor the others, and says so when it is back."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from watcher.refresh import Refresher, look_at_all

_SECONDS = 30.0


class Cluster:
    """Answers when `answers` is set; `looks` counts."""

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.began = threading.Semaphore(0)
        self.looks = 0
        self.is_well = True
        self.refresher = Refresher(name, self.look, tell, time.monotonic)
        self.refresher.start()

    def look(self, name: str) -> bool:
        self.looks += 1
        self.began.release()
        assert self.answers.wait(_SECONDS)
        return self.is_well


@pytest.fixture
def told() -> "queue.Queue[str]":
    return queue.Queue()


@pytest.fixture
def clusters(told: "queue.Queue[str]") -> Iterator[list[Cluster]]:
    made = [Cluster(name, told.put) for name in ("prod", "stage")]
    yield made
    for cluster in made:
        cluster.answers.set()
        cluster.refresher.stop()


def everybody(clusters: list[Cluster]) -> list[Refresher]:
    return [cluster.refresher for cluster in clusters]


def test_a_round_waits_for_all_who_answer_and_asks_for_no_tick_of_their_own(
    clusters: list[Cluster], told: "queue.Queue[str]"
) -> None:
    assert look_at_all(everybody(clusters), _SECONDS) == frozenset()
    assert [cluster.looks for cluster in clusters] == [1, 1]
    assert told.empty()


def test_a_poke_is_a_look_and_a_tick_and_many_are_one(clusters: list[Cluster], told: "queue.Queue[str]") -> None:
    for _ in range(10):
        clusters[0].refresher.poke()
    assert told.get(timeout=_SECONDS) == "prod"
    assert [cluster.looks for cluster in clusters] == [1, 0]
    assert told.empty()


def test_one_that_hangs_delays_no_other_and_ticks_by_itself_when_it_is_back(
    clusters: list[Cluster], told: "queue.Queue[str]"
) -> None:
    prod, stage = clusters
    stage.answers.clear()
    assert look_at_all(everybody(clusters), 1.0) == {"stage"}
    prod.refresher.poke()
    assert told.get(timeout=_SECONDS) == "prod"
    assert look_at_all(everybody(clusters), _SECONDS) == {"stage"}, "it is not waited for again"
    assert (prod.looks, stage.looks) == (3, 1)
    stage.answers.set()
    assert told.get(timeout=_SECONDS) == "stage"
    assert look_at_all(everybody(clusters), _SECONDS) == frozenset()


def test_an_event_during_a_look_is_another_look(clusters: list[Cluster], told: "queue.Queue[str]") -> None:
    prod, _ = clusters
    prod.answers.clear()
    prod.refresher.poke()
    assert prod.began.acquire(timeout=_SECONDS)
    prod.refresher.poke()
    prod.answers.set()
    assert [told.get(timeout=_SECONDS) for _ in range(2)] == ["prod", "prod"]
    assert prod.looks == 2


def test_what_failed_is_tried_again_soon_and_told_when_it_went_well(
    clusters: list[Cluster], told: "queue.Queue[str]"
) -> None:
    prod, _ = clusters
    prod.is_well = False
    look_at_all(everybody(clusters), _SECONDS)
    assert prod.began.acquire(timeout=_SECONDS)
    assert prod.began.acquire(timeout=_SECONDS), "nobody asked for this one"
    assert told.empty()
    prod.is_well = True
    assert told.get(timeout=_SECONDS) == "prod"


def test_a_sign_of_life_makes_the_next_try_soon_however_long_it_was_away(
    clusters: list[Cluster], told: "queue.Queue[str]"
) -> None:
    """A server that comes back lets watches in while it still refuses lists: no event may follow that look."""
    prod, _ = clusters
    prod.is_well = False
    for _ in range(8):
        prod.refresher.poke()
        assert told.get(timeout=_SECONDS) == "prod"
    prod.is_well = True
    assert told.get(timeout=_SECONDS) == "prod", "after the eighth failure in a row it would be a minute"


def test_a_defect_in_a_look_does_not_end_the_thread(told: "queue.Queue[str]", caplog: pytest.LogCaptureFixture) -> None:
    def look(name: str) -> bool:
        raise ValueError("a defect")

    refresher = Refresher("prod", look, told.put, time.monotonic)
    refresher.start()
    with caplog.at_level(logging.ERROR, logger="layerwatch.refresh"):
        for _ in range(2):
            refresher.poke()
            assert told.get(timeout=_SECONDS) == "prod"
    refresher.stop()
    messages = {record.message for record in caplog.records}
    assert messages == {"a defect of layerwatch while looking at prod"}
