"""What a Containerfile says to the composer: file steps and configuration, or a refusal with its line."""

from typing import Any

import pytest

from layering.containerfile_text import read_text
from layering.reference import ImageReference
from pipeline.builders.imageconfig import ConfigState
from pipeline.builders.interpreter import CopyStep, Reading, WorkdirStep, interpret
from pipeline.builders.refusal import RefusalReason

BASE = ImageReference.parse(f"quay.io/acme/os@sha256:{'a' * 64}")
FROM = f"FROM {BASE}"


def state(**inner: Any) -> ConfigState:
    return ConfigState(
        base_env={"PATH": "/bin", "X": "1"}, labels={"base": "b"}, inner={"Cmd": ["/bin/sh"], **inner}, author=None
    )


def copy(
    *,
    sources: tuple[str, ...],
    destination: str,
    owner: tuple[int, int] = (0, 0),
    mode: int | None = None,
    extracts: bool = False,
) -> CopyStep:
    return CopyStep(
        line=2,
        sources=sources,
        destination=destination,
        owner=owner,
        mode=mode,
        extracts=extracts,
        base_working_directory="/w",
    )


def read(changed: ConfigState, *lines: str, build_args: dict[str, str] | None = None) -> Reading:
    instructions = read_text("\n".join(lines)).instructions
    return interpret(instructions, changed, build_args or {}, base=BASE)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("COPY a /b", copy(sources=("a",), destination="/b", owner=(0, 0), mode=None, extracts=False)),
        ("ADD a b/", copy(sources=("a",), destination="/w/b/", owner=(0, 0), mode=None, extracts=True)),
        (
            "COPY --chown=1:2 --chmod=0750 a b .",
            copy(sources=("a", "b"), destination="/w/", owner=(1, 2), mode=0o750, extracts=False),
        ),
        (
            'COPY ["a b","/c d"]',
            copy(sources=("a b",), destination="/c d", owner=(0, 0), mode=None, extracts=False),
        ),
        (
            "COPY $X.conf /${X}/",
            copy(sources=("1.conf",), destination="/1/", owner=(0, 0), mode=None, extracts=False),
        ),
        ("WORKDIR sub/../x", WorkdirStep(line=2, path="/w/x", user="")),
        ("WORKDIR /a/", WorkdirStep(line=2, path="/a/", user="")),
        ("WORKDIR /a/../b c", WorkdirStep(line=2, path="/a/../b c", user="")),
        ("COPY $NONE.x /b", copy(sources=(".x",), destination="/b")),
        ("COPY a\\ b /c", copy(sources=("a", "b"), destination="/c")),
        ("COPY [a b] /c/", copy(sources=("[a", "b]"), destination="/c/")),
        ("COPY --chown=7 a /b", copy(sources=("a",), destination="/b", owner=(7, 7))),
        ("COPY --chown=$X:$X --chmod=${X}77 a /b", copy(sources=("a",), destination="/b", owner=(1, 1), mode=0o177)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_file_steps(line: str, expected: CopyStep | WorkdirStep) -> None:
    reading = read(state(WorkingDir="/w"), FROM, line)
    kept = () if isinstance(expected, WorkdirStep) else (WorkdirStep(line=2, path="/w", user=""),)
    assert reading == Reading(steps=(expected, *kept), refusals=())


def test_the_working_directory_of_the_base_is_kept_after_the_first_instruction() -> None:
    changed = state(WorkingDir="/w", User="5")
    assert read(changed, FROM).steps == ()
    assert interpret(read_text(FROM).instructions, changed, {}, base=BASE, labelled=True).steps == (
        WorkdirStep(line=0, path="/w", user="5"),
    )
    assert read(state(WorkingDir="/w"), FROM, "CMD x", "CMD y").steps == (WorkdirStep(line=2, path="/w", user=""),)


@pytest.mark.parametrize(
    ("lines", "key", "expected"),
    [
        pytest.param(["CMD x y"], "Cmd", ["/bin/sh", "-c", "x y"], id="shell form"),
        pytest.param(['CMD ["x", "$X"]'], "Cmd", ["x", "$X"], id="exec form, where no variable is put in"),
        pytest.param(["ENTRYPOINT x"], "Cmd", None, id="ENTRYPOINT drops the base's Cmd"),
        pytest.param(["CMD q", "ENTRYPOINT x"], "Cmd", ["/bin/sh", "-c", "q"], id="and keeps one of its own"),
        pytest.param(["EXPOSE 80 81/udp"], "ExposedPorts", {"80/tcp": {}, "81/udp": {}}, id="ports"),
        pytest.param(["USER 1000"], "User", "1000", id="user"),
        pytest.param(["STOPSIGNAL SIGTERM"], "StopSignal", "SIGTERM", id="stop signal"),
        pytest.param(["WORKDIR /a", "WORKDIR b"], "WorkingDir", "/a/b", id="relative working directory"),
    ],
)
def test_configuration(lines: list[str], key: str, expected: object) -> None:
    changed = state()
    assert read(changed, FROM, *lines).refusals == ()
    assert changed.inner.get(key) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["ENV A=$X:2 B=$X"], {"A": "1:2", "B": "1"}, id="variables of the base"),
        pytest.param(["ENV A=2", "ENV B=$A"], {"A": "2", "B": "2"}, id="one after the other"),
        pytest.param(["ENV X=2 B=$X"], {"X": "2", "B": "1"}, id="within one instruction the old value"),
        pytest.param(["ARG V=7", "ENV A=$V"], {"A": "7"}, id="an argument's default"),
        pytest.param(["ARG X=7", "ENV A=$X"], {"A": "1"}, id="ENV wins over ARG"),
        pytest.param(["ARG GIVEN=no", "ENV A=$GIVEN"], {"A": "yes"}, id="a build argument"),
        pytest.param(["ARG G", "ENV A=$G"], {"A": "global"}, id="an argument from before FROM"),
    ],
)
def test_environment(lines: list[str], expected: dict[str, str]) -> None:
    changed = state()
    reading = read(changed, "ARG G=global", FROM, *lines, build_args={"GIVEN": "yes"})
    assert reading.refusals == ()
    assert {name: changed.env[name] for name in expected} == expected


def test_a_variable_that_is_set_again_moves_to_the_end() -> None:
    changed = state()
    read(changed, FROM, "ENV PATH=/x")
    assert list(changed.env) == ["X", "PATH"]


def test_labels_and_author() -> None:
    changed = state()
    read(changed, FROM, """LABEL "k k"=v l="a $X" m='$X' base=new""", "MAINTAINER Jo <jo@example.com>")
    assert changed.labels == {"base": "new", "k k": "v", "l": "a 1", "m": "$X"}
    assert changed.author == "Jo <jo@example.com>"


def test_base_named_by_an_argument() -> None:
    assert read(state(), f"ARG BASE={BASE}", "FROM $BASE AS os", "CMD x").refusals == ()
    assert read(state(), "ARG BASE", "FROM $BASE", build_args={"BASE": str(BASE)}).refusals == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("RUN true", RefusalReason.INSTRUCTION_NOT_COMPOSABLE),
        ("ONBUILD FROM x", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("SHELL /bin/x", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("HEALTHCHECK --interval=x CMD y", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("HEALTHCHECK FOO", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("VOLUME", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("COPY --from=$X a /b", RefusalReason.FLAG_NOT_COMPOSABLE),
        ("COPY --link a /b", RefusalReason.FLAG_NOT_COMPOSABLE),
        ("COPY --chmod=u+x a /b", RefusalReason.FLAG_NOT_COMPOSABLE),
        ("COPY --chown=core a /b", RefusalReason.OWNER_BY_NAME),
        ("COPY --chown=core:core a /b", RefusalReason.OWNER_BY_NAME),
        ("ADD https://example.com/x /b", RefusalReason.SOURCE_NOT_LOCAL),
        ("ADD git@example.com:x /b", RefusalReason.SOURCE_NOT_LOCAL),
        ("COPY <<EOF /b\nx\nEOF", RefusalReason.SOURCE_NOT_LOCAL),
        ("COPY a", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ('COPY "a b" /c', RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("ENV A", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("ENV 1A=b", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("LABEL $NONE=b", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("ARG BUILDARCH", RefusalReason.VARIABLE_NOT_COMPOSABLE),
        ("ARG HTTP_PROXY", RefusalReason.VARIABLE_NOT_COMPOSABLE),
        ("EXPOSE 80-x", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("CMD", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("STOPSIGNAL NONE", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ('CMD ["x"] y', RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
        ("CMD [1]", RefusalReason.ARGUMENTS_NOT_COMPOSABLE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals(line: str, reason: RefusalReason) -> None:
    refusals = read(state(), FROM, line).refusals
    assert [(refusal.reason, refusal.line) for refusal in refusals] == [(reason, 2)]


@pytest.mark.parametrize(
    "line", [f"FROM --platform=linux/amd64 {BASE}", "FROM quay.io/other/os", "FROM $NONE", "FROM scratch", "FROM -"]
)
def test_another_from_is_refused(line: str) -> None:
    refusal, *_ = read(state(), line).refusals
    assert refusal.line == 1


def test_all_refusals_are_told() -> None:
    refusals = read(state(), FROM, "RUN a", "COPY a /b", "RUN b").refusals
    assert [refusal.line for refusal in refusals] == [2, 4]
