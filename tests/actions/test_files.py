"""github-actions/ and .github/: inputs and outputs are the commands', values no program, and linters find nothing."""

import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from layering.forge.workflows import WorkflowRun
from layering.forge.workflowtoken import WORKFLOW_TOKEN_VARIABLE
from layering.git import git, run_git
from pipeline.git_access import git_access
from tests.actions.files import NAMES, ROOT, STEPS, WORKFLOWS, flags, output_keys, parser_of, steps, workflow
from tests.docs.actions import ACTIONS, action
from tests.parts import require
from watcher.cli import main
from watcher.configuration import load
from watcher.engines.actions_history import key_run
from watcher.settings_image import GitHubActionsBuild

MECHANISM = {"help", "flags-from"}
WATCH_FLAGS = {"config", "dry-run"}  # the others are the daemon's, or said by the action
REBUILD_OUTPUTS = {"image", "digest", "key", "passed"}
FILES = [*WORKFLOWS, *(ACTIONS / name / "action.yml" for name in NAMES)]
EVERY_FILE = pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
EVERY_ACTION = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("watch", WATCH_FLAGS | {"token", "authfile"}, id="watch"),
        pytest.param("rebuild", flags("rebuild") - MECHANISM | {"token"}, id="rebuild"),
        pytest.param("propose", flags("propose") - MECHANISM | {"token"}, id="propose"),
    ],
)
def test_inputs_are_the_flags(name: str, expected: set[str]) -> None:
    assert set(action(name)["inputs"]) == expected


@pytest.mark.parametrize("name", STEPS)
def test_a_required_flag_is_a_required_input_or_has_a_default(name: str) -> None:
    inputs = action(name)["inputs"]
    for option in parser_of(name)._actions:
        entry = inputs.get(option.option_strings[-1].removeprefix("--"), {})
        assert ("required" in entry) is (option.required and "default" not in entry)
        assert entry.get("default", "false") == "false" or option.nargs != 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("watch", {"decisions"}, id="watch"),
        pytest.param("rebuild", REBUILD_OUTPUTS & output_keys("rebuild"), id="rebuild"),
        pytest.param("propose", output_keys("propose"), id="propose"),
    ],
)
def test_outputs_are_the_keys_of_the_step(name: str, expected: set[str]) -> None:
    outputs = action(name)["outputs"]
    assert set(outputs) == expected
    assert all(outputs[key]["value"] == f"${{{{ steps.layerwatch.outputs.{key} }}}}" for key in outputs)


@EVERY_ACTION
def test_each_input_reaches_its_flag_through_the_environment(name: str) -> None:
    (step,) = steps(action(name))
    of_the_job = {("watch", "authfile"): "REGISTRY_AUTH_FILE", (name, "token"): "LAYERWATCH_FORGE_TOKEN"}
    for given in action(name)["inputs"]:
        if variable := of_the_job.get((name, given)):
            assert step["env"][variable] == f"${{{{ inputs.{given} || env.{variable} }}}}"
        else:
            variable = "LAYERWATCH_REQUEST" if given == "request" else f"INPUT_{given.replace('-', '_').upper()}"
            assert step["env"][variable] == f"${{{{ inputs.{given} }}}}"


@EVERY_ACTION
def test_the_workflow_s_own_token_is_told_from_one_that_was_chosen(name: str) -> None:
    (step,) = steps(action(name))
    assert "default" not in action(name)["inputs"]["token"]
    holders = [variable for variable, value in step["env"].items() if "github.token" in value]
    assert holders == [WORKFLOW_TOKEN_VARIABLE]


@EVERY_ACTION
def test_an_action_needs_nothing_of_other_repositories(name: str) -> None:
    assert all("uses" not in step for step in steps(action(name)))


def test_the_extras_that_a_tick_or_a_step_can_use_are_installed() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
    (installed,) = re.findall(r"\$checkout\[(.*?)\]", (ACTIONS / "run").read_text())
    assert set(installed.split(",")) == extras - {"watcher", "registry", "dev"}  # a daemon, a server, the tests


@EVERY_FILE
def test_no_script_has_an_expression_in_it(file: Path) -> None:
    assert all("${{" not in step.get("run", "") for step in steps(workflow(file)))


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_workflows_are_pinned_and_may_do_little(file: Path) -> None:
    document = workflow(file)
    assert document["permissions"] == {}
    assert "group" in document["concurrency"]
    for line in re.findall(r"uses: (.*)", file.read_text()):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # (v\d+\.\d+\.\d+|a commit of main, no release)", line)


def test_a_watch_may_do_what_its_readme_explains_and_a_rebuild_nothing() -> None:
    explained = re.findall(r"^\| `([a-z-]+): (\w+)` \|", (ACTIONS / "watch" / "README.md").read_text(), re.MULTILINE)
    watch, rebuild = (workflow(ACTIONS / "workflows" / f"{name}.yml")["jobs"][name] for name in ("watch", "rebuild"))
    assert watch["permissions"] == dict(explained)
    assert rebuild["permissions"] == {}


def _pins() -> set[str]:
    texts = [file.read_text() for file in [*WORKFLOWS, *ACTIONS.glob("*/README.md")]]
    return {commit for text in texts for commit in re.findall(r"acme/layerwatch/[\w/-]+@(\S+)", text)}


def test_one_commit_of_ours_is_used_everywhere() -> None:
    assert len(_pins()) == 1


def test_the_commit_of_ours_is_in_this_history_and_has_what_the_workflows_need() -> None:
    """Nobody could use one that is not there, or from before the engine that dispatches rebuild.yml."""
    (pin,) = _pins()
    if run_git(ROOT, ["rev-parse", "--is-shallow-repository"]) == "true\n":
        pytest.skip("this clone is shallow: it has no history to look into")
    assert git(ROOT, ["merge-base", "--is-ancestor", pin, "HEAD"]).succeeded
    assert "| `engine` | `githubActions` |" in run_git(ROOT, ["show", f"{pin}:docs/reference/configuration.md"])
    shown = [step for name in NAMES for step in yaml.safe_load(_examples(ACTIONS / name / "README.md")[0])]
    for step in [*shown, *(step for file in WORKFLOWS for step in steps(workflow(file)))]:
        if of_ours := re.match(r"acme/layerwatch/(.*)@", step.get("uses", "")):
            then = yaml.safe_load(run_git(ROOT, ["show", f"{pin}:{of_ours[1]}/action.yml"]))
            assert step["with"].keys() <= then["inputs"].keys()


def _examples(page: Path) -> list[str]:
    """The texts in YAML that a page shows."""
    return re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_configuration_of_the_readme_has_no_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "layerwatch.yaml"
    file.write_text(_examples(ACTIONS / "README.md")[0])
    assert main(["validate", "--config", str(file)]) == 0, capsys.readouterr()
    (image,) = load(file).images
    assert isinstance(image.build, GitHubActionsBuild)
    assert (ACTIONS / "workflows" / image.build.workflow).is_file()
    written = workflow(ACTIONS / "workflows" / "watch.yml")["jobs"]["watch"]["steps"][1]["run"]
    assert "> kubeconfig" in written  # where access.kubeconfig looks


def test_the_step_of_the_readme_gives_git_the_credentials_of_a_private_source(tmp_path: Path) -> None:
    (step,) = yaml.safe_load(_examples(ACTIONS / "README.md")[1])
    place, variables = tmp_path / "of the runner", tmp_path / "variables"
    place.mkdir()
    runner = {"RUNNER_TEMP": str(place), "GITHUB_ENV": str(variables), "SOURCE_TOKEN": "abc"}
    subprocess.run(["bash", "-e", "-c", step["run"]], env={**os.environ, **runner}, check=True)
    variable, _, value = variables.read_text().strip().partition("=")
    asked = b"protocol=https\nhost=github.com\n\n"
    with git_access(place / "git", None, "https://github.com/acme/os-images.git") as of_the_flag:
        for env in ({variable: value}, of_the_flag):
            told = git(None, ["credential", "fill"], stdin=asked, env=env)
            assert b"username=x-access-token\npassword=abc\n" in told.stdout


@EVERY_ACTION
def test_the_example_in_the_readme_has_inputs_that_are_there(name: str) -> None:
    (example,) = _examples(ACTIONS / name / "README.md")
    (step,) = [step for step in yaml.safe_load(example) if f"github-actions/{name}@" in step["uses"]]
    assert step["with"].keys() <= action(name)["inputs"].keys()
    assert {key for key, entry in action(name)["inputs"].items() if entry.get("required")} <= step["with"].keys()


def test_a_rebuild_is_found_again_and_waits_for_the_one_before() -> None:
    document = workflow(ACTIONS / "workflows" / "rebuild.yml")
    assert set(document["on"]["workflow_dispatch"]["inputs"]) == {"request", "key", "attempt"}
    image = "${{ fromJSON(inputs.request).image }}"
    assert document["run-name"] == f"Rebuild {image} [${{{{ inputs.key }}}}/${{{{ inputs.attempt }}}}]"
    assert image in document["concurrency"]["group"]
    assert document["concurrency"]["cancel-in-progress"] == "false"


def test_the_watcher_reads_the_name_of_a_rebuild() -> None:
    given = {"fromJSON(inputs.request).image": "worker-os", "inputs.key": "a" * 64, "inputs.attempt": "2"}
    name = workflow(ACTIONS / "workflows" / "rebuild.yml")["run-name"]
    title = re.sub(r"\$\{\{ (.*?) \}\}", lambda expression: given[expression[1]], name)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    run = WorkflowRun(
        id=1, title=title, url="", status="queued", conclusion=None, created=now, started=now, updated=now
    )
    found = key_run(run)
    assert found is not None
    assert (found.key, found.attempt) == ("a" * 64, 2)
    assert re.findall(r"[\w-]+", title)[:2] == ["Rebuild", "worker-os"]  # which of several images of one workflow it is


def test_actionlint_finds_nothing() -> None:
    done = subprocess.run([require("actionlint"), *map(str, WORKFLOWS)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@EVERY_ACTION
def test_actionlint_understands_the_action(name: str, tmp_path: Path) -> None:
    """It reads action.yml where a workflow uses it: wrong metadata and unknown inputs are its findings."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "the").symlink_to(ACTIONS)
    given = "".join(f"          {each}: x\n" for each in action(name)["inputs"])
    file = tmp_path / ".github" / "workflows" / "use.yml"
    file.parent.mkdir(parents=True)
    file.write_text(
        "on: push\njobs:\n  use:\n    runs-on: ubuntu-24.04\n    steps:\n"
        f"      - uses: ./the/{name}\n        with:\n{given}"
    )
    argv = [require("actionlint"), str(file)]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    file.write_text(f"{file.read_text()}          nonsense: x\n")
    assert "nonsense" in subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False).stdout


def test_zizmor_finds_nothing() -> None:
    argv = [Path(sys.executable).with_name("zizmor"), "--offline", "--pedantic", "--no-progress", *FILES]
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    assert (done.returncode, "No findings to report" in done.stdout + done.stderr) == (0, True), done.stdout
    assert all(f"completed {file}" in done.stderr for file in FILES)
