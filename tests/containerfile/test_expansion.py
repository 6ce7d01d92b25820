"""Variables, quotes and escapes: a table, and the same answers as buildkit's own lexer."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layering.errors import InputError
from layering.expansion import expand
from tests.parts.oracle_client import Oracle, Refused

VALUES = {"X": "quay.io/a*b/c:1.2", "EMPTY": "", "1": "one"}

MEANINGS = [
    pytest.param("a$X-b", "aquay.io/a*b/c:1.2-b", id="a variable"),
    pytest.param("${X}b", "quay.io/a*b/c:1.2b", id="braces"),
    pytest.param("a${NONE}$NONE", "a", id="no value is empty"),
    pytest.param("$", "$", id="a dollar sign alone"),
    pytest.param("$.x", "$.x", id="a dollar sign before no name"),
    pytest.param("\\$X", "$X", id="escaped"),
    pytest.param("'$X'", "$X", id="single quotes"),
    pytest.param('"$X"', "quay.io/a*b/c:1.2", id="double quotes"),
    pytest.param("'a\\'", "a\\", id="no escapes in single quotes"),
    pytest.param('"a\\b\\"\\$"', 'a\\b"$', id="few escapes in double quotes"),
    pytest.param("${NONE:-a}${EMPTY:-b}${X:-c}", "abquay.io/a*b/c:1.2", id="a default"),
    pytest.param("${NONE-a}${EMPTY-b}", "a", id="a default unless set"),
    pytest.param("${X:+a}${EMPTY:+b}${EMPTY+c}${NONE+d}", "ac", id="something else when set"),
    pytest.param("${NONE:-${X}}", "quay.io/a*b/c:1.2", id="nested"),
    pytest.param("${NONE:-'}'}", "}", id="a quoted brace"),
    pytest.param("${X#*/}", "a*b/c:1.2", id="shortest prefix"),
    pytest.param("${X##*/}", "c:1.2", id="longest prefix"),
    pytest.param("${X%.*}", "quay.io/a*b/c:1", id="shortest suffix"),
    pytest.param("${X%%.*}", "quay", id="longest suffix"),
    pytest.param("${X/a/z}", "quzy.io/a*b/c:1.2", id="replaced once"),
    pytest.param("${X//a/z}", "quzy.io/z*b/c:1.2", id="replaced everywhere"),
    pytest.param("${X#quay.io/a\\*}", "b/c:1.2", id="an escaped star"),
    pytest.param("$1$12", "one", id="digits"),
]

REFUSALS = [
    pytest.param('"a', id="double quote"),
    pytest.param("'a", id="single quote"),
    pytest.param("${X", id="brace"),
    pytest.param("${}", id="no name"),
    pytest.param("${X:-a", id="brace of a default"),
    pytest.param("${X!}", id="unknown operator"),
    pytest.param("${X:#a}", id="colon before a pattern"),
    pytest.param("${NONE:?}", id="must be set"),
    pytest.param("${X/a}", id="no replacement"),
    pytest.param("${X:-" * 5000 + "}" * 5000, id="nested without end"),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_means(text: str, meaning: str) -> None:
    assert expand(text, VALUES) == meaning


@given(st.text("ab*?\\", max_size=5), st.sampled_from(["#", "##", "%", "%%"]), st.text("ab", max_size=6))
@example("*a?*b", "%", "aabab")
def test_cuts_patterns_off_as_buildkit(oracle: Oracle, pattern: str, operator: str, value: str) -> None:
    assert_same(oracle, f"${{X{operator}{pattern}}}", {"X": value})


@given(st.text("ab*?\\", max_size=5), st.sampled_from(["/", "//"]), st.text("ab", max_size=6))
@example("*", "//", "ab")
@example("", "//", "ab")
@example("*", "//", "")
def test_replaces_patterns_as_buildkit(oracle: Oracle, pattern: str, operator: str, value: str) -> None:
    assert_same(oracle, f"${{X{operator}{pattern}/-}}", {"X": value})


def test_no_pattern_takes_for_ever() -> None:
    assert expand("${X%" + "*a" * 200 + "b}${X//" + "*a" * 200 + "b/}", {"X": "a" * 500}) == "a" * 1000
    with pytest.raises(InputError, match="at most"):
        expand("${X#*}", {"X": "a" * 10_000})


def test_the_escape_character_is_an_argument() -> None:
    assert expand("`$X\\", VALUES, "`") == "$X\\"


@pytest.mark.parametrize("text", REFUSALS)
def test_refuses(text: str) -> None:
    with pytest.raises(InputError):
        expand(text, VALUES)


PIECES = [
    "a", "b", "X", "$X", "${X}", "$NONE", "${NONE}", "${X:-", "${NONE:-", "${X:+", "${NONE-", "${X+",
    "${EMPTY:-", "${EMPTY-", "${X?", "${X#", "${X##", "${X%", "${X%%", "${X/", "${X//", "}", "{", "'", '"',
    "\\", "`", " ", "\t", "/", "*", "?", ":", "-", "é", "$", "_", "1", "${1}", "<<", "<", "#", "=",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), st.sampled_from("\\`"))
@example("${X//\\*/}", "\\")
@example("${X#**}", "\\")
@example('"${X%"*"}"', "\\")
def test_says_what_buildkit_says(oracle: Oracle, text: str, escape: str) -> None:
    assert_same(oracle, text, VALUES, escape)


def assert_same(oracle: Oracle, text: str, values: Mapping[str, str], escape: str = "\\") -> None:
    try:
        expected: str | None = oracle.word(text, values, escape)
    except Refused:
        expected = None
    try:
        ours: str | None = expand(text, values, escape)
    except InputError:
        ours = None
    assert ours == expected
