"""buildkit reads the same stages and global ARGs as we do, and sees nothing but the base change when it is pinned."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.containerfile import pin_base
from layering.containerfile_stages import parse
from layering.errors import InputError
from layering.reference import ImageReference
from tests.parts.oracle_client import Oracle, Refused

BASE = ImageReference.parse("quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:" + "a" * 64)

TEXTS = [
    pytest.param("FROM a\n", id="one stage"),
    pytest.param("FROM a", id="no newline at the end"),
    pytest.param("# FROM x\n\n  # y\nFROM a AS B\n# FROM z\nFROM b\n", id="comments"),
    pytest.param("FROM a\r\nRUN x \\\r\n  y\r\nFROM b AS c\r\n", id="Windows line ends"),
    pytest.param("\ufeffFROM a\n", id="a byte order mark"),
    pytest.param("\ufeff# escape=`\nFROM `\n a\n", id="a byte order mark before a directive"),
    pytest.param("# escape=`\nFROM `\n  a `\n as b\nRUN dir C:\\\nFROM c\n", id="the escape directive"),
    pytest.param("# syntax=x/y:1\n# escape=`\nFROM `\na\n", id="escape behind another directive"),
    pytest.param("#escape = `  \nFROM `\na\n", id="the escape directive, blanks"),
    pytest.param("# ESCAPE=`\nFROM `\na\n", id="the escape directive, upper case"),
    pytest.param("# x\n# escape=`\nFROM \\\na\n", id="no directive behind a comment"),
    pytest.param("\n# escape=`\nFROM \\\na\n", id="no directive behind a blank line"),
    pytest.param("# unknown=1\n# escape=`\nFROM \\\na\n", id="a comment that looks like a directive"),
    pytest.param("FROM \\\n# comment\n\n a \\\n\n AS b\n", id="comments and blank lines within"),
    pytest.param("FROM a\nRUN x \\\n# y \\\n  z\nFROM b\n", id="a comment that ends in a mark"),
    pytest.param("FROM a \\ \t\n AS b\n", id="blanks behind the mark"),
    pytest.param("FROM a\nRUN x \\\\\nFROM b\n", id="an escaped escape is no mark"),
    pytest.param("FR\\\nOM a\n", id="a keyword over two lines"),
    pytest.param("FROM quay.io/a\\\n/b:1\n", id="a name over two lines"),
    pytest.param("FROM a\nRUN x \\", id="a mark at the end of the file"),
    pytest.param("from a as B\nFrom b\n", id="lower case"),
    pytest.param("\t FROM \t a\t as\tb \t\n", id="tabs and blanks"),
    pytest.param("FROM --platform=linux/arm64 a AS b\n", id="a platform"),
    pytest.param("FROM --platform=$BUILDPLATFORM a\n", id="a platform variable"),
    pytest.param('FROM "a" AS b\n', id="quotes"),
    pytest.param("FROM 'a'\n", id="single quotes"),
    pytest.param("ARG A=\"x y\"\nARG B='$A'\nFROM a\n", id="ARGs in quotes"),
    pytest.param("ARG A=1 B C=$A\nARG A=2\nFROM a:$A-$C\n", id="several ARGs"),
    pytest.param("ARG A=1 \\\n  B=2\nFROM a:${B:-x}\n", id="ARGs over two lines"),
    pytest.param("ARG A\nFROM ${A:-a}\nARG A=3\nFROM b\n", id="a default in FROM"),
    pytest.param("ARG A=\nFROM a${A:+x}b\n", id="an empty ARG"),
    pytest.param("ARG A=v1.2.3\nFROM a:${A#v}\nFROM a:${A%.3}\nFROM a:${A/2/9}\n", id="patterns"),
    pytest.param("FROM a\nRUN <<EOF\nFROM x\nEOF\nFROM b\n", id="a heredoc"),
    pytest.param("FROM a\nRUN <<-EOF\n\tFROM x\n\tEOF\nFROM b\n", id="a heredoc with tabs"),
    pytest.param("FROM a\nRUN <<'EOF' <<\"B\"\nFROM x\nEOF\nFROM y\nB\nFROM b\n", id="two heredocs, quoted"),
    pytest.param("FROM a\nCOPY <<x /x\nFROM x\nx\nFROM b\n", id="a heredoc of COPY"),
    pytest.param("FROM a\nONBUILD RUN <<E\nFROM x\nE\nFROM b\n", id="a heredoc of ONBUILD"),
    pytest.param("FROM a\nRUN echo '<<EOF'\nFROM b\n", id="no heredoc in quotes"),
    pytest.param("FROM a\nRUN echo a<<b\nFROM b\n", id="no heredoc within a word"),
    pytest.param("FROM a\nRUN x <<EOF && y\\\nFROM x\nEOF\nFROM b\n", id="a heredoc behind a mark"),
    pytest.param("FROM a\nRUN <<EOF\n# FROM x\n\n\\\nEOF\nFROM b\n", id="comments and marks in a heredoc"),
    pytest.param("FROM a\nRUN <<EOF\nFROM x\n", id="an unfinished heredoc"),
    pytest.param("FROM a\nLABEL x=<<EOF\nFROM b\n", id="only ADD, COPY and RUN have heredocs"),
    pytest.param('FROM a\nRUN ["<<EOF"]\nFROM b\n', id="the JSON form has no heredoc"),
    pytest.param("FROM\n", id="FROM nothing"),
    pytest.param("FROM a AS\n", id="AS nothing"),
    pytest.param("FROM a AS b c\n", id="too many words"),
    pytest.param("FROM ${a\n", id="an unfinished variable"),
    pytest.param('FROM "a\n', id="an unfinished quote"),
    pytest.param("ARG 1=2\nFROM a\n", id="an ARG that starts with a digit"),
]

# What buildkit refuses and we read: whoever builds it will hear of it, and pinning it does no harm.
REFUSED_BY_BUILDKIT_ALONE = [
    pytest.param("FROM a AS 1b\n", id="a stage name that starts with a digit"),
    pytest.param("FROM a AS b/c\n", id="a stage name with a slash"),
    pytest.param("FROM --unknown=1 a\n", id="an unknown flag"),
    pytest.param("RUN x\nFROM a\n", id="an instruction before FROM"),
    pytest.param("ARG\nFROM a\n", id="an ARG without a name"),
    pytest.param("ARG =x\nFROM a\n", id="an ARG with an empty name"),
]

Stages = tuple[tuple[str, str, str, str, int], ...]
GlobalArgs = tuple[tuple[str, str | None], ...]


def ours(text: str) -> tuple[Stages, GlobalArgs] | None:
    """What we read: name, base, base expanded, platform and line of each stage; None when we refuse."""
    try:
        read = parse(text)
    except InputError:
        return None
    stages = tuple((s.name or "", s.base.text, s.base_expanded, s.platform or "", s.line) for s in read.stages)
    return stages, tuple((arg.name, arg.value) for arg in read.global_args)


def buildkits(oracle: Oracle, text: str) -> tuple[Stages, GlobalArgs] | None:
    """The same of buildkit."""
    try:
        read = oracle.containerfile(text)
    except Refused:
        return None
    stages = tuple((s.name, s.base, s.expanded, s.platform, s.line) for s in read.stages)
    return (stages, read.global_args) if stages else None


@pytest.mark.parametrize("text", TEXTS)
def test_reads_as_buildkit_does(oracle: Oracle, text: str) -> None:
    assert ours(text) == buildkits(oracle, text)


@pytest.mark.parametrize("text", REFUSED_BY_BUILDKIT_ALONE)
def test_reads_what_buildkit_refuses(oracle: Oracle, text: str) -> None:
    assert ours(text)
    with pytest.raises(Refused):
        oracle.containerfile(text)


LINES = [
    "FROM a\n",
    "FROM a AS b\n",
    "from $A as c\r\n",
    "FROM b\n",
    "FROM --platform=x a:${B:-1}\n",
    "FROM \\\n",
    "FROM `\n",
    "ARG A=1\n",
    "ARG A='x' B\n",
    "# c\n",
    "\n",
    "# escape=`\n",
    "`\n",
    "\\\n",
    " x\n",
    " ",
    "RUN x \\\n",
    "RUN <<E\n",
    "RUN <<-E <<F\n",
    'RUN ["a", "<<E"]\n',
    "RUN 'a <<E\n",
    "RUN a <<E b\n",
    "E\n",
    "\tE\n",
    "F\n",
    "COPY --from=b x y\n",
    "ONBUILD RUN <<E\n",
    "ENV a=<<E\n",
    'LABEL a="b \\\n',
    '"\n',
]
containerfiles = st.lists(st.sampled_from(LINES), max_size=10).map("".join)


@given(containerfiles)
def test_reads_anything_as_buildkit_does(oracle: Oracle, text: str) -> None:
    expected = buildkits(oracle, text)
    assert expected is None or ours(text) == expected


@given(containerfiles)
def test_buildkit_sees_only_the_base_change(oracle: Oracle, text: str) -> None:
    try:
        before, pinned = oracle.containerfile(text), pin_base(text, BASE)
    except (Refused, InputError):
        return
    after = oracle.containerfile(pinned.text, pinned.build_args)
    stages = list(zip(before.stages, after.stages, strict=True))
    changed = {(old.expanded, new.expanded) for old, new in stages if old.expanded != new.expanded}
    assert [new for _, new in changed] == [str(BASE)]
    assert all(replace(old, base="", expanded="") == replace(new, base="", expanded="") for old, new in stages)
