"""The whole story: a cluster upgrades, its image is built by Tekton, proposed, merged, applied, and rolled out."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layering.cluster.resources import PIPELINE_RUNS, PODS, TASK_RUNS
from layering.git import run_git
from tests.daemon.process import Daemon, eventually, running
from tests.docker_registry import docker_registry
from tests.kubernetes.rest import Body
from tests.scenario import Scenario
from tests.story.world import StoryWorld, comes_to, commits_of_ours, decisions, reasons

REGISTRY_ACCESS = [
    {"name": "dockerconfig", "secret": {"secretName": "registry"}},
    {"name": "ca", "configMap": {"name": "ca"}},
]
FIRST_IMAGE = [
    ("Rebuild", "NeverBuilt"),
    ("Building", "BuildRunning"),
    ("Propose", "ImageReady"),
    ("AwaitingApproval", "ProposalOpen"),
    ("RollingOut", "MergedNotApplied"),
    ("RollingOut", "PoolUpdating"),
    ("UpToDate", "MatchesBase"),
]
UPGRADE = [
    ("Rebuild", "BaseChanged"),
    ("Building", "BuildRunning"),
    ("Held", "UpdateInProgress"),
    ("Propose", "ImageReady"),
    ("AwaitingApproval", "ProposalOpen"),
    ("RollingOut", "MergedNotApplied"),
    ("RollingOut", "PoolUpdating"),
    ("Blocked", "PoolDegraded"),
    ("RollingOut", "PoolUpdating"),
    ("UpToDate", "MatchesBase"),
]


@pytest.fixture
def world(tmp_path: Path, world_of: Callable[..., StoryWorld]) -> Iterator[StoryWorld]:
    """Its registry is docker-registry, with a password and a CA of its own, which builds get from a Secret."""
    home = tmp_path / "registry"
    home.mkdir()
    with docker_registry(home) as (address, settings):
        access = {"authFile": str(settings.auth_file), "caFile": str(settings.ca_file)}
        scenario = Scenario(directory=tmp_path, registry=address, settings=settings, extra_registries=access)
        world = world_of(scenario.set_up(), workspaces=REGISTRY_ACCESS)
        assert settings.auth_file is not None
        assert settings.ca_file is not None
        world.keep("secrets", "registry", {".dockerconfigjson": settings.auth_file.read_text()})
        world.keep("configmaps", "ca", {"registry.crt": settings.ca_file.read_text()})
        world.begin("4.19.1", machines=2)
        yield world


def test_from_an_upgrade_to_machines_that_run_its_image(world: StoryWorld) -> None:
    with running(world.config, "--leader-elect") as daemon:
        the_first_image(world, daemon)
        world.upgrade("4.19.2")
        run = the_build_during_the_upgrade(world, daemon)
        world.openshift.complete_upgrade()
        waiting = comes_to(daemon, "AwaitingApproval", "ProposalOpen")
        assert waiting["pull_request"] == "layerwatch/prod/worker"
        the_rollout(world, daemon)
        assert decisions(daemon) == FIRST_IMAGE + UPGRADE
        what_is_counted_and_told(world, daemon)
        assert world.scenario.decision() == ("UpToDate", "MatchesBase")
    nothing_happened_twice(world)
    what_the_run_says(world, run)
    what_the_image_says(world, run)


def the_first_image(world: StoryWorld, daemon: Daemon) -> None:
    """From a pool that nobody overrides to one that runs our image of the same release."""
    first = eventually("a run for 4.19.1", lambda: world.run_for("4.19.1"))
    assert world.end_of(first) == ("True", "Succeeded")
    comes_to(daemon, "AwaitingApproval", "ProposalOpen")
    world.scenario.merge()
    comes_to(daemon, "RollingOut", "MergedNotApplied")
    world.apply()
    comes_to(daemon, "RollingOut", "PoolUpdating")
    world.openshift.roll_out("worker")
    assert bases(comes_to(daemon, "UpToDate", "MatchesBase")) == [digest(world, "4.19.1")] * 2


def the_build_during_the_upgrade(world: StoryWorld, daemon: Daemon) -> Body:
    """It is built at once, and proposed not before the cluster has come to the release. Gives the run."""
    run: Body = eventually("a run for 4.19.2", lambda: world.run_for("4.19.2"))
    assert world.end_of(run) == ("True", "Succeeded")
    comes_to(daemon, "Held", "UpdateInProgress")
    assert world.scenario.branches() == ["refs/heads/main"]
    return run


def the_rollout(world: StoryWorld, daemon: Daemon) -> None:
    """Merged, applied, on one machine, stuck, mended, on all: the daemon and verify-rollout say the same."""
    world.scenario.merge()
    comes_to(daemon, "RollingOut", "MergedNotApplied")
    image = world.pinned()
    assert world.verify_rollout(image) == (4, "NotRequested")
    world.apply()
    world.openshift.roll_out("worker", machines=1)
    comes_to(daemon, "RollingOut", "PoolUpdating", "1 of 2 nodes run the image")  # a look before says 0 of 2
    assert world.verify_rollout(image) == (4, "Updating")
    world.openshift.degrade("worker", "worker-1: no space left on device")
    assert "no space left" in comes_to(daemon, "Blocked", "PoolDegraded")["message"]
    assert world.verify_rollout(image) == (7, "Degraded")
    world.openshift.roll_out("worker", machines=0)
    comes_to(daemon, "RollingOut", "PoolUpdating")
    world.openshift.roll_out("worker")
    assert bases(comes_to(daemon, "UpToDate", "MatchesBase")) == [digest(world, "4.19.2")] * 2
    assert world.verify_rollout(image) == (0, "RolledOut")
    assert world.openshift.image_of("worker") == image


def what_is_counted_and_told(world: StoryWorld, daemon: Daemon) -> None:
    told = daemon.metrics()
    assert told["layerwatch_decision"] == {("worker-os", "prod", "worker", "UpToDate", "MatchesBase"): 1.0}
    assert told["layerwatch_builds_total"] == {("worker-os", "succeeded"): 2.0}
    assert told["layerwatch_proposals_total"] == {("worker-os", "opened"): 2.0, ("worker-os", "merged"): 2.0}
    expected = Counter(reason for _, reason in FIRST_IMAGE + UPGRADE)
    eventually("all that people are told", lambda: reasons(world.events()) == expected)


def digest(world: StoryWorld, version: str) -> str:
    return str(world.scenario.os_images[version].digest)


def bases(entry: Body) -> list[str]:
    """The digests of the base that runs and of the one that matches, as /status has them."""
    return [str(entry["base"][which]).rpartition("@")[2] for which in ("running", "matching")]


def nothing_happened_twice(world: StoryWorld) -> None:
    admin = world.server.admin
    for resource in (PIPELINE_RUNS, TASK_RUNS, PODS):
        assert len(admin.list(resource, namespace=world.namespace)) == 2, resource.plural
    assert len(world.scenario.tags()) == commits_of_ours(world.scenario) == 2
    assert world.scenario.branches() == ["refs/heads/main"]


def what_the_run_says(world: StoryWorld, run: Body) -> None:
    metadata, request = run["metadata"], json.loads(run["spec"]["params"][-1]["value"])
    key, base = request["key"], world.scenario.os_images["4.19.2"]
    assert metadata["name"] == f"worker-os-{key[:12]}-1"
    assert (
        metadata["labels"].items()
        >= {
            "app.kubernetes.io/managed-by": "layerwatch",
            "layerwatch/image": "worker-os",
            "layerwatch/build-key": key[:12],
        }.items()
    )
    assert {name: text for name, text in metadata["annotations"].items() if name.startswith("layerwatch/")} == {
        "layerwatch/build-key": key,
        "layerwatch/base": f"{base.repository}@{base.digest}",
        "layerwatch/release": "4.19.2",
        "layerwatch/target": request["target"],
        "layerwatch/source-commit": run_git(world.scenario.source, ["rev-parse", "main"]).strip(),
    }
    assert request["proposals"] == []


def what_the_image_says(world: StoryWorld, run: Body) -> None:
    annotations = world.built("4.19.2").annotations
    told = run["metadata"]["annotations"]
    assert annotations["layerwatch.build-key"] == told["layerwatch/build-key"]
    assert annotations["layerwatch.base-version"] == "4.19.2"
    assert annotations["org.opencontainers.image.base.digest"] == digest(world, "4.19.2")
    assert annotations["org.opencontainers.image.revision"] == told["layerwatch/source-commit"]
