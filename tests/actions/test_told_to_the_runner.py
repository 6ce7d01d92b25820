"""With GITHUB_ACTIONS=true every failing command says so to the runner, once, and its exit code stays what it was."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from layering import githubactions
from layering.githubactions import SUMMARY_BYTES_MAX
from layering.outcome import say
from layering.registry.server import RegistryServer
from layering.registry.server_http import Asked
from layering.registry.settings import RegistrySettings
from tests.actions.runner import Annotation, Ended, annotations, run
from tests.pipeline.conftest import Release, release
from tests.pipeline.test_check_image import derived
from tests.scenario import Scenario

__all__ = ["release"]  # a fixture

STEP = "pipeline.cli"
CHECK = [STEP, "check-image", "--image", f"registry.invalid/a/b@sha256:{'0' * 64}"]


@pytest.mark.parametrize(
    ("words", "code", "title", "said"),
    [
        pytest.param(
            [STEP, "run", "--request", "env:NONE"], 2, "layerwatch-step run", "no variable 'NONE'", id="no request"
        ),
        pytest.param([STEP, "run"], 2, "layerwatch-step run", "required: --request", id="a flag is missing"),
        pytest.param([STEP, "bake"], 2, "layerwatch-step", "invalid choice: 'bake'", id="no such step"),
        pytest.param([*CHECK, "--base", "x@y"], 2, "layerwatch-step check-image", "x@y", id="no name"),
        pytest.param(
            ["watcher.cli", "run", "--once", "-c", "none.yaml"], 2, "layerwatch", "none.yaml", id="no configuration"
        ),
        pytest.param(["watcher.cli", "run", "--twice"], 2, "layerwatch", "--twice", id="no such flag"),
        pytest.param(["watcher.cli", "check", "-c", "none.yaml"], 2, "layerwatch", "none.yaml", id="check"),
    ],
)
def test_one_annotation_and_a_section(tmp_path: Path, words: list[str], code: int, title: str, said: str) -> None:
    ended = run(tmp_path, *words)
    (annotation,) = ended.annotations
    assert (ended.code, annotation.level, annotation.title) == (code, "error", title)
    assert said in annotation.message
    assert f"### {title} failed\n\n```text\n" in ended.summary
    assert said in ended.summary


def test_elsewhere_nothing_is_said(tmp_path: Path) -> None:
    for value in ("", "false"):
        ended = run(tmp_path, STEP, "run", "--request", "env:NONE", env={"GITHUB_ACTIONS": value})
        assert (ended.code, ended.annotations, ended.summary) == (2, [], "")


def test_without_a_summary_there_is_the_annotation(tmp_path: Path) -> None:
    for file in ("", str(tmp_path / "none" / "summary")):
        ended = run(tmp_path, STEP, "run", env={"GITHUB_STEP_SUMMARY": file})
        assert (ended.code, len(ended.annotations)) == (2, 1)


def test_a_failed_check_names_its_errors_in_one_annotation(release: Release, tmp_path: Path) -> None:
    image = derived(release, "x")
    ended = run(tmp_path, STEP, "check-image", "--image", image, "--base", release.coreos, *release.flags)
    stream, error = ended.annotations
    assert (stream.level, stream.title) == ("warning", "stream")
    assert (ended.code, error.level, error.title) == (7, "error", "layerwatch-step check-image")
    assert error.message.startswith("from-base: ")
    assert "| error    | `from-base`" in ended.summary


def test_faults_of_a_configuration_that_were_asked_for_as_json(tmp_path: Path) -> None:
    (tmp_path / "layerwatch.yaml").write_text("kind: Nothing\n")
    ended = run(tmp_path, "watcher.cli", "validate", "-c", tmp_path / "layerwatch.yaml", "--output", "json")
    (annotation,) = ended.annotations
    assert (ended.code, json.loads(ended.out)["kind"]) == (2, "Validation")
    assert "kind" in annotation.message


def test_a_comparison_is_a_table_in_the_summary(release: Release, tmp_path: Path) -> None:
    words = ["--old", release.coreos, "--new", release.coreos10, *release.flags]
    ended = run(tmp_path, STEP, "compare-images", *words)
    assert (ended.code, ended.annotations) == (0, [])
    assert "| Platform      | Layers kept |" in ended.summary
    assert "OS version `9.6.1-0` → `10.0.1-0`" in ended.summary


def test_a_tick_tells_its_decisions(tmp_path: Path) -> None:
    with RegistryServer() as server:
        world = Scenario(
            tmp_path, server.address, RegistrySettings(insecure=frozenset({server.address})), extra_registries={}
        ).set_up()
        dry = run(tmp_path, "watcher.cli", "run", "--once", "--dry-run", "-c", world.config)
        (tmp_path / "clusterversion.yaml").write_text("{}")
        stuck = run(tmp_path, "watcher.cli", "run", "--once", "-c", world.config)
    assert (dry.code, dry.annotations) == (0, [])
    assert "| `worker-os` | `prod/worker` | Rebuild" in dry.summary
    told = json.loads(dry.outputs.removeprefix("decisions="))
    assert [entry["decision"] for entry in told["images"]] == ["Rebuild"]
    (error,) = stuck.annotations
    assert (stuck.code, error.level, error.title) == (11, "error", "layerwatch run")
    assert "worker-os" in error.message


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        pytest.param(signal.SIGTERM, 143, "ended by SIGTERM", id="SIGTERM"),
        pytest.param(signal.SIGINT, 130, "interrupted", id="SIGINT"),
    ],
)
@pytest.mark.parametrize("title", ["layerwatch", "layerwatch-step resolve-base"])
def test_what_ended_a_command_is_told(tmp_path: Path, title: str, number: int, code: int, said: str) -> None:
    ended = interrupted(tmp_path, title, lambda process: process.send_signal(number))
    assert (ended.code, ended.annotations) == (code, [Annotation(level="error", title=title, message=said)])
    assert f"### {title} failed\n\n```text\n{said}\n" in ended.summary


def test_a_runner_that_is_gone_changes_no_exit_code(tmp_path: Path) -> None:
    def go(process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        process.stderr.close()
        process.terminate()

    assert interrupted(tmp_path, "layerwatch-step resolve-base", go).code == 143


def interrupted(tmp_path: Path, title: str, interrupt: Callable[["subprocess.Popen[str]"], object]) -> Ended:
    """In the middle of a request, which is answered after that: what other threads are at is waited for."""
    is_asked, is_over = threading.Event(), threading.Event()

    def hold(asked: Asked) -> None:
        is_asked.set()
        is_over.wait(120)

    def end(process: "subprocess.Popen[str]") -> None:
        assert is_asked.wait(60)
        interrupt(process)
        is_over.set()

    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        world = Scenario(tmp_path, server.address, settings, extra_registries={}).set_up()
        step = ["resolve-base", "--image", f"{world.target}:x", "--insecure-registry", server.address]
        words = [STEP, *step] if "step" in title else ["watcher.cli", "run", "--once", "-c", world.config]
        server.intercept = hold
        try:
            return run(tmp_path, *words, meanwhile=end)
        finally:
            is_over.set()


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is a step; the path is its summary's."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    return tmp_path / "summary"


@pytest.mark.parametrize("text", ["a%b", "a\nb\r\nc", "::error::x", "a:b,c", "%0A", "%25%0D"])
def test_any_text_can_be_told(runner: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    githubactions.annotate("error", text, text)
    (line,) = capsys.readouterr().err.splitlines()
    assert annotations(line) == [Annotation(level="error", title=text, message=text)]


def test_the_summary_keeps_within_its_limit(runner: Path) -> None:
    for _ in range(3):
        githubactions.summarize("a line of it ü\n" * 50_000)
    assert SUMMARY_BYTES_MAX - 200 < runner.stat().st_size <= SUMMARY_BYTES_MAX
    assert runner.read_text().count("(cut: ") == 1


def test_what_failed_cannot_leave_its_code_block(runner: Path) -> None:
    githubactions.failed("layerwatch", "```\n<img src=x> @someone ````` x")
    assert runner.read_text().split("\n\n")[1].startswith("``````text\n```\n")


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        pytest.param("::add-mask::a", ": :add-mask::a", id="a command"),
        pytest.param("x\n  ::stop-commands::y", "x\n  : :stop-commands::y", id="on a later line"),
        pytest.param("a ##[group]b", "a # #[group]b", id="the older form, anywhere"),
        pytest.param("std::vector a::b", "std::vector a::b", id="no command"),
    ],
)
def test_a_builds_log_gives_the_runner_no_commands(
    runner: Path, capsys: pytest.CaptureFixture[str], said: str, logged: str
) -> None:
    say(said)
    assert capsys.readouterr().err == f"{logged}\n"
