"""Which text in a Containerfile is the base, and that nothing but that text changes."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from layering.change import Change
from layering.containerfile import Match, pin_base
from layering.errors import InputError
from layering.reference import ImageReference
from tests.containerfile.buildkit import assert_only_the_base_changed
from tests.parts.oracle_client import Oracle

REPOSITORY = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
OLD = f"{REPOSITORY}@sha256:{'0' * 64}"
BASE = f"{REPOSITORY}@sha256:{'a' * 64}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """`{}` in `text` is where `old` stands before, and the base afterwards."""

    id: str
    text: str
    old: str = OLD
    line: int = 1
    matches: tuple[str, ...] = ()


CASES = [
    Case(id="pinned to an older digest", text="FROM {}\nRUN dnf install -y htop\n"),
    Case(id="a tag", text="FROM {}\n", old="quay.io/fedora/fedora-coreos:stable"),
    Case(id="a tag and a digest", text="FROM {}\n", old=f"{REPOSITORY}:4.19.1@sha256:{'0' * 64}"),
    Case(id="no tag", text="FROM {}\n", old="fedora-coreos"),
    Case(id="a mirror", text="FROM {}\n", old=f"mirror.example.com:5000/ocp/os@sha256:{'0' * 64}"),
    Case(id="the documentation's placeholder", text="FROM {}\n", old=f"{REPOSITORY}@sha256..."),
    Case(id="a placeholder in angle brackets", text="FROM {}\n", old=f"{REPOSITORY}@sha256:<replace_with_digest>"),
    Case(id="a placeholder alone", text="FROM {}\n", old="<base>"),
    Case(id="lower case, blanks, a name", text="from   {}\t as   final  \n"),
    Case(id="no newline at the end", text="FROM {}"),
    Case(id="Windows line ends", text="# a\r\nFROM {}\r\nRUN a \\\r\n  b\r\n", line=2),
    Case(id="a byte order mark", text="\ufeffFROM {}\n"),
    Case(
        id="comments and blank lines before", text="# FROM fedora:40\n\n  # Using a 4.18.0 image\n\nFROM {}\n", line=5
    ),
    Case(id="a platform", text="FROM --platform=linux/arm64 {} AS os\n"),
    Case(id="quotes", text='FROM "{}"\n'),
    Case(id="continued, a comment in between", text="FROM \\\n  # the OS\n\n  {} \\\n  AS os\nRUN x\n", line=4),
    Case(id="blanks behind the continuation mark", text="FROM \\ \t \n{}\n", line=2),
    Case(id="the escape directive", text="# escape=`\nFROM `\n  {} `\n  AS os\nRUN dir C:\\\nCOPY a b\n", line=3),
    Case(id="a comment that looks like the escape directive", text="# a comment\n# escape=`\nFROM \\\n{}\n", line=4),
    Case(id="a syntax directive", text="# syntax=docker/dockerfile:1\n# check=error=true\nFROM {}\n", line=3),
    Case(
        id="a heredoc with FROM in it",
        text="FROM {}\nRUN <<EOF\nFROM fedora:40\nEOF\nCOPY <<A <<-'B' /x/\nFROM a\nA\nFROM b\n\tB\n",
    ),
    Case(id="ONBUILD with a heredoc", text="FROM {}\nONBUILD RUN <<EOF\nFROM fedora:40\nEOF\n"),
    Case(id="a comment within RUN", text="FROM {}\nRUN a && \\\n# FROM fedora:40\n  b\n"),
    Case(id="builder image by COPY", text="FROM {}\nCOPY --from=golang:1.22 /usr/local/go /usr/local/go\n"),
    Case(id="builder image by mount", text="FROM {}\nRUN --mount=from=registry.example.com/tools,target=/t /t/run\n"),
    Case(
        id="a builder stage", text="FROM golang:1.22 AS build\nRUN go build\nFROM {}\nCOPY --from=build /a /a\n", line=3
    ),
    Case(id="the base is not the last stage", text="FROM {} AS os\nFROM fedora:41\nCOPY --from=os /a /a\n"),
    Case(id="the last stage is an earlier one", text="FROM {} AS os\nRUN a\nFROM os AS final\nRUN b\nFROM OS\n"),
    Case(id="scratch is no base", text="FROM scratch AS files\nCOPY a /\nFROM {}\n", line=3),
    Case(
        id="the base's repository under another tag",
        text="FROM fedora:41 AS a\nFROM {}\n",
        old=f"{REPOSITORY}:4.18",
        line=2,
    ),
    Case(
        id="the base's repository as a placeholder",
        text="FROM fedora:41 AS a\nFROM {}\n",
        old=f"{REPOSITORY}@sha256...",
        line=2,
    ),
    Case(id="an ARG's default", text="ARG BASE={}\nFROM ${{BASE}}\n"),
    Case(id="an ARG's default, no braces", text="ARG BASE={}\nFROM $BASE AS os\n"),
    Case(id="an ARG's default in quotes", text='ARG OTHER=1\nARG BASE="{}"\nFROM "${{BASE}}"\n', line=2),
    Case(id="an ARG's default in single quotes", text="ARG BASE='{}'\nFROM ${{BASE}}\n"),
    Case(id="an ARG among others", text="ARG A=1 BASE={} C\nFROM ${{BASE}}\n"),
    Case(
        id="an ARG on the second line of several", text="ARG A=1 \\\n    BASE={} \\\n    C=3\nFROM ${{BASE}}\n", line=2
    ),
    Case(
        id="an ARG whose default names another",
        text="ARG REGISTRY=quay.io\nARG BASE={}\nFROM $BASE\n",
        old="${REGISTRY}/x/os:1",
        line=2,
    ),
    Case(id="an ARG declared twice: the last one counts", text="ARG BASE=a\nARG BASE={}\nFROM $BASE\n", line=2),
    Case(id="an ARG of a stage feeds no FROM", text="ARG BASE={}\nFROM $BASE\nARG BASE=fedora:41\nRUN echo $BASE\n"),
    Case(id="an unused ARG", text=f"ARG UNUSED={OLD}\nFROM {{}}\n", line=2),
    Case(id="an ARG for the tag only", text="ARG TAG=4.19\nFROM {}\n", old="quay.io/acme/os:${TAG}", line=2),
    Case(
        id="ARGs for registry and digest", text="ARG R=quay.io\nARG D\nFROM {} AS os\n", old="${R}/acme/os@${D}", line=3
    ),
    Case(id="a default in FROM", text="ARG BASE\nFROM {}\n", old="${BASE:-quay.io/acme/os:1}", line=2),
    Case(
        id="an ARG without a default for the tag",
        text="ARG TAG\nFROM fedora AS a\nFROM {}\n",
        old=f"{REPOSITORY}:${{TAG}}",
        line=3,
    ),
    Case(
        id="--match by repository",
        text="FROM golang:1.22\nFROM {}\n",
        old="mirror.example.com/os:1",
        line=2,
        matches=("mirror.example.com/os",),
    ),
    Case(
        id="--match by repository of a placeholder",
        text="FROM golang:1.22\nFROM {}\n",
        old="mirror.example.com/os@sha256...",
        line=2,
        matches=("mirror.example.com/os",),
    ),
    Case(
        id="--match by stage",
        text="FROM golang:1.22\nFROM {} AS Os\n",
        old="mirror.example.com/os:1",
        line=2,
        matches=("stage:os",),
    ),
    Case(
        id="--match by ARG",
        text="ARG BASE={}\nFROM golang:1.22\nFROM $BASE\n",
        old="mirror.example.com/os:1",
        matches=("arg:BASE",),
    ),
    Case(
        id="--match wins over the repository",
        text=f"FROM {OLD} AS dtk\nFROM {{}} AS os\n",
        old=f"{REPOSITORY}:os",
        line=2,
        matches=("stage:os",),
    ),
]


# Texts that stay as they are; the base must come with the build instead.
BY_ARGUMENT = [
    pytest.param("ARG BASE\nFROM $BASE\n", {}, ("BASE",), id="no default"),
    pytest.param("ARG BASE\nARG X=1\nFROM ${BASE} AS a\nFROM ${BASE} AS b\n", {}, ("BASE",), id="in two stages"),
    pytest.param("ARG BASE=fedora\nARG BASE\nFROM $BASE\n", {}, ("BASE",), id="declared again without a default"),
    pytest.param("ARG BASE=a\nFROM $BASE\n", {"BASE": "b"}, ("BASE",), id="the build is given another value"),
    pytest.param("ARG A\nARG B\nFROM $A\nFROM $B\n", {"A": OLD, "B": OLD}, ("A", "B"), id="two, given the same value"),
]

# Texts that name the base already, each in its own way.
NOTHING_TO_DO = [
    pytest.param(f"FROM {BASE}\n", id="as it would be written"),
    pytest.param(f"FROM {BASE.replace('@', ':4.19.2@')}\n", id="with a tag"),
    pytest.param(f"ARG R=quay.io\nARG D={BASE.partition('@')[2]}\nFROM $R/{REPOSITORY[8:]}@$D\n", id="put together"),
    pytest.param(f"FROM {BASE} AS a\nFROM fedora\nFROM {BASE} AS b\n", id="in two stages"),
]


def pin(
    text: str, *matches: str, given: Mapping[str, str] | None = None
) -> tuple[str, tuple[Change, ...], Mapping[str, str]]:
    pinned = pin_base(text, ImageReference.parse(BASE), [Match.parse(match) for match in matches], given)
    return pinned.text, pinned.changes, pinned.build_args


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_pins(case: Case) -> None:
    text, changes, build_args = pin(case.text.format(case.old), *case.matches)
    assert text == case.text.format(BASE)
    assert changes == (Change(line=case.line, old=case.old, new=BASE),)
    assert build_args == {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_changes_nothing_the_second_time(case: Case) -> None:
    assert pin(case.text.format(BASE), *case.matches) == (case.text.format(BASE), (), {})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_buildkit_sees_the_base_changed_and_nothing_else(case: Case, oracle: Oracle) -> None:
    assert_only_the_base_changed(oracle, case.text.format(case.old), case.text.format(BASE), BASE)


@pytest.mark.parametrize(("text", "given", "names"), BY_ARGUMENT)
def test_asks_for_build_arguments(text: str, given: dict[str, str], names: tuple[str, ...], oracle: Oracle) -> None:
    assert pin(text, given=given) == (text, (), dict.fromkeys(names, BASE))
    stages = oracle.containerfile(text, {**given, **dict.fromkeys(names, BASE)}).stages
    assert [stage.expanded for stage in stages] == [BASE] * len(stages)


@pytest.mark.parametrize("text", NOTHING_TO_DO)
def test_leaves_a_pinned_base_in_its_spelling(text: str) -> None:
    assert pin(text) == (text, (), {})


def test_moves_both_stages_from_the_same_base() -> None:
    text, changes, _ = pin(
        f"FROM {OLD} AS kernel\nRUN a\nFROM fedora AS tools\n\nFROM {OLD}\nCOPY --from=kernel /a /\n"
    )
    assert text == f"FROM {BASE} AS kernel\nRUN a\nFROM fedora AS tools\n\nFROM {BASE}\nCOPY --from=kernel /a /\n"
    assert [change.line for change in changes] == [1, 5]


def test_moves_several_bases_when_each_is_named() -> None:
    text, changes, _ = pin("FROM a/os AS a\nFROM b/os AS b\nFROM c/os\n", "stage:a", "docker.io/b/os")
    assert text == f"FROM {BASE} AS a\nFROM {BASE} AS b\nFROM c/os\n"
    assert [change.line for change in changes] == [1, 2]


def test_writes_a_name_of_several_lines_on_one() -> None:
    text, changes, _ = pin("FROM quay.io/\\\nacme/\\\nos:1 AS x\nRUN a\n")
    assert text == f"FROM {BASE} AS x\nRUN a\n"
    assert changes == (Change(line=1, old="quay.io/acme/os:1", new=BASE),)


def test_fills_an_empty_default() -> None:
    assert pin("ARG BASE=\nFROM $BASE\n")[0] == f"ARG BASE={BASE}\nFROM $BASE\n"


def test_does_not_write_the_tag_of_the_base() -> None:
    tagged = ImageReference.parse(BASE.replace("@", ":4.19.2@"))
    assert pin_base("FROM fedora\n", tagged).text == f"FROM {BASE}\n"


def test_wants_a_base_with_a_digest() -> None:
    with pytest.raises(InputError, match="is not pinned"):
        pin_base("FROM fedora\n", ImageReference.parse(f"{REPOSITORY}:4.19"))
