"""Compute a thing once per key, however many threads ask, and remember the answer; a failure is not remembered."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

_T = TypeVar("_T")
_REMEMBERED = 4096


class Remembered(Generic[_T]):
    """Answers by key, of `size_max` together as `size` says; what was not asked for longest goes first. Thread-safe."""

    def __init__(self, size: Callable[[_T], int], size_max: int) -> None:
        self._size_of = size
        self._size_max = size_max
        self._size = 0
        self._held: OrderedDict[Hashable, _T] = OrderedDict()
        self._asked: dict[Hashable, Future[_T]] = {}  # a Future is ten times as large as most of what is in it
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """What is remembered, or what `compute` gives now. Raises what that raises, to everyone who waits for it."""
        with self._guard:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
            is_ours = key not in self._asked
            asked = self._asked.setdefault(key, Future())
        if is_ours:
            self._answer(key, asked, compute)
        return asked.result()

    def _answer(self, key: Hashable, asked: "Future[_T]", compute: Callable[[], _T]) -> None:
        try:
            answer = compute()
        except BaseException as error:  # noqa: BLE001 handed to everyone who waits, ourselves included
            with self._guard:
                del self._asked[key]
            asked.set_exception(error)
            return
        with self._guard:
            del self._asked[key]
            self._held[key] = answer
            self._size += self._size_of(answer)
            while self._size > self._size_max:
                _, gone = self._held.popitem(last=False)
                self._size -= self._size_of(gone)
        asked.set_result(answer)


class Once(Generic[_T]):
    """`compute`, asked at most once at a time for each key; at most 4096 answers are remembered."""

    def __init__(self, compute: Callable[..., _T]) -> None:
        self._compute = compute
        self._answers: Remembered[_T] = Remembered(lambda _: 1, _REMEMBERED)

    def __call__(self, *key: Hashable) -> _T:
        """The answer. Raises what `compute` raised, to everyone who waited for it."""
        return self._answers.get(key, lambda: self._compute(*key))
