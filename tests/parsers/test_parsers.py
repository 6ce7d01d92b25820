"""Every parser, whatever it is given: it is understood or refused by an error of its own, within bounds."""

import itertools
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import ExitCode, LayerwatchError
from layering.reasons import Reason
from tests.parsers.bounds import bounded
from tests.parsers.mutations import documents
from tests.parsers.table import PARSERS, Parser

EACH = pytest.mark.parametrize("parser", PARSERS, ids=[parser.name for parser in PARSERS])
_MESSAGE_LENGTH_MAX = 2000
_MEMORY_BYTES_MAX = 64 << 20
_MEASURED_BYTES_MIN = 16 << 10


def outcome(parser: Parser, data: bytes) -> LayerwatchError | None:
    """The error that it raises; anything but its own errors fails the test that asks."""
    with bounded():
        try:
            parser.read(data)
        except parser.raises as error:
            return error
    return None


@EACH
def test_it_takes_what_is_valid(parser: Parser) -> None:
    assert [outcome(parser, seed) for seed in parser.seeds] == [None] * len(parser.seeds)


@pytest.mark.parametrize(
    ("parser", "data"), [pytest.param(parser, data, id=parser.name) for parser in PARSERS for data in parser.broke]
)
def test_what_broke_it_once(parser: Parser, data: bytes) -> None:
    if (error := outcome(parser, data)) is not None:
        check(error)


@EACH
@given(data=st.data())
def test_whatever_comes_is_read_or_refused(parser: Parser, data: st.DataObject) -> None:
    if (error := outcome(parser, data.draw(documents(parser)))) is not None:
        check(error)


def check(error: LayerwatchError) -> None:
    """It can be shown: it is not endless, and has what a program needs of it."""
    assert error.exit_code in ExitCode
    assert error.exit_code != ExitCode.DEFECT
    assert error.reason in Reason
    assert len(str(error)) <= _MESSAGE_LENGTH_MAX
    assert str(error).encode()


@EACH
def test_what_is_large_is_bounded(parser: Parser) -> None:
    for data in large_documents(parser):
        with little_memory(parser.large):
            error = outcome(parser, data)
        if error is not None:
            check(error)


@contextmanager
def little_memory(size: int) -> Iterator[None]:
    """What is small is not measured: that takes longer than to read it."""
    if size < _MEASURED_BYTES_MIN:
        yield
        return
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < _MEMORY_BYTES_MAX
    finally:
        tracemalloc.stop()


def large_documents(parser: Parser) -> Iterator[bytes]:
    """Each of its words over and over, by itself and where a document was cut in the middle."""
    seed = parser.seeds[0]
    for word, head in itertools.product(
        [*parser.words, b"a", b" ", b"\n", b"[", b'{"a":', b"\0"], [b"", seed[: len(seed) // 2]]
    ):
        yield (head + word * (parser.large // len(word) + 1))[: parser.large]
