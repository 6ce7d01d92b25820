"""What a command prints gives the runner no commands, whatever it quotes; its JSON stays the same value."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from layering.outcome import answer
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image
from tests.actions.files import ROOT
from tests.actions.runner import run
from tests.scenario import Scenario

COMMAND = "##[stop-commands]y"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(COMMAND, id="a text"),
        pytest.param(f"a ###[{COMMAND}", id="several"),
        pytest.param(f"\\{COMMAND}", id="after a backslash"),
        pytest.param({COMMAND: ["::error::x\n::x", "##"]}, id="a key"),
    ],
)
def test_json_stays_the_same_value(
    value: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in (json.dumps(value, indent=2), json.dumps(value, ensure_ascii=False)):
        answer(form, is_json=True)
        assert capsys.readouterr().out == form
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        answer(form, is_json=True)
        said = capsys.readouterr().out
        monkeypatch.delenv("GITHUB_ACTIONS")
        assert (json.loads(said), obeyed(said)) == (value, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(f"a {COMMAND}\n", "a # #[stop-commands]y\n", id="the older form"),
        pytest.param("a\n  ::error::x\n", "a\n  : :error::x\n", id="a line of a table"),
        pytest.param("a\r::error::x\n", "a\r: :error::x\n", id="what is a line to the runner alone"),
        pytest.param("| `a::b` | ## [x] |\n", "| `a::b` | ## [x] |\n", id="no command"),
    ],
)
def test_text_is_said_otherwise(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(text)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    answer(text)
    assert capsys.readouterr().out == text + said


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Scenario]:
    """Its cluster says what a runner would obey."""
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        made = Scenario(tmp_path, server.address, settings, extra_registries={}).set_up()
        cluster = yaml.safe_load((tmp_path / "clusterversion.yaml").read_text())
        cluster["status"]["history"][0]["image"] = COMMAND
        (tmp_path / "clusterversion.yaml").write_text(json.dumps(cluster))
        yield made


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("words", ["check", "run --once", "status", "explain worker-os"])
def test_the_watcher_s_decisions(world: Scenario, tmp_path: Path, words: str, form: str) -> None:
    ended = run(tmp_path, "watcher.cli", *words.split(), "-c", world.config, "--output", form)
    assert obeyed(ended.out) == []
    if form == "json":
        assert any(COMMAND in text for text in texts(json.loads(ended.out)))
    else:
        assert "# #[stop-commands]y" in ended.out


def test_faults_of_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "layerwatch.yaml"
    file.write_text(json.dumps({"apiVersion": COMMAND, "kind": COMMAND, COMMAND: 1}))
    ended = run(tmp_path, "watcher.cli", "validate", "-c", file, "--output", "json")
    assert obeyed(ended.out) == []
    assert any(COMMAND in text for text in texts(json.loads(ended.out)))


def test_a_label_that_somebody_gave_an_image(tmp_path: Path) -> None:
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        with RegistryClient(settings) as client:
            of_others = Repository(server.address, "third/party")
            labels = {"vendor": COMMAND}
            image = push_os_image(client, of_others, "x", version="9", seed="s", extra_labels=labels)
        words = ["resolve-base", "--image", image, "--insecure-registry", server.address]
        ended = run(tmp_path, "pipeline.cli", *words)
    assert obeyed(ended.out) == []
    assert COMMAND in texts(json.loads(ended.out))


def test_what_is_logged_while_a_command_runs() -> None:
    """In a process of its own: here pytest has the log."""
    code = f"""
import logging
from layering.outcome import outcome
outcome("x", lambda: logging.getLogger("layering").warning("https://a:b@c said %s", "{COMMAND}") or 0)
outcome("x", lambda: [].index("{COMMAND}"))
"""
    runner = {"GITHUB_ACTIONS": "true", "LAYERWATCH_TRACEBACK": "1"}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, env={**os.environ, **runner}, capture_output=True, text=True, check=True)
    first, *lines = done.stderr.splitlines()
    assert first == "https://***@c said # #[stop-commands]y"
    assert "Traceback (most recent call last):" in lines
    assert [line[:8] for line in obeyed(done.stderr)] == ["::error "]


def test_one_place_writes_to_stdout() -> None:
    """The demo's story besides: its world is its own."""
    found = {
        str(file.relative_to(ROOT))
        for package in ("layering", "pipeline", "watcher")
        for file in ROOT.glob(f"{package}/**/*.py")
        if any(map(writes_to_stdout, ast.walk(ast.parse(file.read_text()))))
    }
    assert found == {"layering/outcome.py"}


def writes_to_stdout(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    is_print = isinstance(node.func, ast.Name) and node.func.id == "print"
    return (is_print and all(each.arg != "file" for each in node.keywords)) or (
        ast.unparse(node.func) in ("sys.stdout.write", "sys.stdout.buffer.write")
    )


def obeyed(text: str) -> list[str]:
    """The lines that a runner takes for commands."""
    lines = text.replace("\r", "\n").split("\n")
    return [line for line in lines if line.strip().startswith("::") or "##[" in line]


def texts(value: Any) -> list[str]:
    """Every text in it."""
    if isinstance(value, dict):
        return [text for pair in value.items() for text in (*texts(pair[0]), *texts(pair[1]))]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else [str(value)]
