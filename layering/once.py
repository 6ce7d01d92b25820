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
        self._answers: OrderedDict[tuple[Hashable, ...], Future[_T]] = OrderedDict()
        self._guard = threading.Lock()

    def __call__(self, *key: Hashable) -> _T:
        """The answer. Raises what `compute` raised, to everyone who waited for it."""
        with self._guard:
            answer = self._answers.get(key)
            is_ours = answer is None
            if answer is None:
                answer = self._answers[key] = Future()
                if len(self._answers) > _REMEMBERED:
                    self._answers.popitem(last=False)
        if is_ours:
            self._answer(key, answer)
        return answer.result()

    def _answer(self, key: tuple[Hashable, ...], answer: "Future[_T]") -> None:
        try:
            answer.set_result(self._compute(*key))
        except BaseException as error:  # noqa: BLE001 handed to everyone who waits, ourselves included
            with self._guard:
                self._answers.pop(key, None)
            answer.set_exception(error)
