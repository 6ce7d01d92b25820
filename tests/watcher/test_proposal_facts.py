"""What a proposal is told of what was seen: why now, which nodes reboot, which run built it."""

from dataclasses import replace
from typing import Any

import pytest

from layering.evidence import Evidence
from layering.proposal import Facts, Rollout
from layering.request import ProposalEntry
from tests.watcher.test_decide import BUILT, NEW_BASE, ON_OLD_BASE, POOL, WANTED, attempt, seen
from watcher.engines.engine import Build, BuildState
from watcher.proposal_facts import proposal_facts
from watcher.settings_image import ImageSettings
from watcher.world import Observation

IMAGE = ImageSettings.model_validate(
    {
        "name": "worker-os",
        "base": {"cluster": "prod", "tag": "rhel-coreos"},
        "source": {"git": "https://git.example.com/acme/os.git", "ref": "main"},
        "target": "registry.example.com/acme/worker-os",
    }
)
ENTRY = ProposalEntry(cluster="prod", pool="worker", repository="config", file="worker.yaml")


def told(observation: Observation, build: Build | None = None) -> Facts:
    return proposal_facts(IMAGE, ENTRY, observation, BUILT, Evidence(), build)


WHY = {
    "another release": (ON_OLD_BASE, "the cluster runs `4.19.2` now"),
    "the same base": (replace(ON_OLD_BASE, base_digest=NEW_BASE), "the source of the image changed"),
    "none of ours": (replace(ON_OLD_BASE, key=None), "it has none of ours yet"),
    "nothing": (None, "it has none of ours yet"),
}


@pytest.mark.parametrize(("running", "why"), WHY.values(), ids=WHY)
def test_why_now(running: Any, why: str) -> None:
    assert told(seen(running=running)).why == why


@pytest.mark.parametrize(
    ("running", "why"),
    [
        pytest.param(ON_OLD_BASE, "the cluster is on its way to `4.19.2`", id="another release"),
        pytest.param(
            replace(ON_OLD_BASE, revision="d" * 40),
            "the cluster is on its way to `4.19.2`, and its source is another commit",
            id="and another source",
        ),
        pytest.param(replace(ON_OLD_BASE, base_digest=NEW_BASE), "the source of the image changed", id="the same base"),
    ],
)
def test_why_now_while_the_update_is_not_completed(running: Any, why: str) -> None:
    assert told(seen(running=running, wanted=replace(WANTED, update_completed=False))).why == why


def test_which_nodes_reboot() -> None:
    pool = replace(POOL, total=25, max_unavailable="10%", zones=(("eu-1a", 12), ("eu-1b", 13)))
    infra = replace(POOL, name="infra", paused=True)
    facts = told(seen(pool=pool, also=(infra,)))
    assert facts.also == ("infra",)
    assert facts.rollouts == (
        Rollout(pool="worker", machines=25, at_once=2, zones=(("eu-1a", 12), ("eu-1b", 13))),
        Rollout(pool="infra", machines=3, paused=True),
    )


def test_of_a_cluster_that_is_a_file_no_nodes_are_known() -> None:
    assert told(seen()).rollouts == ()


BUILDS = {
    "none is known": (None, None),
    "it succeeded": (attempt(BuildState.SUCCEEDED), "worker-os-aaaaaaaaaaaa-2"),
    "its end is not told yet": (attempt(BuildState.RUNNING), "worker-os-aaaaaaaaaaaa-2"),
    "it failed, so that the image is not its": (attempt(BuildState.FAILED), None),
    "it was cancelled": (attempt(BuildState.CANCELLED), None),
}


@pytest.mark.parametrize(("build", "name"), BUILDS.values(), ids=BUILDS)
def test_which_run_built_it(build: Build | None, name: str | None) -> None:
    assert told(seen(), build).build == name


def test_the_local_forge_has_a_branch_and_nothing_else() -> None:
    assert told(seen()).branch_only


def test_the_page_of_the_run() -> None:
    url = "https://git.example.com/acme/os/actions/runs/7"
    assert told(seen(), replace(attempt(BuildState.SUCCEEDED), url=url)).build_url == url
