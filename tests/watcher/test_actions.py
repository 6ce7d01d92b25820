"""Builds on GitHub Actions, as a user runs them: dispatched once, found again, tried again, given up, superseded."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from layering.forge.forges import open_workflows
from layering.forge.settings import ForgeSettings, Kind
from layering.request import RebuildRequest
from tests.engines.actions_api import DETAILS, Actions, actions_served
from tests.scenario import Scenario
from watcher.configuration import load
from watcher.engines.actions import ActionsEngine
from watcher.engines.engine import BuildState

LONG_AGO = timedelta(hours=1)


@pytest.fixture
def actions(scenario: Scenario) -> Iterator[Actions]:
    with actions_served() as running:
        (scenario.directory / "token").write_text("t0ken")
        build = {"engine": "githubActions", "repository": "acme/builds", "attempts": 2}
        scenario.configure(build=build)
        document = json.loads(scenario.config.read_text())
        url = f"http://{running.address}"
        document["forges"] = [{"name": "github", "kind": "github", "url": url, "tokenFile": "token"}]
        scenario.config.write_text(json.dumps(document))
        yield running


def run_the_workflow(scenario: Scenario, actions: Actions) -> None:
    """What rebuild.yml does with its inputs."""
    request = scenario.directory / "request.json"
    request.write_text(actions.bodies[-1]["inputs"]["request"])
    insecure = [word for host in scenario.settings.insecure for word in ("--insecure-registry", host)]
    subprocess.run([sys.executable, "-m", "pipeline.cli", "run", "--request", request, *insecure], check=True)
    actions.end("success")


def tick(scenario: Scenario) -> tuple[int, dict[str, Any]]:
    done = scenario.layerwatch("run", "--once", "-c", str(scenario.config), "--output", "json")
    assert done.stdout, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    return done.returncode, image


def decided(scenario: Scenario) -> tuple[int, str, str]:
    code, image = tick(scenario)
    return code, image["decision"], image["reason"]


def test_dispatched_once_followed_and_proposed(scenario: Scenario, actions: Actions) -> None:
    for _ in range(3):
        assert decided(scenario) == (0, "Building", "BuildRunning")
    (body,) = actions.bodies
    assert body["ref"] == "main"
    assert {name: type(value) for name, value in body["inputs"].items()} == dict.fromkeys(
        ("request", "key", "attempt"), str
    )
    assert (body["inputs"]["attempt"], len(body["inputs"]["key"])) == ("1", 64)
    assert json.loads(body["inputs"]["request"])["proposals"] == []
    run_the_workflow(scenario, actions)
    for _ in range(2):
        assert decided(scenario) == (0, "AwaitingApproval", "ProposalOpen")
        asked, actions.asked = actions.asked, 0
    assert (len(actions.bodies), asked) == (1, 0)


@pytest.mark.parametrize(
    "errors",
    [
        None,
        [f"{DETAILS} is no input"],
        [{"resource": "WorkflowDispatch", "field": DETAILS, "code": "unprocessable"}],
        [{"resource": "WorkflowDispatch", "field": DETAILS, "code": "custom", "message": "is not permitted"}],
    ],
    ids=["its message says so", "a sentence", "a field and a code", "a field and a message"],
)
def test_a_server_that_does_not_know_of_details_is_asked_without(
    scenario: Scenario, actions: Actions, errors: Any
) -> None:
    actions.knows_details = False
    if errors is not None:
        actions.no_details = {"message": "Validation Failed", "errors": errors}
    assert decided(scenario) == (0, "Building", "BuildRunning")
    assert [DETAILS in body for body in actions.bodies] == [True, False]
    assert len(actions.runs) == 1


def test_a_dispatch_whose_answer_is_lost_is_not_done_twice(scenario: Scenario, actions: Actions) -> None:
    actions.drops = True
    for _ in range(2):
        assert decided(scenario) == (0, "Building", "BuildRunning")
    assert len(actions.runs) == 1


def test_a_dispatch_that_never_arrived_is_done_by_the_next_look(scenario: Scenario, actions: Actions) -> None:
    actions.loses = True
    assert decided(scenario) == (11, "Unknown", "ForgeUnreachable")
    assert actions.runs == []
    assert decided(scenario) == (0, "Building", "BuildRunning")
    assert len(actions.runs) == 1


def test_a_run_that_is_listed_late_is_not_dispatched_again(scenario: Scenario, actions: Actions) -> None:
    actions.hides = 1
    for _ in range(2):
        assert decided(scenario) == (0, "Building", "BuildRunning")
    assert len(actions.runs) == 1


def test_a_run_of_a_process_that_died_is_not_dispatched_again(scenario: Scenario, actions: Actions) -> None:
    """Right after its dispatch, and its run is not listed at once."""
    tick(scenario)
    actions.hides = 2
    assert decided(scenario) == (0, "Building", "BuildRunning")
    assert (len(actions.runs), actions.hides) == (1, 0)


def test_a_run_that_is_listed_much_later_is_not_dispatched_again(scenario: Scenario, actions: Actions) -> None:
    """While the process stays that dispatched it, however often it looks; ten minutes, and it is taken for lost."""
    tick(scenario)
    (image,) = load(scenario.config).images
    request = RebuildRequest.parse(actions.bodies[0]["inputs"]["request"]).model_copy(update={"key": "f" * 64})
    now = datetime.now(UTC)
    forge = ForgeSettings(
        name="github", kind=Kind.GITHUB, url=f"http://{actions.address}", token_file=scenario.directory / "token"
    )
    with closing(open_workflows(forge)) as workflows:
        engine = ActionsEngine(lambda _: workflows, [image], lambda: now, sleep=lambda _: None)
        actions.hides = 1000
        for _ in range(3):
            build = engine.start(image, request, engine.find(image, "f" * 64))
            assert (build.state, build.attempt) == (BuildState.RUNNING, 1)
        assert len(actions.runs) == 2
        now += timedelta(minutes=11)
        assert engine.find(image, "f" * 64) is None
        actions.hides = 0
        assert engine.find(image, "f" * 64) is not None


def test_two_images_of_the_same_inputs_are_built_both(scenario: Scenario, actions: Actions) -> None:
    """They have the same key; the run's title tells whose it is."""
    document = json.loads(scenario.config.read_text())
    (one,) = document["images"]
    other = {**one, "name": "infra-os", "target": f"{one['target']}-infra", "proposals": []}
    scenario.config.write_text(json.dumps(document | {"images": [one, other]}))
    for _ in range(2):
        scenario.layerwatch("run", "--once", "-c", str(scenario.config))
        assert [json.loads(body["inputs"]["request"])["image"] for body in actions.bodies] == [one["name"], "infra-os"]
    assert len({body["inputs"]["key"] for body in actions.bodies}) == 1


def test_a_failed_run_is_tried_again_after_a_while_and_then_told_with_its_step(
    scenario: Scenario, actions: Actions
) -> None:
    tick(scenario)
    actions.end("failure")
    assert decided(scenario) == (0, "Held", "BackOff")
    assert len(actions.runs) == 1
    actions.end("failure", ago=LONG_AGO)
    assert decided(scenario) == (0, "Building", "BuildRunning")
    assert [body["inputs"]["attempt"] for body in actions.bodies] == ["1", "2"]
    actions.end("failure", ago=LONG_AGO)
    code, image = tick(scenario)
    assert (code, image["decision"], image["reason"]) == (11, "Blocked", "BuildFailed")
    assert "job 'image' failed in step 'rebuild'" in image["message"]
    assert len(actions.runs) == 2


def test_a_run_that_a_person_cancelled_is_not_started_again(scenario: Scenario, actions: Actions) -> None:
    tick(scenario)
    actions.end("cancelled", ago=LONG_AGO)
    for _ in range(2):
        assert decided(scenario) == (0, "Held", "BuildCancelled")
    assert len(actions.runs) == 1


def test_a_run_that_ends_well_and_pushes_nothing_is_told(scenario: Scenario, actions: Actions) -> None:
    tick(scenario)
    actions.end("success")
    assert decided(scenario) == (11, "Blocked", "BuildWithoutImage")


def test_a_newer_key_cancels_the_older_run(scenario: Scenario, actions: Actions) -> None:
    tick(scenario)
    scenario.at("4.19.2")
    assert decided(scenario) == (0, "Building", "BuildRunning")
    assert [run["conclusion"] for run in actions.runs] == ["cancelled", None]


def test_looking_dispatches_nothing(scenario: Scenario, actions: Actions) -> None:
    scenario.layerwatch("check", "-c", str(scenario.config))
    assert actions.bodies == []


def test_a_token_that_is_not_there_is_told(scenario: Scenario, actions: Actions) -> None:
    Path(scenario.directory / "token").unlink()
    code, image = tick(scenario)
    assert (code, image["decision"]) == (11, "Blocked")
    assert "token" in image["message"]
    assert actions.bodies == []
