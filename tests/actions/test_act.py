"""The workflows to copy, run by act: a watch that builds and proposes, a rebuild, and what goes wrong."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.git import run_git
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.actions.act import TOKEN, Act
from tests.forges.gitlab.server import PATH, add_project, gitlab_at
from tests.forges.gitlab.server import TOKEN as GITLAB_TOKEN
from tests.parts import require
from tests.scenario import BRANCH, FILE, MACHINE_CONFIG, Scenario

KEY = "0" * 64
USED = f"acme/layerwatch/github-actions/{{}}@{'a' * 40}"
BOTH = f"""\
on: workflow_dispatch
jobs:
  both:
    runs-on: ubuntu-24.04
    steps:
      - uses: {USED.format("rebuild")}
        id: rebuild
        with:
          request: ${{{{ env.REQUEST }}}}
          results-dir: ${{{{ runner.temp }}}}
      - uses: {USED.format("propose")}
        with:
          forge: local
          repository: ${{{{ env.FORGE }}}}
          file: {FILE}
          cluster: prod
          pool: worker
          image: ${{{{ steps.rebuild.outputs.image }}}}
          key: ${{{{ steps.rebuild.outputs.key }}}}
          evidence: |
            resolve-base=${{{{ runner.temp }}}}/resolve-base
            build-image=${{{{ runner.temp }}}}/build-image
            check-image=${{{{ runner.temp }}}}/check-image
"""
IMAGE = f"registry.example.com/acme/worker-os@sha256:{'b' * 64}"
PROPOSE = f"""\
on: workflow_dispatch
jobs:
  propose:
    runs-on: ubuntu-24.04
    steps:
      - uses: {USED.format("propose")}
        with:
          forge: gitlab
          forge-url: ${{{{ env.URL }}}}
          token: ${{{{ env.TOKEN }}}}
          repository: {PATH}
          file: {FILE}
          cluster: prod
          pool: worker
          image: ${{{{ env.IMAGE }}}}
          key: "{KEY}"
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Scenario]:
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        yield Scenario(tmp_path, server.address, settings).set_up()


@pytest.fixture
def act(world: Scenario, tmp_path: Path) -> Act:
    """A repository with the configuration of that world."""
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{world.registry}"\ninsecure = true\n')
    world.configure(
        source={"git": str(world.source), "context": "worker", "containerfile": "worker/Containerfile"},
        proposals=[world.proposal(repository=str(world.forge))],
    )
    files = {name: (tmp_path / name).read_text() for name in ("layerwatch.yaml", "clusterversion.yaml")}
    directory = tmp_path / "act"
    return Act(
        program=require("act"), directory=directory, environment={"CONTAINERS_REGISTRIES_CONF": str(conf)}
    ).set_up(files)


def request(world: Scenario, **changed: object) -> str:
    """What a watcher sends for 4.19.2."""
    document = {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "RebuildRequest",
        "image": "worker-os",
        "base": str(world.os_images["4.19.2"]),
        "release": "4.19.2",
        "platforms": ["linux/amd64"],
        "source": {
            "git": str(world.source),
            "commit": run_git(world.source, ["rev-parse", "main"]).strip(),
            "context": "worker",
            "containerfile": "worker/Containerfile",
        },
        "target": str(world.target.tagged("4.19.2")),
        **changed,
    }
    return json.dumps(document)


def inputs(request: str) -> dict[str, str]:
    return {"request": request, "key": KEY, "attempt": "1"}


def test_a_rebuild(act: Act, world: Scenario) -> None:
    told = act.dispatch("rebuild.yml", inputs(request(world)))
    assert told.succeeded, told.log
    assert {name: told.outputs[name] for name in ("image", "passed")} == {
        "image": f"{world.target}@{told.outputs['digest']}",
        "passed": "true",
    }
    with RegistryClient(world.settings) as client:
        assert str(client.resolve(world.target.tagged("4.19.2")).digest) == told.outputs["digest"]
    assert "### layerwatch-step run" in told.summary
    assert TOKEN not in told.log


def test_a_rebuild_with_layerwatch_out_of_the_checkout(act: Act, world: Scenario) -> None:
    """It is installed with pip, which asks a package index."""
    told = act.dispatch("rebuild.yml", inputs(request(world)), LAYERWATCH_BIN="")
    if "No matching distribution" in told.log and os.environ.get("REQUIRE_REAL_PARTS") != "1":
        pytest.skip("pip reaches no package index")
    assert told.succeeded, told.log
    assert told.outputs["passed"] == "true"


def test_a_rebuild_shows_what_differs_from_what_is_pinned(act: Act, world: Scenario) -> None:
    proposals = [world.proposal(repository=str(world.forge))]
    before = {"base": str(world.os_images["4.19.1"]), "release": "4.19.1", "target": str(world.target.tagged("4.19.1"))}
    assert act.dispatch("rebuild.yml", inputs(request(world, proposals=proposals, **before))).succeeded
    world.merge()
    told = act.dispatch("rebuild.yml", inputs(request(world, proposals=proposals)))
    assert told.succeeded, told.log
    assert "OS version `9.6.1-0` → `9.6.2-0`" in told.summary
    assert "| `linux/amd64` |" in told.summary


def test_a_watch_builds_and_proposes(act: Act, world: Scenario) -> None:
    dry = act.dispatch("watch.yml", {"dry-run": "true"})
    assert dry.succeeded, dry.log
    assert [entry["decision"] for entry in json.loads(dry.outputs["decisions"])["images"]] == ["Rebuild"]
    assert world.branches() == ["refs/heads/main"]
    told = act.dispatch("watch.yml", {})
    assert told.succeeded, told.log
    (entry,) = json.loads(told.outputs["decisions"])["images"]
    assert entry["pull_request"] == "layerwatch/prod/worker"
    assert world.branches() == ["refs/heads/layerwatch/prod/worker", "refs/heads/main"]
    assert "| `worker-os` |" in told.summary


def test_what_was_rebuilt_is_proposed_in_the_same_job(act: Act, world: Scenario) -> None:
    """With the inputs that propose/README.md shows, the forge aside."""
    (act.repository / ".github" / "workflows" / "both.yml").write_text(BOTH)
    environment = {"FORGE": str(world.forge), "REQUEST": request(world)}
    told = act.dispatch("both.yml", {}, **environment)
    assert told.succeeded, told.log
    assert (told.outputs["state"], told.outputs["reason"]) == ("created", "AwaitingApproval")
    assert told.outputs["image"] in run_git(world.forge, ["show", f"{BRANCH}:{FILE}"])
    assert "4.19.2" in world.proposal_message()
    again = act.dispatch("both.yml", {}, **environment)
    assert (again.outputs["state"], again.outputs["commit"]) == ("unchanged", told.outputs["commit"])


def test_a_merge_request_is_opened_on_a_forge(act: Act, world: Scenario, tmp_path: Path) -> None:
    """A GitLab of the tests; its token is in the environment of the command, and nowhere in the log."""
    (act.repository / ".github" / "workflows" / "propose.yml").write_text(PROPOSE)
    with gitlab_at(tmp_path / "forge") as (gitlab, address):
        origin = add_project(gitlab, tmp_path / "forge").origin
        origin.commit({FILE: MACHINE_CONFIG})
        told = act.dispatch("propose.yml", {}, URL=f"http://{address}/api/v4", TOKEN=GITLAB_TOKEN, IMAGE=IMAGE)
    assert told.succeeded, told.log
    assert (told.outputs["state"], told.outputs["key"]) == ("created", KEY)
    assert told.outputs["pull_request"].startswith(f"http://{address}/{PATH}")
    assert GITLAB_TOKEN not in told.log


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        pytest.param({"base": "quay.io/a/b:tag"}, 2, "base", id="a request with a base that is not pinned"),
        pytest.param({"key": "f" * 64}, 2, "the request's key is ffffffffffff", id="the key of something else"),
        pytest.param({"target": "{registry}/none/../x:1"}, 2, "target", id="no target"),
    ],
)
def test_wrong_inputs_are_annotated(act: Act, world: Scenario, changed: dict[str, str], code: int, said: str) -> None:
    told = act.dispatch("rebuild.yml", inputs(request(world, **changed)))
    assert not told.succeeded
    (annotation,) = told.annotations
    assert (annotation.level, annotation.title) == ("error", "layerwatch-step run")
    assert said in annotation.message
    assert told.exit_codes == {code}


def test_a_watch_without_its_configuration(act: Act) -> None:
    (act.repository / "layerwatch.yaml").unlink()
    told = act.dispatch("watch.yml", {})
    (annotation,) = told.annotations
    assert (annotation.level, told.exit_codes) == ("error", {2})
    assert "layerwatch.yaml" in annotation.message
