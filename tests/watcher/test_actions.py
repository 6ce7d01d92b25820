"""Builds on GitHub Actions, as a user runs them: dispatched once, found again, tried again, given up, superseded."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from layering.errors import InputError, UnavailableError
from layering.forge.forges import open_workflows
from layering.forge.settings import ForgeSettings, Kind
from layering.forge.workflows import WorkflowRun, Workflows
from layering.request import RebuildRequest
from tests.engines.actions_api import DETAILS, RUN_NAME, Actions, actions_served, at
from tests.scenario import Scenario
from watcher.configuration import load
from watcher.engines.actions import ActionsEngine
from watcher.engines.engine import Build, BuildState
from watcher.settings_image import ImageSettings

LONG_AGO = timedelta(hours=1)
NEXT_KEY = "f" * 64


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


def tick(scenario: Scenario, program: str = "tests.watcher.soon") -> tuple[int, dict[str, Any]]:
    words = ["run", "--once", "-c", str(scenario.config), "--output", "json"]
    done = subprocess.run(
        [sys.executable, "-m", program, *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    return done.returncode, image


def decided(scenario: Scenario, program: str = "tests.watcher.soon") -> tuple[int, str, str]:
    code, image = tick(scenario, program)
    return code, image["decision"], image["reason"]


@dataclass(kw_only=True)
class Staying:
    """The engine of a process that stays, at its own time, after another process dispatched the first key's run."""

    engine: ActionsEngine
    workflows: Workflows
    image: ImageSettings
    request: RebuildRequest
    clock: list[datetime]

    def find(self) -> Build | None:
        return self.engine.find(self.image, NEXT_KEY)

    def start(self) -> Build:
        return self.engine.start(self.image, self.request, self.find())

    def later(self, by: timedelta) -> None:
        self.clock[0] += by


@contextmanager
def staying(scenario: Scenario, actions: Actions) -> Iterator[Staying]:
    tick(scenario)
    (image,) = load(scenario.config).images
    request = RebuildRequest.parse(actions.bodies[0]["inputs"]["request"]).model_copy(update={"key": NEXT_KEY})
    token_file, clock = scenario.directory / "token", [datetime.now(UTC)]
    forge = ForgeSettings(name="github", kind=Kind.GITHUB, url=f"http://{actions.address}", token_file=token_file)
    with closing(open_workflows(forge)) as workflows:
        engine = ActionsEngine(lambda _: workflows, [image], lambda: clock[0], sleep=lambda _: None)
        yield Staying(engine=engine, workflows=workflows, image=image, request=request, clock=clock)


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
    """Right after its dispatch, and its run is listed some seconds later."""
    tick(scenario)
    actions.hides = 3
    assert decided(scenario, "watcher.cli") == (0, "Building", "BuildRunning")
    assert (len(actions.runs), actions.hides) == (1, 0)


def test_a_run_that_is_listed_much_later_is_not_dispatched_again(scenario: Scenario, actions: Actions) -> None:
    """While the process stays that dispatched it, however often it looks; ten minutes, and it is taken for lost."""
    with staying(scenario, actions) as process:
        actions.hides = 1000
        for _ in range(3):
            build = process.start()
            assert (build.state, build.attempt) == (BuildState.RUNNING, 1)
        assert len(actions.runs) == 2
        process.later(timedelta(minutes=11))
        assert process.find() is None
        actions.hides = 0
        assert process.find() is not None


def test_a_run_that_cannot_be_found_again_is_dispatched_once_by_a_process(scenario: Scenario, actions: Actions) -> None:
    with staying(scenario, actions) as process:
        actions.run_name = "Nightly"
        process.start()
        for _ in range(3):
            with pytest.raises(InputError, match="does not have its key") as caught:
                process.find()
            process.later(timedelta(hours=1))
        assert len(actions.runs) == 2
        assert caught.value.next_step.endswith("delete that run")
        actions.run_name = RUN_NAME
        actions.deleted.append(2)
        assert process.find() is None


def test_two_images_of_the_same_inputs_are_built_both(scenario: Scenario, actions: Actions) -> None:
    """They have the same key; the run's title tells whose it is."""
    document = json.loads(scenario.config.read_text())
    (one,) = document["images"]
    other = {**one, "name": "infra-os", "target": f"{one['target']}-infra", "proposals": []}
    scenario.config.write_text(json.dumps(document | {"images": [one, other]}))
    for _ in range(2):
        words = ["run", "--once", "-c", str(scenario.config)]
        subprocess.run([sys.executable, "-m", "tests.watcher.soon", *words], capture_output=True, check=False)
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


def test_a_run_of_an_image_that_others_watch_goes_on(scenario: Scenario, actions: Actions) -> None:
    """Two watchers may share a workflow: whose image it is, a run's title tells."""
    theirs = actions.begin("infra-os", "e" * 64)
    for version in ("4.19.1", "4.19.2"):
        scenario.at(version)
        assert decided(scenario) == (0, "Building", "BuildRunning")
    assert theirs["conclusion"] is None
    assert [run["conclusion"] for run in actions.runs[1:]] == ["cancelled", None]


@pytest.mark.parametrize("hides", [5, 6], ids=["at the last look", "later"])
def test_an_older_run_is_cancelled_although_the_newer_is_listed_late(
    scenario: Scenario, actions: Actions, hides: int
) -> None:
    tick(scenario)
    scenario.at("4.19.2")
    actions.hidden_when_dispatched = hides
    assert decided(scenario)[:2] == (0, "Building")
    assert [run["conclusion"] for run in actions.runs] == ["cancelled", None]


def test_an_older_run_is_cancelled_although_the_runs_cannot_be_listed_then(
    scenario: Scenario, actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staying(scenario, actions) as process:
        process.later(LONG_AGO)
        list_them, listed = process.workflows.runs, list[int]()

        def fails_after_the_first(*place: str) -> Sequence[WorkflowRun]:
            listed.append(1)
            if len(listed) > 1:
                raise UnavailableError("the forge fails")
            return list_them(*place)

        monkeypatch.setattr(process.workflows, "runs", fails_after_the_first)
        assert process.engine.start(process.image, process.request, None).state is BuildState.RUNNING
    assert [run["conclusion"] for run in actions.runs] == ["cancelled", None]


def test_where_titles_name_no_image_the_older_run_is_cancelled_too(scenario: Scenario, actions: Actions) -> None:
    actions.run_name = "[{key}/{attempt}]"
    tick(scenario)
    scenario.at("4.19.2")
    assert decided(scenario) == (0, "Building", "BuildRunning")
    assert [run["conclusion"] for run in actions.runs] == ["cancelled", None]


def test_what_was_superseded_is_built_again_and_counts_for_nothing(scenario: Scenario, actions: Actions) -> None:
    """Two attempts, and the base goes to and fro before the first one fails."""
    for version in ("4.19.1", "4.19.2", "4.19.1", "4.19.2", "4.19.1"):
        scenario.at(version)
        assert decided(scenario) == (0, "Building", "BuildRunning")
    assert [body["inputs"]["attempt"] for body in actions.bodies] == ["1", "1", "2", "2", "3"]
    actions.end("failure")
    assert decided(scenario) == (0, "Held", "BackOff")
    actions.end("failure", ago=LONG_AGO)
    assert decided(scenario) == (0, "Building", "BuildRunning")
    actions.end("failure", ago=LONG_AGO)
    assert decided(scenario) == (11, "Blocked", "BuildFailed")


def test_an_older_run_goes_on_until_the_newer_is_dispatched(scenario: Scenario, actions: Actions) -> None:
    tick(scenario)
    scenario.at("4.19.2")
    actions.refuses["dispatch"] = (422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
    code, image = tick(scenario)
    assert (code, image["decision"], image["reason"]) == (11, "Blocked", "BuildMisconfigured")
    assert image["nextStep"].startswith("enable the workflow")
    assert [run["conclusion"] for run in actions.runs] == [None]
    scenario.at("4.19.1")
    assert decided(scenario) == (0, "Building", "BuildRunning")


@pytest.mark.parametrize("status", [403, 404, 409])
def test_an_older_run_that_cannot_be_cancelled_stops_nothing(scenario: Scenario, actions: Actions, status: int) -> None:
    tick(scenario)
    scenario.at("4.19.2")
    actions.refuses["cancel"] = (status, "It goes on")
    assert decided(scenario) == (0, "Building", "BuildRunning")
    assert [run["conclusion"] for run in actions.runs] == [None, None]


@pytest.mark.parametrize(
    ("status", "message", "next_step"),
    [
        pytest.param(422, "No ref found for: main", "set build.ref to a branch", id="no ref"),
        pytest.param(
            422, 'Unexpected inputs provided: ["key"]', "copy github-actions/workflows/rebuild.yml", id="other"
        ),
        pytest.param(403, "Resource not accessible by integration", "read and write actions", id="no right"),
    ],
)
def test_a_dispatch_that_is_refused_says_what_to_do(
    scenario: Scenario, actions: Actions, status: int, message: str, next_step: str
) -> None:
    actions.refuses["dispatch"] = (status, message)
    code, image = tick(scenario)
    assert (code, image["decision"]) == (11, "Blocked")
    assert next_step in image["nextStep"]


def test_a_workflow_whose_runs_cannot_be_found_again_is_told(scenario: Scenario, actions: Actions) -> None:
    actions.run_name = "Nightly"
    code, image = tick(scenario)
    assert (code, image["decision"], image["reason"]) == (11, "Blocked", "BuildMisconfigured")
    assert "title 'Nightly' does not have its key" in image["message"]
    assert "run-name with [${{ inputs.key }}/${{ inputs.attempt }}]" in image["nextStep"]


def test_a_run_that_a_person_runs_again_is_building(scenario: Scenario, actions: Actions) -> None:
    """Long after it was given up, and after an attempt that was made later."""
    for _ in range(2):
        tick(scenario)
        actions.end("failure", ago=LONG_AGO)
    assert decided(scenario) == (11, "Blocked", "BuildFailed")
    for run in actions.runs:
        run["created_at"] = at(-5 * LONG_AGO)
    actions.run_again(1)
    assert decided(scenario) == (0, "Building", "BuildRunning")
    assert len(actions.runs) == 2


def test_looking_dispatches_nothing(scenario: Scenario, actions: Actions) -> None:
    scenario.layerwatch("check", "-c", str(scenario.config))
    assert actions.bodies == []


def test_a_token_that_is_not_there_is_told(scenario: Scenario, actions: Actions) -> None:
    Path(scenario.directory / "token").unlink()
    code, image = tick(scenario)
    assert (code, image["decision"]) == (11, "Blocked")
    assert "token" in image["message"]
    assert actions.bodies == []
