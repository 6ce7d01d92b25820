"""Of several daemons one acts: taking over, stepping down in time, giving back. Real processes, a real Lease."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.daemon.process import LEASE, READS, RUNS, ClusterWorld, Daemon, eventually, running
from tests.scenario import Scenario

LONG = {"leaseDuration": "60s", "renewDeadline": "30s"}  # nothing runs out while a machine is slow


def identity(daemon: Daemon) -> str:
    return str(daemon.says(message="standing by until the lease is ours, as ")["message"].rpartition(" ")[2])


def leads(world: ClusterWorld, daemon: Daemon) -> str:
    """Wait until it does, and give its identity."""
    name = identity(daemon)
    eventually(f"{name} leads", lambda: world.holder() == name)
    daemon.says(message="the leader now")
    return name


def test_a_stand_by_answers_and_does_nothing(world: ClusterWorld) -> None:
    with running(world.elect(**LONG), "--leader-elect") as one:
        leads(world, one)
        eventually("a run", lambda: world.run_for("4.19.1"))
        with running(world.scenario.config, "--leader-elect") as two:
            identity(two)
            assert [two.get(path).status_code for path in ("/healthz", "/readyz", "/status")] == [200, 200, 503]
            assert two.metrics()["layerwatch_leader"] == {(): 0.0}
            assert one.metrics()["layerwatch_leader"] == {(): 1.0}
            world.upgrade("4.19.2")
            eventually("another run", lambda: world.run_for("4.19.2"))
            assert two.said(image="worker-os") == []


def test_a_frozen_leader_is_replaced_and_ends_without_another_act(world: ClusterWorld) -> None:
    with running(world.elect(), "--leader-elect") as one:
        first = leads(world, one)
        eventually("a run", lambda: world.run_for("4.19.1"))
        with running(world.scenario.config, "--leader-elect") as two:
            second = identity(two)
            one.send(signal.SIGSTOP)
            eventually("the other one leads", lambda: world.holder() == second)
            world.upgrade("4.19.2")
            eventually("another run", lambda: world.run_for("4.19.2"))
            told = len(one.lines)
            one.send(signal.SIGCONT)
            assert one.ends() == 4
            after = one.lines[told:]
            assert [line["message"] for line in after if "not the leader any more" in line["message"]]
            assert [line for line in after if line.get("image")] == []
            assert world.holder() == second != first
            assert len(world.runs()) == 2


def test_a_leader_whose_api_hangs_ends(world: ClusterWorld) -> None:
    with running(world.elect(), "--leader-elect") as daemon:
        leads(world, daemon)
        daemon.says(decision="Building")
        world.server.freeze()
        try:
            assert daemon.ends() == 4
            assert daemon.said(message="the lease was not renewed in time")
        finally:
            world.server.thaw()


@pytest.mark.parametrize(("is_frozen", "code"), [(True, 4), (False, 0)], ids=["the lease is lost", "sigterm"])
def test_a_tick_that_hangs_keeps_the_process_from_neither_end(
    world: ClusterWorld, tmp_path: Path, is_frozen: bool, code: int
) -> None:
    """Git asks a server that never answers: here, a program of its name that sleeps as soon as `hang` is there."""
    hang, hangs = tmp_path / "hang", tmp_path / "hangs"
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    git = shutil.which("git")
    shim.write_text(f'#!/bin/sh\n[ -e {hang} ] && {{ echo $$ >{hangs}; exec sleep 600; }}\nexec {git} "$@"\n')
    shim.chmod(0o755)
    with running(
        world.elect(), "--leader-elect", environment={"PATH": f"{shim.parent}:{os.environ['PATH']}"}
    ) as daemon:
        leads(world, daemon)
        daemon.says(decision="Building")
        hang.touch()
        world.upgrade("4.19.2")
        pid = eventually("git hangs", lambda: hangs.exists() and hangs.read_text().strip())
        try:
            if is_frozen:
                world.server.freeze()
            else:
                daemon.send(signal.SIGTERM)
            assert daemon.ends() == code
        finally:
            world.server.thaw()
        eventually("git is ended, too", lambda: not Path(f"/proc/{pid}").exists())
        assert world.run_for("4.19.2") is None


def test_in_a_pod_the_lease_and_the_runs_are_in_its_namespace(world: ClusterWorld, tmp_path: Path) -> None:
    token = world.token_with(READS, RUNS, LEASE)
    environment = world.server.pod_files_for(token, world.namespace, tmp_path / "serviceaccount")
    config = world.configure(clusters=[{"name": "prod", "access": "in-cluster"}])
    document = json.loads(config.read_text())
    del document["daemon"]
    config.write_text(json.dumps(document))
    with running(config, "--leader-elect", environment=environment) as daemon:
        leads(world, daemon)
        eventually("a run", lambda: world.run_for("4.19.1"))


def test_sigterm_gives_the_lease_back_and_another_takes_it_at_once(world: ClusterWorld) -> None:
    """The duration is a minute: who waits for its end fails."""
    config = world.elect(**LONG)
    with running(config, "--leader-elect") as one:
        leads(world, one)
        one.send(signal.SIGTERM)
        assert one.ends() == 0
        assert world.holder() == ""
    with running(config, "--leader-elect") as two:
        leads(world, two)


def test_sigterm_ends_it_also_while_the_api_hangs(world: ClusterWorld) -> None:
    with running(world.elect(**LONG), "--leader-elect") as daemon:
        name = leads(world, daemon)
        daemon.says(decision="Building")
        world.server.freeze()
        try:
            daemon.send(signal.SIGTERM)
            assert daemon.ends() == 0
        finally:
            world.server.thaw()
    assert world.holder() == name, "it ends by itself"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--once", "--leader-elect"], "a single tick has none of them"),
        (["--once", "--listen", "127.0.0.1:0"], "a single tick has none of them"),
        (["--leader-elect"], "--leader-elect needs a cluster with an API"),
        (["--listen", "8080"], "is no address to listen on"),
        (["--listen", ""], "is no address to listen on"),
    ],
    ids=["once", "once and a listener", "no cluster with an API", "no address", "an empty address"],
)
def test_what_cannot_be(scenario: Scenario, flags: list[str], said: str) -> None:
    done = scenario.layerwatch("run", "-c", str(scenario.config), *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
