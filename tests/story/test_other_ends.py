"""Stories that go another way: a build that fails until its source is mended, and one that an upgrade overtakes."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

from tests.daemon.process import SECONDS, eventually, running
from tests.scenario import CONTAINERFILE, Scenario
from tests.story.world import StoryWorld, comes_to, decisions

BROKEN = CONTAINERFILE + "COPY absent /etc/absent\n"


def test_a_build_that_fails_until_its_source_is_mended(scenario: Scenario, world_of: Callable[..., StoryWorld]) -> None:
    scenario.commit_source({"worker/Containerfile": BROKEN})
    world = world_of(scenario, attempts=2, backoff="5s")
    world.begin("4.19.1", machines=1)
    with running(world.config) as daemon:
        blocked = comes_to(daemon, "Blocked", "BuildFailed")
        said, log = blocked["message"].split("\nthe end of its log:\n")
        assert said.endswith(
            "-2 failed; no attempt is left: step rebuild of task rebuild ended with exit code 2 (attempt 2)"
        )
        assert "absent" in log
        failed = sorted(run["metadata"]["name"] for run in world.runs())
        assert [name[-2:] for name in failed] == ["-1", "-2"]
        eventually("both are told about", lambda: runs_told_about(world) == failed)
        scenario.commit_source({"worker/Containerfile": CONTAINERFILE})
        comes_to(daemon, "AwaitingApproval", "ProposalOpen")
        assert daemon.metrics()["layerwatch_builds_total"] == {
            ("worker-os", "failed"): 2.0,
            ("worker-os", "succeeded"): 1.0,
        }
        assert decisions(daemon) == [
            ("Rebuild", "NeverBuilt"),
            ("Building", "BuildRunning"),
            ("Held", "BackOff"),
            ("Rebuild", "NeverBuilt"),
            ("Building", "BuildRunning"),
            ("Blocked", "BuildFailed"),
            ("Rebuild", "NeverBuilt"),
            ("Building", "BuildRunning"),
            ("Propose", "ImageReady"),
            ("AwaitingApproval", "ProposalOpen"),
        ]
    assert len(world.runs()) == 3
    assert len(scenario.proposal_commits()) == 1


def runs_told_about(world: StoryWorld) -> list[str]:
    return sorted(event["regarding"]["name"] for event in world.events(world.namespace))


def test_a_build_that_an_upgrade_overtakes(
    scenario: Scenario, world_of: Callable[..., StoryWorld], tmp_path: Path
) -> None:
    """The first build hangs in its first step, as with a source that does not answer."""
    world = world_of(scenario)
    world.begin("4.19.1", machines=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        usual = world.kubelet.path
        world.kubelet.path = f"{hanging_git(tmp_path, silent.getsockname()[1])}:{usual}"
        with running(world.config) as daemon:
            first = eventually("a run for 4.19.1", lambda: world.run_for("4.19.1"))
            hangs, _ = silent.accept()
            world.kubelet.path = usual
            world.upgrade("4.19.2")
            with hangs:
                hangs.settimeout(SECONDS)
                assert hangs.recv(1) == b"", "its step is not killed"
            assert world.end_of(first) == ("False", "Cancelled")
            second = eventually("a run for 4.19.2", lambda: world.run_for("4.19.2"))
            assert world.end_of(second) == ("True", "Succeeded")
            world.openshift.complete_upgrade()
            comes_to(daemon, "AwaitingApproval", "ProposalOpen")
    ended = world.run_for("4.19.1") or {}
    key = second["metadata"]["annotations"]["layerwatch/build-key"]
    assert ended["metadata"]["annotations"]["layerwatch/superseded-by"] == key
    assert ended["spec"]["status"] == "CancelledRunFinally"
    assert len(world.runs()) == len(scenario.tags()) + 1 == 2
    assert len(scenario.proposal_commits()) == 1


def hanging_git(directory: Path, port: int) -> Path:
    """A directory whose `git` connects to the port, and waits for what never comes."""
    programs = directory / "programs"
    programs.mkdir()
    git = programs / "git"
    wait = f"import socket; socket.create_connection(('127.0.0.1', {port})).recv(1)"
    git.write_text(f"#!{sys.executable}\n{wait}\n")
    git.chmod(0o755)
    return programs
