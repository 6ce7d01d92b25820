"""What is decided about an image whose cluster has a real API: the pool's own situation, streams, a dead neighbour.

Two servers that are asked the same way: the one of the test session, and a port nobody listens on.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layering.machineconfig import read_claim
from layering.registry.server import RegistryServer
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer
from tests.scenario import Scenario
from watcher.configuration import load
from watcher.report import Verdict
from watcher.watch import watching

OURS = "99-worker-osimageurl"
DEAD = """\
apiVersion: v1
kind: Config
current-context: dead
contexts: [{name: dead, context: {cluster: dead, user: dead}}]
clusters: [{name: dead, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: dead, user: {token: nobody}}]
"""


@dataclass
class World:
    """A scenario whose cluster `prod` is a real API server on release 4.19.1 with a pool of one worker."""

    scenario: Scenario
    openshift: OpenShiftPlay
    kubeconfig: Path

    def configure(self, *, clusters: dict[str, Any] | None = None, registries: Any = None, **image: Any) -> None:
        self.scenario.configure(**image)
        document = json.loads(self.scenario.config.read_text())
        access = {"prod": {"kubeconfig": str(self.kubeconfig)}, **(clusters or {})}
        document["clusters"] = [{"name": name, "access": each} for name, each in access.items()]
        document["registries"] |= registries or {}
        self.scenario.config.write_text(json.dumps(document))

    def decided(self) -> list[Verdict]:
        with watching(load(self.scenario.config)) as watch:
            return list(watch.look_and_tick(lambda verdict: None, dry_run=True))

    def decision(self) -> tuple[str, str]:
        (verdict,) = self.decided()
        return verdict.decision.kind.value, verdict.decision.reason.value

    def merged(self) -> str:
        """Build, propose and merge; gives the image that git pins then."""
        with watching(load(self.scenario.config)) as watch:
            watch.look_and_tick(lambda verdict: None)
        self.scenario.merge()
        return read_claim(self.scenario.file_on_main()).image or ""

    def status(self) -> list[dict[str, Any]]:
        """The images of `layerwatch status --output json`."""
        told = self.scenario.layerwatch("status", "-c", str(self.scenario.config), "--output", "json")
        images: list[dict[str, Any]] = json.loads(told.stdout)["images"]
        return images

    def os_image(self, version: str) -> str:
        """The OS image of a release that was pushed."""
        return str(self.scenario.os_images[version])


@pytest.fixture
def world(scenario: Scenario, openshift: OpenShiftPlay, api_server: TestApiServer) -> World:
    openshift.pool("worker", machines=1)
    openshift.cluster_version("4.19.1", str(scenario.payloads["4.19.1"]))
    made = World(scenario, openshift, api_server.kubeconfig)
    made.configure()
    return made


def streams(*, same: bool) -> Callable[[World], None]:
    def play(world: World) -> None:
        other = f"registry.example.com/os@sha256:{'5' * 64}"
        image = world.os_image("4.19.1") if same else other
        world.openshift.os_image_stream({"rhel-9": image, "rhel-10": other}, default="rhel-9")

    return play


def upgrading(world: World) -> None:
    streams(same=True)(world)
    world.openshift.upgrade("4.19.2", str(world.scenario.payloads["4.19.2"]))


def set_by(name: str) -> Callable[[World], None]:
    def play(world: World) -> None:
        world.openshift.machine_config(name, "worker", f"registry.example.com/gpu@sha256:{'6' * 64}")
        world.openshift.render("worker")

    return play


SITUATIONS: dict[str, tuple[Callable[[World], None], str, str]] = {
    "nothing special": (lambda world: None, "Rebuild", "NeverBuilt"),
    "the payload's tag is one of the streams": (streams(same=True), "Rebuild", "NeverBuilt"),
    "the payload's tag is none of the streams": (streams(same=False), "Blocked", "StreamDisagreement"),
    "during an update payload and streams differ by nature": (upgrading, "Rebuild", "NeverBuilt"),
    "the cluster layers the pool itself": (
        lambda world: world.openshift.layer_on_cluster("worker"), "Blocked", "PoolLayeredByMachineOSConfig",
    ),
    "a MachineConfig that wins over ours": (set_by("99-zz-gpu"), "Blocked", "OverriddenElsewhere"),
    "a MachineConfig that loses against ours": (set_by("50-gpu"), "Rebuild", "NeverBuilt"),
    "an arm64 node joined": (
        lambda world: world.openshift.node("arm", arch="arm64"), "Blocked", "ArchitectureMissing",
    ),
    "the operator has not seen what is asked": (
        lambda world: world.openshift.request_upgrade("4.19.2", str(world.scenario.payloads["4.19.2"])),
        "Unknown", "StatusNotObserved",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("play", "kind", "reason"), SITUATIONS.values(), ids=SITUATIONS)
def test_a_pool_s_situation(world: World, play: Callable[[World], None], kind: str, reason: str) -> None:
    play(world)
    assert world.decision() == (kind, reason)


def test_a_pool_that_names_a_stream(world: World) -> None:
    world.openshift.pool("edge", stream="rhel-10")
    world.configure(proposals=[world.scenario.proposal(pool="edge", create=True, file="edge.yaml")])
    assert world.decision() == ("Blocked", "PoolStreamSet")


def test_a_pool_that_is_not_there(world: World) -> None:
    world.configure(proposals=[world.scenario.proposal(pool="edge", create=True, file="edge.yaml")])
    (verdict,) = world.decided()
    assert (verdict.decision.kind.value, verdict.decision.reason.value) == ("Blocked", "PoolMissing")
    assert "it has worker" in verdict.decision.next_step


def test_from_the_merge_to_the_last_node(world: World) -> None:
    image = world.merged()
    assert world.decision() == ("RollingOut", "MergedNotApplied")
    world.openshift.machine_config(OURS, "worker", image)
    world.openshift.render("worker")
    assert world.decision() == ("RollingOut", "PoolUpdating")
    world.openshift.degrade("worker", "failed to update OS: no such image")
    assert world.decision() == ("Blocked", "PoolDegraded")
    world.openshift.roll_out("worker")
    assert world.decision() == ("UpToDate", "MatchesBase")


def test_a_paused_pool_keeps_what_is_merged_waiting(world: World) -> None:
    image = world.merged()
    world.openshift.pause("worker")
    world.openshift.machine_config(OURS, "worker", image)
    world.openshift.render("worker")
    assert world.decision() == ("Held", "PoolPaused")


def test_status_tells_what_the_nodes_run_and_not_what_git_pins(world: World) -> None:
    """A paused pool is behind, although the newer image is merged and applied."""
    world.openshift.machine_config(OURS, "worker", world.merged())
    world.openshift.render("worker")
    world.openshift.roll_out("worker")
    (old,) = world.status()
    world.openshift.pause("worker")
    world.openshift.upgrade("4.19.2", str(world.scenario.payloads["4.19.2"]))
    world.openshift.complete_upgrade()
    world.openshift.machine_config(OURS, "worker", world.merged())
    world.openshift.render("worker")
    (new,) = world.status()
    assert (new["reason"], new["behind"]["releases"], new["rollout"]) == ("PoolPaused", 1, {"updated": 0, "total": 1})
    assert new["base"]["running"] == old["base"]["running"] != new["base"]["matching"]
    world.openshift.pause("worker", paused=False)
    world.openshift.roll_out("worker")
    (done,) = world.status()
    assert (done["reason"], done["behind"]["releases"]) == ("MatchesBase", 0)
    assert done["base"]["running"] == done["base"]["matching"]


def test_a_custom_pool_that_takes_worker_s_image_is_named_and_its_nodes_count(world: World) -> None:
    world.openshift.machine_config(OURS, "worker", f"registry.example.com/os@sha256:{'4' * 64}")
    world.openshift.pool("infra", machines=1)
    world.openshift.render("worker")
    world.openshift.render("infra")
    with watching(load(world.scenario.config)) as watch:
        watch.look_and_tick(lambda verdict: None)
    told = world.scenario.proposal_message()
    assert "- pool `infra`, which takes the same MachineConfig: 1 node, 1 at a time" in told
    world.openshift.node("arm", pool="infra", arch="arm64")
    (verdict,) = world.decided()
    assert verdict.decision.reason.value == "ArchitectureMissing"
    assert verdict.decision.message.startswith("infra has arm64 nodes")


def test_a_file_that_is_not_in_git_is_told_before_anything_is_built(world: World) -> None:
    world.configure(proposals=[world.scenario.proposal(file="clusters/prod/98-typo.yaml")])
    (verdict,) = world.decided()
    assert (verdict.decision.kind.value, verdict.decision.reason.value) == ("Blocked", "InputInvalid")
    assert "there is no clusters/prod/98-typo.yaml on main" in verdict.decision.message


def test_following_a_stream(world: World) -> None:
    newer = world.os_image("4.19.2")
    world.openshift.os_image_stream({"rhel-9": world.os_image("4.19.1"), "rhel-10": newer}, default="rhel-9")
    world.configure(base={"cluster": "prod", "stream": "rhel-10"})
    (verdict,) = world.decided()
    assert verdict.decision.kind.value == "Rebuild"
    assert str(verdict.seen.wanted.base.reference) == newer  # type: ignore[union-attr] # Rebuild: an observation
    assert verdict.seen.wanted.target.tag.startswith("4.19.1-")  # type: ignore[union-attr]


def test_during_an_update_a_stream_still_belongs_to_the_release_before(world: World) -> None:
    upgrading(world)
    world.configure(base={"cluster": "prod", "stream": "rhel-9"})
    (verdict,) = world.decided()
    assert verdict.seen.wanted.target.tag.startswith("4.19.1-")  # type: ignore[union-attr]


def test_a_stream_that_is_not_there(world: World) -> None:
    streams(same=True)(world)
    world.configure(base={"cluster": "prod", "stream": "rhel-11"})
    (verdict,) = world.decided()
    assert (verdict.decision.kind.value, verdict.decision.reason.value) == ("Blocked", "BaseNotFound")
    assert "rhel-10, rhel-9" in verdict.decision.next_step


def test_a_dead_cluster_is_unknown_and_its_neighbour_is_not(world: World, tmp_path: Path) -> None:
    (tmp_path / "dead").write_text(DEAD)
    proposals = [
        world.scenario.proposal(),
        world.scenario.proposal(cluster="edge", file="clusters/edge/99-worker.yaml", create=True),
    ]
    world.configure(clusters={"edge": {"kubeconfig": "dead"}}, proposals=proposals)
    found = [(each.decision.kind.value, each.decision.reason.value) for each in world.decided()]
    assert found == [("Rebuild", "NeverBuilt"), ("Unknown", "Unreachable")]


def test_a_disconnected_cluster_is_read_through_its_mirrors_with_its_pull_secret(
    world: World, server: RegistryServer
) -> None:
    """The payload and what it names are at a registry that is nowhere; only the cluster knows where its mirror is."""
    source = "quay.invalid"
    world.openshift.cluster_version("4.19.1", str(world.scenario.payloads["4.19.1"]).replace(server.address, source))
    world.openshift.digest_mirrors("all", {source: [server.address]}, never_contact_source=True)
    world.openshift.pull_secret({"auths": {server.address: {"auth": "cm9ib3Q6U2VzYW1lMQ=="}}})
    assert world.decision()[0] != "Rebuild"
    world.configure(registries={"mirrors": "cluster", "authFile": "cluster"})
    assert world.decision() == ("Rebuild", "NeverBuilt")


def test_without_a_pull_secret_that_is_asked_for_it_cannot_be_told(world: World) -> None:
    world.configure(registries={"authFile": "cluster"})
    (verdict,) = world.decided()
    assert verdict.decision.reason.value == "NotFound"
    assert "pull-secret" in verdict.decision.message
