"""Flags out of variables: what a CI job says in its environment, as if it stood on the command line."""

import argparse

import pytest

from layering.variableflags import add_flags_from, with_flags_from


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="made", exit_on_error=False)
    add_flags_from(made)
    made.add_argument("--forge-url")
    made.add_argument("-c", "--config", required=True)
    made.add_argument("--label", action="append", default=[])
    made.add_argument("--draft", action="store_true")
    return made


@pytest.mark.parametrize(
    ("variables", "words", "expected"),
    [
        pytest.param({"I_FORGE_URL": "https://x/?a=b c"}, [], ["--forge-url=https://x/?a=b c"], id="a value"),
        pytest.param({"I_CONFIG": "$(id) `id` ; 'x'"}, [], ["--config=$(id) `id` ; 'x'"], id="what a shell would run"),
        pytest.param({"I_CONFIG": "--draft"}, [], ["--config=--draft"], id="what looks like a flag"),
        pytest.param({"I_FORGE_URL": "", "I_DRAFT": ""}, [], [], id="empty"),
        pytest.param({"I_LABEL": "a b\n\n c \r\n"}, [], ["--label=a b", "--label=c"], id="one per line"),
        pytest.param({"I_LABEL": '["a b", "c"]'}, [], ["--label=a b", "--label=c"], id="a JSON list"),
        pytest.param({"I_LABEL": "[]"}, [], [], id="a JSON list of nothing"),
        pytest.param({"I_LABEL": "[x] y"}, [], ["--label=[x] y"], id="a bracket is no list yet"),
        pytest.param({"I_FORGE_URL": " x \n"}, [], ["--forge-url= x "], id="the end of a block"),
        pytest.param({"I_FORGE_URL": "x\r\n\n"}, [], ["--forge-url=x"], id="the end of one that keeps its lines"),
        pytest.param({"I_FORGE_URL": "x\ny\n"}, [], ["--forge-url=x\ny"], id="several lines"),
        pytest.param({"I_FORGE_URL": "\n", "I_DRAFT": "\n"}, [], [], id="an empty block"),
        *(
            pytest.param({"I_DRAFT": on}, [], ["--draft"], id=f"a switch that is on: {on!r}")
            for on in ("true", "True", "TRUE", "true\n")
        ),
        *(
            pytest.param({"I_DRAFT": off}, [], [], id=f"a switch that is off: {off!r}")
            for off in ("false", "False", "FALSE", "false\n")
        ),
        pytest.param({"I_HELP": "true", "I_FLAGS_FROM": "X_", "FORGE_URL": "x"}, [], [], id="no flag of ours"),
        pytest.param({"I_CONFIG": "a"}, ["--config", "b"], ["--config=a", "--config", "b"], id="the words count"),
    ],
)
def test_variables_become_flags(variables: dict[str, str], words: list[str], expected: list[str]) -> None:
    given = ["--flags-from", "I_", *words]
    made = with_flags_from(parser(), given, variables)
    assert [word for word in made if word not in ("--flags-from", "I_")] == expected


def test_the_prefix_may_stand_behind_an_equals_sign() -> None:
    assert with_flags_from(parser(), ["--flags-from=I_"], {"I_DRAFT": "true"}) == ["--draft", "--flags-from=I_"]


def test_without_the_flag_variables_are_nothing() -> None:
    assert with_flags_from(parser(), ["--draft"], {"I_CONFIG": "a", "CONFIG": "b"}) == ["--draft"]


@pytest.mark.parametrize("value", ["yes", "1", "tRUE", " true", "true\ntrue"])
def test_a_switch_that_is_neither_is_bad_input(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((SystemExit, argparse.ArgumentError)):
        with_flags_from(parser(), ["--flags-from", "I_"], {"I_DRAFT": value})
    assert "I_DRAFT is true or false" in capsys.readouterr().err


def test_required_flags_may_come_from_variables() -> None:
    made = with_flags_from(parser(), ["--flags-from", "I_"], {"I_CONFIG": "x.yaml", "I_LABEL": "a\nb"})
    arguments = parser().parse_args(made)
    assert (arguments.config, arguments.label) == ("x.yaml", ["a", "b"])
