"""A text as instructions: where each begins and ends, what is part of it, and that buildkit sees the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layering.containerfile_text import Instruction, read_text
from layering.errors import InputError
from tests.parts.oracle_client import Oracle, Refused

READINGS = [
    pytest.param("FROM a\nRUN b\n", ["1 FROM a", "2 RUN b"], id="one a line"),
    pytest.param("from a\nRuN b", ["1 FROM a", "2 RUN b"], id="any case, no newline at the end"),
    pytest.param("\ufeffFROM a\r\nRUN b\r\n", ["1 FROM a", "2 RUN b"], id="Windows line ends"),
    pytest.param("# c\n\n \t# d\nFROM a\n", ["4 FROM a"], id="comments and blank lines"),
    pytest.param("RUN a \\\n# c\n\n  # d\n  b \\\nc\nUSER x\n", ["1 RUN a   b c", "7 USER x"], id="comments within"),
    pytest.param("RUN a \\ \t\nb\n", ["1 RUN a b"], id="blanks behind the mark"),
    pytest.param("RUN a \\\\\nUSER b\n", ["1 RUN a \\\\", "2 USER b"], id="an escaped mark does not continue"),
    pytest.param("RUN a \\\n", ["1 RUN a"], id="continued into nothing"),
    pytest.param("# escape=`\nRUN a `\n b\\\nUSER c\n", ["2 RUN a  b\\", "4 USER c"], id="the escape directive"),
    pytest.param("# syntax=x\n# Escape = `\nRUN a `\nb\n", ["3 RUN a b"], id="the second directive"),
    pytest.param("\n# escape=`\nRUN a \\\nb\n", ["3 RUN a b"], id="no directive"),
    pytest.param("RUN <<EOF\nFROM a\nEOF\nUSER b\n", ["1 RUN <<EOF", "4 USER b"], id="a heredoc"),
    pytest.param("COPY <<A <<-'B C' /\nx\nA\n\tB C\nUSER b\n", ["1 COPY <<A <<-'B C' /", "5 USER b"], id="heredocs"),
    pytest.param("RUN <<EOF\r\nx\r\nEOF\r\nUSER b\r\n", ["1 RUN <<EOF", "4 USER b"], id="of Windows"),
    pytest.param("ONBUILD RUN <<EOF\nEOF\nUSER b\n", ["1 ONBUILD RUN <<EOF", "3 USER b"], id="of ONBUILD"),
    pytest.param('RUN ["<<EOF"]\nUSER b\n', ['1 RUN ["<<EOF"]', "2 USER b"], id="JSON has no heredocs"),
    pytest.param('RUN "<<EOF" <<<x\nUSER b\n', ['1 RUN "<<EOF" <<<x', "2 USER b"], id="no heredoc"),
    pytest.param("RUN it's <<EOF\nUSER b\n", ["1 RUN it's <<EOF", "2 USER b"], id="an open quote"),
    pytest.param("LABEL a=<<EOF\nUSER b\n", ["1 LABEL a=<<EOF", "2 USER b"], id="no heredoc of LABEL"),
    pytest.param("COPY --from=a --chmod=0755 b /\n", ["1 COPY [--from=a --chmod=0755] b /"], id="flags"),
    pytest.param('RUN --mount="a b" -- --c\n', ["1 RUN [--mount=a b] --c"], id="quoted flags, and their end"),
]


def shown(instruction: Instruction) -> str:
    flags = f"[{' '.join(instruction.flags)}] " if instruction.flags else ""
    return f"{instruction.line} {instruction.keyword} {flags}{instruction.arguments}"


@pytest.mark.parametrize(("text", "readings"), READINGS)
def test_reads(text: str, readings: list[str]) -> None:
    assert [shown(instruction) for instruction in read_text(text).instructions] == readings


@pytest.mark.parametrize(("text", "readings"), READINGS)
def test_buildkit_reads_the_same(text: str, readings: list[str], oracle: Oracle) -> None:
    assert_reads_as_buildkit(oracle, text)


def test_refuses_a_text_that_is_much_too_long() -> None:
    with pytest.raises(InputError, match="larger than"):
        read_text("#" * (1024 * 1024 + 1))


PIECES = [
    "FROM ", "from ", "RUN ", "COPY ", "ADD ", "ARG ", "ONBUILD ", "CMD ", "USER ", "x", "quay.io/x:1 ", "AS b",
    "A=1", "--platform=a ", "--from=b ", '--mount="a b" ', "-- ", "--", "\\", "\\\n", "`\n", "\\ \t\n", "\n",
    "\n", "\n", "\r\n", "#", "# c\n", "  # FROM q\n", "<<EOF", "<<-EOF", "<<'E F'", "<< EOF", "2<<EOF", "EOF\n",
    "\tEOF\n", "E F\n", '"', "'", "`", "$", "${X}", "${X%a}", "${a[0]}", "[", "]", '["a"]', '["<<EOF"]', " ",
    "\t", "\x0b", "\x1c", "\xa0", "\x85", "\ufeff", "é", "<", "&& ", "# escape=`\n", "# syntax=a\n",
    "#escape = \\\n", "# check=x\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
@example("COPY <<'E F'${X%a}\nx\n")
@example("RUN \\\n\\\n")
def test_reads_any_text_as_buildkit(oracle: Oracle, text: str) -> None:
    assert_reads_as_buildkit(oracle, text)


# What buildkit refuses in an instruction that is none of this reader's business.
VALIDATION = ("no instructions", "name=value", "two arguments", "arrays must be comprised of strings only")


def assert_reads_as_buildkit(oracle: Oracle, text: str) -> None:
    try:
        escape, lines = oracle.lines(text)
    except Refused as refused:
        if not any(fault in str(refused) for fault in VALIDATION):
            with pytest.raises(InputError):
                read_text(text)
        return
    read = read_text(text)
    assert read.escape == escape
    assert [(i.keyword, i.flags, i.line, i.heredocs) for i in read.instructions] == [
        (line.keyword, _as_bytes(line.flags), line.line, line.heredocs) for line in lines
    ]
    for instruction, line in zip(read.instructions, lines, strict=True):
        assert line.text in (None, instruction.arguments)
        assert_stands_where_it_says(text, instruction, escape)


def _as_bytes(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Undoes what buildkit does to flags: it takes each of their bytes for a character."""
    return tuple(flag.encode("latin-1").decode() for flag in flags)


def assert_stands_where_it_says(text: str, instruction: Instruction, escape: str) -> None:
    for word in (*instruction.words(escape), *instruction.blank_separated()):
        assert text[word.start] == word.text[0]
        assert text[word.end - 1] == word.text[-1]
        assert text.count("\n", 0, word.start) + 1 == word.line
