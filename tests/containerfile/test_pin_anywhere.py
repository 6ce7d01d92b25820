"""Containerfiles made of every form a base, a decoy and a line can have: only the marked places change, byte for byte.

A text is made with MARK where it names the base. With MARK replaced it is what goes in, and what must come out.
"""

from hypothesis import given
from hypothesis import strategies as st

from layering.containerfile import pin_base
from layering.reference import ImageReference
from tests.containerfile.buildkit import assert_only_the_base_changed
from tests.parts.oracle_client import Oracle

MARK = "\0"
REPOSITORY = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
BASE = f"{REPOSITORY}@sha256:{'a' * 64}"
OLD_BASES = [
    f"{REPOSITORY}@sha256:{'0' * 64}",
    f"{REPOSITORY}:4.19",
    f"{REPOSITORY}:4.19@sha256:{'0' * 64}",
    REPOSITORY,
    f"{REPOSITORY}@sha256...",
    f"{REPOSITORY}@sha256:<replace>",
]

# CONTINUE is a continuation mark with its line end, JOIN one with a comment or an empty line behind it.
CONTINUE, JOIN, ESCAPE = "\1", "\2", "\3"

BASES = [MARK, f'"{MARK}"', "$BASE", "${BASE}", '"${BASE}"']
ARGS = [
    "ARG BASE={}\n",
    'ARG BASE="{}"\n',
    "ARG OTHER=1 BASE='{}' MORE\n",
    f"ARG OTHER=1 {CONTINUE}  BASE={{}} {JOIN} MORE=2\n",
    "ARG BASE=fedora\narg BASE={}\n",
]
BUILDERS = ["golang:1.22", "registry.example.com/tools@sha256:" + "b" * 64, "scratch", "quay.io/$NONE/x", "'fedora'"]
FROMS = [
    "FROM {}",
    "from   {}",
    "From --platform=linux/arm64 {}",
    "\tFROM {} \t",
    f"FROM {CONTINUE} {{}}",
    f"FROM {JOIN}{{}}",
]
DECOY = OLD_BASES[0]
LINES = [
    "RUN a\n",
    "\n",
    f"# FROM {DECOY}\n",
    f"RUN a {JOIN} b {CONTINUE}  c\n",
    f"COPY --from={DECOY} /a /b\n",
    f"RUN --mount=type=bind,from={DECOY},target=/x /x/run\n",
    f"RUN <<EOF\nFROM {DECOY}\nEOF\n",
    f"COPY <<A <<-'B' /x/\nFROM {DECOY}\nA\nARG BASE={DECOY}\n\tB\n",
    f"ONBUILD RUN <<EOF\nFROM {DECOY}\nEOF\n",
    f"ARG BASE={DECOY}\n",
    f"LABEL base={DECOY} note='FROM it'\n",
    f"ENV BASE {DECOY}\n",
    f"RUN echo {ESCAPE}{ESCAPE}\n",
]
HEADS = [
    "",
    "# a comment\n",
    "\n\n",
    "# syntax=docker/dockerfile:1\n",
    f"# Using {DECOY}\n",
    "ARG UNUSED=1\n",
    "ARG NONE\n",
]


AFTER_MARK = ["", " ", " \t"]
BETWEEN_LINES = ["# FROM x\n", "\n", "  \n   # a\n"]


@st.composite
def stages(draw: st.DrawFn) -> str:
    """One stage or several, at least one of them FROM the base."""
    parts: list[str] = []
    names: list[str] = []
    for number, wanted in enumerate(draw(st.lists(st.booleans(), min_size=1, max_size=4).filter(any))):
        base = draw(st.sampled_from(BASES if wanted else [*BUILDERS, *names]))
        name = draw(st.sampled_from(["", f" AS s{number}", f"\tas {CONTINUE} S{number}", f" {JOIN} As s{number}"]))
        parts.append(draw(st.sampled_from(FROMS)).format(base + name) + "\n")
        names += [f"s{number}"] if name else []
        parts += draw(st.lists(st.sampled_from(LINES), max_size=3))
    return "".join(parts)


@st.composite
def containerfiles(draw: st.DrawFn) -> str:
    """A whole text: directive, comments, ARGs, stages; its escape character, line ends and last line vary."""
    escape = draw(st.sampled_from("\\`"))
    directive = f"# escape={escape}\n" if escape == "`" or draw(st.booleans()) else ""
    head, body = draw(st.sampled_from(HEADS)), draw(stages())
    arg = draw(st.sampled_from(ARGS)).format(MARK) if "$BASE" in body or "${BASE" in body else ""
    text = (directive + head + arg + body).replace(ESCAPE, escape)
    text = text.replace(CONTINUE, f"{escape}{draw(st.sampled_from(AFTER_MARK))}\n")
    text = text.replace(JOIN, f"{escape}\n{draw(st.sampled_from(BETWEEN_LINES))}")
    text = draw(st.sampled_from(["", "\ufeff"])) + text
    text = text.removesuffix("\n") if draw(st.booleans()) else text
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@given(containerfiles(), st.sampled_from(OLD_BASES))
def test_only_the_base_changes(oracle: Oracle, text: str, old: str) -> None:
    before, after = text.replace(MARK, old), text.replace(MARK, BASE)
    pinned = pin_base(before, ImageReference.parse(BASE))
    assert pinned.text == after
    assert [(change.line, change.old, change.new) for change in pinned.changes] == [
        (line, old, BASE) for line in lines_of_marks(text)
    ]
    assert_only_the_base_changed(oracle, before, after, BASE)


@given(containerfiles())
def test_the_second_time_nothing_changes(text: str) -> None:
    pinned = pin_base(text.replace(MARK, BASE), ImageReference.parse(BASE))
    assert pinned.text == text.replace(MARK, BASE)
    assert pinned.changes == ()


def lines_of_marks(text: str) -> list[int]:
    return [number for number, line in enumerate(text.split("\n"), start=1) for _ in range(line.count(MARK))]
