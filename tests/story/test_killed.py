"""The daemon is killed at fifty random moments while a cluster upgrades: nothing is lost, and nothing happens twice."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layering.git import run_git
from tests.scenario import BRANCH, Scenario
from tests.story.mortal import Mortals
from tests.story.world import StoryWorld, commits_of_ours
from tests.tekton.installed import condition

KILLS = 50
BEGINNERS = 0.2  # of those that are killed, before they decided anything


class Others:
    """All that is done by others than the daemon: operators, the person who merges, GitOps, machines.

    They see the cluster and git, never the daemon. `versions` are those that the cluster came to.
    """

    def __init__(self, world: StoryWorld, chance: random.Random) -> None:
        self.world = world
        self.versions = ["4.19.1"]
        self.goes_on = True
        self._chance = chance
        self._story = self._upgrades()

    def act(self) -> bool:
        """Do what can be done now. False when the story is over."""
        return next(self._story, "") != ""

    def _upgrades(self) -> Iterator[str]:
        yield from self._one("4.19.1")
        while self.goes_on:
            version = f"4.19.{len(self.versions) + 1}"
            self.world.scenario.push(version)
            self.world.upgrade(version)
            self.versions.append(version)
            if self._chance.random() < 0.5:  # an update may take longer than a build, or not
                self.world.openshift.complete_upgrade()
            yield from self._one(version)

    def _one(self, version: str) -> Iterator[str]:
        """From a build to machines that run it; says what it waits for."""
        while not self._has_built(version):
            yield f"the build of {version}"
        if self.world.openshift.history()[0]["state"] == "Partial":
            self.world.openshift.complete_upgrade()
        while f"refs/heads/{BRANCH}" not in self.world.scenario.branches():
            yield f"the proposal of {version}"
        self.world.scenario.merge()
        yield "GitOps"
        self.world.apply()
        yield "the operator"
        self.world.openshift.roll_out("worker")

    def _has_built(self, version: str) -> bool:
        run = self.world.run_for(version)
        return run is not None and condition(run)[0] == "True"


@pytest.mark.parametrize("seed", [4190])
def test_killed_at_any_moment(
    scenario: Scenario,
    world_of: Callable[..., StoryWorld],
    tmp_path: Path,
    seed: int,
    request: pytest.FixtureRequest,
) -> None:
    world = world_of(scenario)
    world.begin("4.19.1", machines=1)
    mortals, chance = Mortals(world.config, tmp_path), random.Random(seed)
    others = Others(world, chance)
    try:
        mortals.live(after_its_first_decision(mortals, 0))
        unit = mortals.killed_after[0]
        for _ in range(KILLS):
            mortals.live(at_random(mortals, chance, unit), meanwhile=others.act)
        others.goes_on = False
        mortals.live(lambda age: not others.act() and words(mortals)[-1:] == ["UpToDate"])
        all_happened_once(world, others.versions)
    finally:
        told = f"seed {seed}; {others.versions[-1]} was reached; killed after {mortals.killed_after} seconds"
        request.node.add_report_section("call", "kills", told)


def at_random(mortals: Mortals, chance: random.Random, unit: float) -> Callable[[float], bool]:
    """While it begins, or in what comes after its first decision, soon rather than late: that is when it acts."""
    moment = chance.random()
    if chance.random() < BEGINNERS:
        return lambda age: age >= moment * unit
    return after_its_first_decision(mortals, 2 * moment**2 * unit)


def after_its_first_decision(mortals: Mortals, seconds: float) -> Callable[[float], bool]:
    decided: list[float] = []

    def ended(age: float) -> bool:
        if not decided and words(mortals):
            decided.append(age)
        return bool(decided) and age >= decided[0] + seconds

    return ended


def words(mortals: Mortals) -> list[str]:
    """The decisions of the one that lives, once it has seen the cluster."""
    return [line["decision"] for line in mortals.says() if line.get("decision", "Unknown") != "Unknown"]


def all_happened_once(world: StoryWorld, versions: list[str]) -> None:
    """One run for each release, which succeeded; one image, one proposal, one merge of it."""
    names = [run["metadata"]["name"] for run in world.runs()]
    releases = Counter(run["metadata"]["annotations"]["layerwatch/release"] for run in world.runs())
    assert releases == dict.fromkeys(versions, 1), names
    assert len(versions) > 3
    assert {name[-2:] for name in names} == {"-1"}
    assert len(world.scenario.tags()) == len(versions)
    for version in versions:
        base = world.built(version).annotations["org.opencontainers.image.base.digest"]
        assert base == str(world.scenario.os_images[version].digest)
    assert commits_of_ours(world.scenario) == len(versions)
    merges = run_git(world.scenario.forge, ["log", "--merges", "--format=%H", "main"]).split()
    assert len(merges) == len(versions)
    assert world.scenario.branches() == ["refs/heads/main"]
    assert world.openshift.image_of("worker") == world.pinned()
