"""A group of pools, told by the whole watcher: one in trouble stops no other, and what is reported of each is true."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from layering.forge.settings import Kind
from tests.forges.world import WORLDS, World
from tests.scenario import CONTAINERFILE, FILE, MACHINE_CONFIG, Scenario
from tests.watcher.test_forges import INFRA, configure, images
from watcher import demo_git

BRANCH = "layerwatch/group/nodes"
INFRA_CONFIG = MACHINE_CONFIG.replace("worker", "infra")
SHARED_VALUE = "shared: &shared {osImageURL: a}\n" + INFRA_CONFIG.replace("osImageURL: ''", "<<: *shared")
NO_OS_IMAGE = f'{CONTAINERFILE}LABEL ostree.bootable="" containers.bootc="" io.openshift.os.streamclass="x"\n'
GOOD, BAD = ("AwaitingApproval", "ProposalOpen"), "Blocked"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "forge-of-test").mkdir()
    with WORLDS[Kind.GITHUB](tmp_path / "forge-of-test") as made:
        made.origin.commit({FILE: MACHINE_CONFIG, INFRA: INFRA_CONFIG})
        yield made


def entry(pool: str, file: str, **keys: Any) -> dict[str, Any]:
    return {"pool": pool, "file": file, "group": "nodes", **keys}


def source(scenario: Scenario, name: str, containerfile: str) -> None:
    files = {"worker/Containerfile": containerfile, "worker/motd": "hello\n"}
    demo_git.make_repository(scenario.directory / name, files, "the other source")


def two_images(scenario: Scenario, containerfile: str = CONTAINERFILE) -> None:
    """The second entry is an image's of its own, built of this Containerfile."""
    source(scenario, "infra.git", containerfile)
    document = json.loads(scenario.config.read_text())
    (image,) = document["images"]
    first, second = image["proposals"]
    other = {**image, "name": "infra-os", "target": f"{image['target']}-infra", "proposals": [second]}
    document["images"] = [{**image, "proposals": [first]}, {**other, "source": {**image["source"], "git": "infra.git"}}]
    scenario.config.write_text(json.dumps(document))


def told(scenario: Scenario, *words: str) -> list[tuple[str, str]]:
    return [(each["decision"], each["reason"]) for each in images(scenario, *(words or ("run", "--once")))]


def build_all(scenario: Scenario) -> None:
    """Each image is there before any of them is proposed."""
    text = scenario.config.read_text()
    hours = datetime.now(UTC).hour
    never = {"from": f"{(hours + 12) % 24:02}:00", "to": f"{(hours + 13) % 24:02}:00"}
    scenario.config.write_text(json.dumps({**json.loads(text), "proposalDefaults": {"windows": [never]}}))
    told(scenario)
    scenario.config.write_text(text)


@pytest.mark.parametrize(
    ("containerfile", "config", "reason"),
    [
        pytest.param(NO_OS_IMAGE, INFRA_CONFIG, "CheckFailed", id="an image that does not pass the check"),
        pytest.param(CONTAINERFILE, SHARED_VALUE, "InputInvalid", id="a file that cannot be edited"),
    ],
)
def test_one_in_trouble_stops_no_other(
    scenario: Scenario, world: World, containerfile: str, config: str, reason: str
) -> None:
    world.origin.commit({INFRA: config})
    configure(scenario, world, entry("worker", FILE), entry("infra", INFRA))
    two_images(scenario, containerfile)
    build_all(scenario)
    done = images(scenario, "run", "--once")
    assert [(each["decision"], each["reason"]) for each in done] == [GOOD, (BAD, reason)]
    assert [bool(each["pull_request"]) for each in done] == [True, False]
    assert world.origin.git("diff", "--name-only", f"main..{BRANCH}") == FILE


def test_a_line_whose_newer_image_does_not_pass_stays_as_it_is(scenario: Scenario, world: World) -> None:
    configure(scenario, world, entry("worker", FILE), entry("infra", INFRA))
    two_images(scenario)
    told(scenario)
    assert told(scenario) == [GOOD, GOOD]
    before = {name: world.origin.show(BRANCH, name) for name in (FILE, INFRA)}
    source(scenario, "worse.git", NO_OS_IMAGE)
    scenario.config.write_text(scenario.config.read_text().replace("infra.git", "worse.git"))
    scenario.commit_source({"worker/motd": "news\n"})
    build_all(scenario)
    assert told(scenario) == [GOOD, (BAD, "CheckFailed")]
    assert world.origin.show(BRANCH, FILE) != before[FILE]
    assert world.origin.show(BRANCH, INFRA) == before[INFRA]
    assert len(world.pulls()) == 1


def test_a_line_whose_file_is_broken_since_is_left_out(scenario: Scenario, world: World) -> None:
    configure(scenario, world, entry("worker", FILE), entry("infra", INFRA))
    assert told(scenario) == [GOOD, GOOD]
    world.origin.commit({INFRA: "not: [a MachineConfig\n"})
    scenario.at("4.19.2")
    assert told(scenario) == [GOOD, (BAD, "InputInvalid")]
    assert world.origin.git("diff", "--name-only", f"main...{BRANCH}") == FILE


def test_it_is_presented_as_all_entries_say(scenario: Scenario, world: World) -> None:
    dressed = {"labels": ["i"], "draft": True, "title": "Nodes: {pool}"}
    configure(scenario, world, entry("worker", FILE, labels=["w"]), entry("infra", INFRA, **dressed))
    told(scenario)
    (only,) = world.pulls()
    assert (only.labels, only.draft, only.title) == (("w", "i"), True, "Nodes: worker, infra")
