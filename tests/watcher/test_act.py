"""When builds of other keys are ended: once, and again when the engine could not do it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from layering.errors import UnavailableError
from layering.forge.forge import State
from watcher.act import Actor

IMAGE: Any = SimpleNamespace(name="os", build=SimpleNamespace(engine="tekton"))


class Engine:
    """Counts, and cannot do it the first `fails` times."""

    def __init__(self, fails: int = 0) -> None:
        self.asked: list[str] = []
        self._fails = fails

    def end_others(self, image: Any, key: str) -> None:
        self.asked.append(key)
        if len(self.asked) <= self._fails:
            raise UnavailableError("it did not answer lately", where="prod")


def seen(key: str, state: State | None) -> Any:
    proposal = SimpleNamespace(state=state) if state else None
    return SimpleNamespace(wanted=SimpleNamespace(key=key), proposal=proposal)


def actor(engine: Any) -> Actor:
    return Actor(lambda image: SimpleNamespace(), {}, {"tekton": engine}, lambda: datetime.now(UTC))  # type: ignore[arg-type,return-value]


def test_they_are_ended_once_for_each_key() -> None:
    engine = Engine()
    acting = actor(engine)
    for key in ("a", "a", "b", "b"):
        acting.end_others(IMAGE, seen(key, State.ABSENT))
    assert engine.asked == ["a", "b"]


def test_what_is_proposed_already_costs_no_request() -> None:
    engine = Engine()
    actor(engine).end_others(IMAGE, seen("a", State.UNCHANGED))
    assert engine.asked == []


def test_what_could_not_be_done_is_done_later_although_it_is_proposed_by_then() -> None:
    engine = Engine(fails=2)
    acting = actor(engine)
    for state in (None, State.UNCHANGED, State.UNCHANGED, State.UNCHANGED):
        acting.end_others(IMAGE, seen("a", state))
    assert engine.asked == ["a", "a", "a"]
