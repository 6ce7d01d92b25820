"""Words of a Containerfile: only the spellings that every builder reads alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.builders.refusal import RefusalReason, Refused
from pipeline.builders.words import expand, split_words

VARIABLES = {"X": "1", "EMPTY": "", "LONG_name2": "two words"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain", "plain"),
        ("$X", "1"),
        ("a$X/b", "a1/b"),
        ("${X}y", "1y"),
        ("$X$X", "11"),
        ('"$X y"', "1 y"),
        ("'$X'", "$X"),
        ("a'b'\"c\"", "abc"),
        ("${X:-other}", "1"),
        ("${EMPTY:-other}", "other"),
        ("${NONE:-other}", "other"),
        ("${X:+alt}", "alt"),
        ("${EMPTY:+alt}", ""),
        ("${NONE:+alt}", ""),
        ("$LONG_name2", "two words"),
        ("$EMPTY", ""),
        ("", ""),
        ("$NONE.", "."),
        ("${NONE}", ""),
        ("$", "$"),
        ("$1", ""),
        ("${X:-$X}", "1"),
        ("${NONE:-$X}", "1"),
        ("${NONE:-'a}'}", "a}"),
        ("a\\ b\\$X", "a b$X"),
        ('"a\\b\\"\\$X"', 'a\\b"$X'),
        ("'a\\b'", "a\\b"),
    ],
)
def test_expands(word: str, expected: str) -> None:
    assert expand(word, VARIABLES) == expected


@pytest.mark.parametrize(
    "word",
    ["${X", "${X:=1}", "${X:?1}", "${X#1}", "${X-1}", "${X:-1", "${X:"],
)
def test_refuses_what_is_read_differently(word: str) -> None:
    with pytest.raises(Refused) as refused:
        expand(word, VARIABLES)
    assert refused.value.reason is RefusalReason.VARIABLE_NOT_COMPOSABLE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("  a  b ", ("a", "b")),
        ("""a="b c" d='e "f"' """, ('a="b c"', "d='e \"f\"'")),
        ('a"b c"d', ('a"b c"d',)),
    ],
)
def test_splits(text: str, expected: tuple[str, ...]) -> None:
    assert split_words(text) == expected


@pytest.mark.parametrize("text", ['a "b', "it's", "a `b`", "'a", '"a\\"'])
def test_refuses_backticks_and_open_quotes(text: str) -> None:
    with pytest.raises(Refused) as refused:
        [expand(word, VARIABLES) for word in split_words(text)]
    assert refused.value.reason is RefusalReason.ARGUMENTS_NOT_COMPOSABLE


@given(st.text(alphabet="ab $\"'{}:-+X_\\\t"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        for word in split_words(text):
            expand(word, VARIABLES)
    except Refused:
        pass
