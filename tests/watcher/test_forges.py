"""The whole job with pull requests: noticed, built, proposed, merged by a person; on every forge of WORLDS."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from layering.forge.marker import Marker
from layering.forge.settings import Kind
from tests.forges.world import WORLDS, World
from tests.scenario import BRANCH, FILE, MACHINE_CONFIG, Scenario

INFRA = "clusters/prod/99-infra.yaml"


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    (tmp_path / "forge-of-test").mkdir()
    with WORLDS[request.param](tmp_path / "forge-of-test") as made:
        made.origin.commit({FILE: MACHINE_CONFIG, INFRA: MACHINE_CONFIG.replace("worker", "infra")})
        yield made


def configure(scenario: Scenario, world: World, *proposals: dict[str, Any], **more: Any) -> None:
    """The forge, and where the image is proposed in it."""
    place = {"cluster": "prod", "forge": "there", "repository": world.repository}
    entries = [{**place, **each} for each in proposals or ({"pool": "worker", "file": FILE},)]
    scenario.configure(proposals=entries)
    document = json.loads(scenario.config.read_text())
    reached = {"url": world.settings.url, "tokenFile": str(world.settings.token_file)}
    document["forges"] = [{"name": "there", "kind": str(world.settings.kind), **reached, **more}]
    scenario.config.write_text(json.dumps(document))


def images(scenario: Scenario, *words: str) -> list[dict[str, Any]]:
    done = scenario.layerwatch(*words, "-c", str(scenario.config), "--output", "json")
    found: list[dict[str, Any]] = json.loads(done.stdout)["images"]
    return found


def test_from_nothing_to_merged_to_the_next_release(scenario: Scenario, world: World) -> None:
    configure(scenario, world)
    assert scenario.decision() == ("Rebuild", "NeverBuilt")
    assert world.pulls() == []
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    (opened,) = world.pulls()
    assert "4.19.1" in opened.title
    assert Marker.parse(opened.body) is not None
    (image,) = images(scenario, "check")
    assert str(image["pull_request"]).endswith(f"/{opened.number}")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    assert world.pulls() == [opened]
    world.merge()
    assert scenario.tick() == ("UpToDate", "MatchesBase")
    scenario.at("4.19.2")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    assert [each.state for each in world.pulls()] == ["merged", "open"]
    world.close()
    assert scenario.tick() == ("Held", "ClosedByPerson")
    assert len(world.pulls()) == 2


def test_what_the_forge_does_not_take_is_told_in_the_log(scenario: Scenario, world: World) -> None:
    configure(scenario, world, {"pool": "worker", "file": FILE, "reviewers": ["nobody-knows"]})
    done = scenario.layerwatch("run", "--once", "-c", str(scenario.config))
    assert "'nobody-knows'" in done.stderr
    assert [each.state for each in world.pulls()] == ["open"]


def test_what_was_merged_and_reverted_is_an_alert(scenario: Scenario, world: World) -> None:
    configure(scenario, world)
    scenario.tick()
    world.merge()
    world.origin.commit({FILE: MACHINE_CONFIG})
    done = scenario.layerwatch("run", "--once", "-c", str(scenario.config), "--output", "json")
    (image,) = json.loads(done.stdout)["images"]
    assert (done.returncode, image["decision"], image["reason"]) == (11, "Blocked", "Reverted")
    assert len(world.pulls()) == 1


def test_a_forge_that_does_not_take_the_token_blocks(scenario: Scenario, world: World, tmp_path: Path) -> None:
    configure(scenario, world)
    document = json.loads(scenario.config.read_text())
    (tmp_path / "wrong").write_text("wr0ng-token")
    document["forges"][0]["tokenFile"] = "wrong"
    scenario.config.write_text(json.dumps(document))
    done = scenario.layerwatch("check", "-c", str(scenario.config), "--output", "json")
    (image,) = json.loads(done.stdout)["images"]
    assert (done.returncode, image["decision"], image["reason"]) == (11, "Blocked", "ForgeRefused")
    assert "wr0ng-token" not in done.stdout + done.stderr


def test_a_group_is_one_branch_one_commit_one_pull_request(scenario: Scenario, world: World) -> None:
    configure(
        scenario,
        world,
        {"pool": "worker", "file": FILE, "group": "nodes"},
        {"pool": "infra", "file": INFRA, "group": "nodes"},
    )
    done = scenario.layerwatch("run", "--once", "-c", str(scenario.config), "--output", "json")
    told = json.loads(done.stdout)["images"]
    assert [(each["decision"], each["reason"]) for each in told] == [("AwaitingApproval", "ProposalOpen")] * 2
    (only,) = world.pulls()
    branch = "layerwatch/group/nodes"
    assert world.origin.head(BRANCH) is None
    assert world.origin.git("rev-list", "--count", f"main..{branch}") == "1"
    changed = world.origin.git("diff", "--name-only", f"main..{branch}").split()
    assert changed == sorted([FILE, INFRA])
    before = world.origin.head(branch)
    scenario.layerwatch("run", "--once", "-c", str(scenario.config))
    assert (world.pulls(), world.origin.head(branch)) == ([only], before)
    world.merge()
    assert {(each["decision"], each["reason"]) for each in images(scenario, "check")} == {("UpToDate", "MatchesBase")}


def test_a_line_of_a_group_that_has_to_wait_stays_as_it_is(scenario: Scenario, world: World) -> None:
    grouped = [{"pool": "worker", "file": FILE, "group": "nodes"}, {"pool": "infra", "file": INFRA, "group": "nodes"}]
    configure(scenario, world, *grouped)
    images(scenario, "run", "--once")
    branch = "layerwatch/group/nodes"
    before = world.origin.show(branch, INFRA)
    hours = datetime.now(UTC).hour
    never = [{"from": f"{(hours + 12) % 24:02}:00", "to": f"{(hours + 13) % 24:02}:00"}]
    configure(scenario, world, grouped[0], {**grouped[1], "windows": never})
    scenario.at("4.19.2")
    told = images(scenario, "run", "--once")
    assert [each["reason"] for each in told] == ["ProposalOpen", "OutsideWindow"]
    assert world.origin.show(branch, INFRA) == before
    assert world.origin.show(branch, FILE) != before.replace("infra", "worker")
    assert world.origin.git("rev-list", "--count", f"main..{branch}") == "1"
    configure(scenario, world, *grouped)
    assert [each["reason"] for each in images(scenario, "run", "--once")] == ["ProposalOpen"] * 2
    assert world.origin.show(branch, INFRA) != before
    assert len(world.pulls()) == 1


def test_ignore_waits_for_no_window(scenario: Scenario, world: World) -> None:
    """It is said of the image that is open, and a window is for the newer one."""
    configure(scenario, world)
    scenario.tick()
    hours = datetime.now(UTC).hour
    never = [{"from": f"{(hours + 12) % 24:02}:00", "to": f"{(hours + 13) % 24:02}:00"}]
    configure(scenario, world, {"pool": "worker", "file": FILE, "windows": never})
    scenario.at("4.19.2")
    assert scenario.tick() == ("Held", "OutsideWindow")
    world.say("/layerwatch ignore")
    assert scenario.decision() == ("Held", "OutsideWindow")
    assert [(each.state, each.answers) for each in world.pulls()] == [("open", 0)]
    assert scenario.tick() == ("Held", "OutsideWindow")
    assert [(each.state, each.answers) for each in world.pulls()] == [("closed", 1)]
    scenario.at("4.19.1")
    assert scenario.tick() == ("Held", "IgnoredByCommand")


def test_no_more_are_open_than_may_be(scenario: Scenario, world: World) -> None:
    entries = ({"pool": "worker", "file": FILE}, {"pool": "infra", "file": INFRA})
    configure(scenario, world, *entries, maxOpen=1)
    told = images(scenario, "run", "--once")
    assert [each["reason"] for each in told] == ["ProposalOpen", "TooManyOpen"]
    assert len(world.pulls()) == 1


def test_kinds_are_all_there() -> None:
    assert set(WORLDS) == set(Kind) - {Kind.LOCAL}
