"""A thing is computed once per key, whoever asks; a failure is told to all who waited and is not remembered."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from layering.once import Once


def test_many_threads_one_computation() -> None:
    calls: list[int] = []
    gate = threading.Event()

    def slow(number: int) -> int:
        calls.append(number)
        gate.wait(5)
        return number * 2

    once = Once(slow)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(once, number % 2) for number in range(8)]
        gate.set()
        assert [answer.result() for answer in answers] == [0, 2] * 4
    assert sorted(calls) == [0, 1]


def test_a_failure_is_tried_again() -> None:
    left: list[ValueError | int] = [ValueError("no"), 7]

    def fails_once() -> int:
        answer = left.pop(0)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    once = Once(fails_once)
    with pytest.raises(ValueError, match="no"):
        once()
    assert once() == once() == 7


def test_what_is_remembered_is_bounded() -> None:
    once = Once(lambda number: number)
    for number in range(5000):
        once(number)
    assert len(once._answers) == 4096
