"""gitlab-ci/layerwatch.yml: inputs are the commands' flags, values are never program, and the jobs do what they say."""

import importlib.resources
import json
import re
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from layering.git import run_git
from tests.docs.gitlab_ci import COMMANDS, parser_of, readme
from tests.gitlab_ci import pipeline
from tests.gitlab_ci.pipeline import TEMPLATE, Document, included, inputs, job
from tests.scenario import BRANCH, FILE, MACHINE_CONFIG
from watcher import demo_git

OF_GITLAB = {"container-image", "token"}
NOT_INPUTS = {
    "help", "flags-from", "once", "output", "results-dir", "result",  # the jobs say them
    "listen", "leader-elect", "log-format", "log-level", "ticks",  # the daemon's
    "fetched",  # for a pipeline that fetches apart from the build
}  # fmt: skip
PINNED = f"registry.example.com/acme/worker-os@sha256:{'b' * 64}"
KEY = "c" * 64


def flags(name: str) -> set[str]:
    options = [option for action in parser_of(name)._actions for option in action.option_strings]
    return {option.removeprefix("--") for option in options if option.startswith("--")}


def test_the_file_is_what_gitlab_describes() -> None:
    """The schema is GitLab's own; check-jsonschema brings it."""
    file = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "gitlab-ci.json"
    validator = jsonschema.Draft7Validator(json.loads(file.read_text()))
    for document in [*yaml.safe_load_all(TEMPLATE.read_text()), included()]:
        assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    "name",
    [
        ".layerwatch-watch",
        ".layerwatch-rebuild",
        ".layerwatch-propose",
    ],
)
def test_each_variable_is_a_flag_of_the_command_and_each_flag_an_input(name: str) -> None:
    variables = job(included(), name)["variables"]
    taken = {variable.removeprefix("INPUT_").lower().replace("_", "-") for variable in variables}
    own = {each.removeprefix("INPUT_").lower().replace("_", "-") for each in included()[name]["variables"]}
    assert own - {"layerwatch-request"} <= flags(name)
    assert flags(name) - NOT_INPUTS - {"request"} <= taken
    assert flags(name) - NOT_INPUTS <= set(inputs())


def test_each_input_has_its_own_variable() -> None:
    body = pipeline.parts()[1]
    assert sorted(re.findall(r"\$\[\[ inputs\.([a-z-]+) \]\]", body)) == sorted(inputs())
    for name in inputs().keys() - OF_GITLAB - {"request"}:
        variable = f"INPUT_{name.replace('-', '_').upper()}"
        assert re.search(rf"{variable}:(\n      expand: false\n      value:)?[ \n|'-]*\$\[\[ inputs\.{name} \]\]", body)


def test_the_image_is_named_by_digest() -> None:
    assert job(included(), ".layerwatch-watch")["image"]["name"] == pipeline.IMAGE
    for other in ("registry.example.com/layerwatch:latest", f"{pipeline.IMAGE}\n", f"x {pipeline.IMAGE}"):
        with pytest.raises(ValueError, match="container-image"):
            included(container_image=other)


def test_scripts_have_no_values_in_them() -> None:
    """Whatever the inputs: the scripts are the same."""
    nasty = {name: "$(id)" for name, spec in inputs().items() if spec.get("type", "string") == "string"}
    nasty |= {"container-image": pipeline.IMAGE, "token": "$TOKEN"}
    changed = included(**{name.replace("-", "_"): value for name, value in nasty.items()})
    for name in COMMANDS:
        assert changed[name]["script"] == included()[name]["script"]
        assert all("$[[" not in line for line in changed[name]["script"])


def test_no_input_may_bring_lines_of_its_own() -> None:
    """GitLab puts them in before it reads YAML: a second line could be a job."""
    for name, spec in inputs().items():
        if spec.get("type", "string") == "string":
            with pytest.raises(ValueError, match=name):
                included(**{name.replace("-", "_"): "x\nstolen:\n  script: id"})


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("$(id) `id` ${HOME} $HOME", id="what a shell would run"),
        pytest.param("'\"; id; \"'", id="quotes"),
        pytest.param("a: {b: [c]} # d", id="what YAML would read"),
        pytest.param("--draft", id="what looks like a flag"),
        pytest.param("&a *b !c %d @e | > -", id="YAML's signs"),
        pytest.param("ümläut 🐎 \\n \\", id="letters of all kinds"),
    ],
)
def test_values_arrive_as_they_are(tmp_path: Path, value: str) -> None:
    step = tmp_path / "bin" / "layerwatch-step"
    step.parent.mkdir()
    step.write_text('#!/bin/sh\nprintf "%s" "$INPUT_TITLE" > title; printf "%s" "$INPUT_LABEL" > label; echo "$@"\n')
    step.chmod(step.stat().st_mode | stat.S_IXUSR)
    done = pipeline.run(
        job(included(title=value, label=[value]), ".layerwatch-propose"), tmp_path, {"PATH": str(step.parent)}
    )
    assert done.stdout == "open-pull-request --flags-from INPUT_\n"
    assert (tmp_path / "title").read_text() == value
    assert json.loads((tmp_path / "label").read_text()) == [value]


@pytest.mark.parametrize(
    ("given", "project", "expected"),
    [
        pytest.param({"token": "$BOT"}, {"BOT": "secret"}, {"LAYERWATCH_FORGE_TOKEN": "secret"}, id="a token by name"),
        pytest.param({}, {}, {"LAYERWATCH_FORGE_TOKEN": ""}, id="no token: the project's GITLAB_TOKEN"),
        pytest.param({}, {"CI_PROJECT_PATH": "a/b/c"}, {"INPUT_REPOSITORY": "a/b/c"}, id="the project itself"),
        pytest.param({"authfile": "$AUTH"}, {"AUTH": "/f"}, {"INPUT_AUTHFILE": "/f"}, id="a variable of type file"),
        pytest.param({"title": "$BOT"}, {"BOT": "secret"}, {"INPUT_TITLE": "$BOT"}, id="no secret gets into a text"),
        pytest.param({"image": ""}, {"INPUT_IMAGE": PINNED}, {"INPUT_IMAGE": PINNED}, id="of the rebuild before"),
    ],
)
def test_variables_of_the_project(given: dict[str, Any], project: dict[str, str], expected: dict[str, str]) -> None:
    found = pipeline.environment(job(included(**given), ".layerwatch-propose"), project)
    assert expected.items() <= found.items()


def test_a_token_is_given_by_name_only() -> None:
    with pytest.raises(ValueError, match="token"):
        included(token="glpat-thetokenitself")


def test_propose_proposes(tmp_path: Path) -> None:
    forge = tmp_path / "cluster-config.git"
    demo_git.make_repository(forge, {FILE: MACHINE_CONFIG}, "the cluster")
    asked = included(forge="local", repository=str(forge), branch="main", file=FILE, cluster="prod", pool="worker")
    done = pipeline.run(job(asked, ".layerwatch-propose"), tmp_path, {"INPUT_IMAGE": PINNED, "INPUT_KEY": KEY})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "created"
    assert PINNED in run_git(forge, ["show", f"{BRANCH}:{FILE}"])


@pytest.mark.parametrize("name", [".layerwatch-watch", ".layerwatch-rebuild"])
def test_what_is_wrong_ends_the_job(tmp_path: Path, name: str) -> None:
    done = pipeline.run(job(included(config="missing.yaml", request="{}"), name), tmp_path)
    assert done.returncode == 2
    assert "next:" in done.stderr


def test_watch_runs_on_schedule_and_once_at_a_time() -> None:
    watch: Document = job(included(), ".layerwatch-watch")
    assert watch["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
    assert watch["resource_group"] == "layerwatch"


def test_the_readme_has_every_input() -> None:
    assert {file: file.read_text() for file in readme()} == readme(), "run make docs"
