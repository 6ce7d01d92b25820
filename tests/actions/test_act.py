"""The rebuild to copy, run by act: what it pushes and tells, the proposal after it, and what goes wrong."""

import json
import os
from pathlib import Path

import pytest

from layering.git import run_git
from layering.registry.client import RegistryClient
from tests.actions.act import OUT_OF_THE_CLONE, TOKEN, Act
from tests.actions.conftest import built, pinned
from tests.forges.github.server import NAME, add_repository, github_at
from tests.forges.github.server import TOKEN as GITHUB_TOKEN
from tests.scenario import FILE, MACHINE_CONFIG, Scenario

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
          forge-url: ${{{{ env.URL }}}}
          token: ${{{{ env.TOKEN }}}}
          repository: {NAME}
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


def test_a_rebuild_with_layerwatch_out_of_the_clone(act: Act, world: Scenario) -> None:
    """It is installed with pip, which asks a package index."""
    told = act.dispatch("rebuild.yml", inputs(request(world)), environment=OUT_OF_THE_CLONE)
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


def test_what_was_rebuilt_is_proposed_in_the_same_job(act: Act, world: Scenario, tmp_path: Path) -> None:
    """With the inputs that propose/README.md shows. The token is in the command's environment, and not in the log."""
    (act.repository / ".github" / "workflows" / "both.yml").write_text(BOTH)
    with github_at(tmp_path / "forge") as (github, _, address):
        clusters = add_repository(github, tmp_path / "forge")
        clusters.origin.commit({FILE: MACHINE_CONFIG})
        given = {"URL": f"http://{address}/api/v3", "TOKEN": GITHUB_TOKEN, "REQUEST": request(world)}
        told = act.dispatch("both.yml", environment=given)
        assert told.succeeded, told.log
        (pull,) = clusters.pulls
        assert (told.outputs["state"], told.outputs["reason"]) == ("created", "AwaitingApproval")
        assert (told.outputs["number"], told.outputs["commit"]) == (str(pull.number), pull.sha)
        assert told.outputs["pull_request"] == f"http://{address}/{NAME}/pull/{pull.number}"
        assert pinned(clusters.origin, told.outputs["branch"]) == told.outputs["image"] == built(world)
        assert "| Built on | -   | `4.19.2`" in pull.body
        assert "**Checked:** it is FROM that base" in pull.body
        again = act.dispatch("both.yml", environment=given)
        assert (again.outputs["state"], again.outputs["commit"]) == ("unchanged", pull.sha)
        assert len(clusters.pulls) == 1
    assert GITHUB_TOKEN not in told.log


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
