"""Compute a thing once per key, however many threads ask, and remember the answer; a failure is not remembered."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

_T = TypeVar("_T")
_REMEMBERED = 4096


class Once(Generic[_T]):
    """`compute`, asked at most once at a time for each key; the oldest of more than 4096 answers is forgotten."""

    def __init__(self, compute: Callable[..., _T]) -> None:
        self._compute = compute
        self._answers: OrderedDict[tuple[Hashable, ...], _T] = OrderedDict()
        self._asked: dict[tuple[Hashable, ...], Future[_T]] = {}  # a Future is ten times as large as what is in it
        self._guard = threading.Lock()

    def __call__(self, *key: Hashable) -> _T:
        """The answer. Raises what `compute` raised, to everyone who waited for it."""
        with self._guard:
            if key in self._answers:
                return self._answers[key]
            is_ours = key not in self._asked
            asked = self._asked.setdefault(key, Future())
        if is_ours:
            self._answer(key, asked)
        return asked.result()

    def _answer(self, key: tuple[Hashable, ...], asked: "Future[_T]") -> None:
        try:
            answer = self._compute(*key)
        except BaseException as error:  # noqa: BLE001 handed to everyone who waits, ourselves included
            with self._guard:
                del self._asked[key]
            asked.set_exception(error)
            return
        with self._guard:
            del self._asked[key]
            self._answers[key] = answer
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        asked.set_result(answer)
