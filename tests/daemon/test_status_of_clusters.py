"""`status`, `explain` and the daemon's `GET /status` beside a real API server: pools, runs, a cluster that hangs."""

import json
import socket
from typing import Any

from layering.cluster.resources import EVENTS, LEASES
from tests.daemon.process import ClusterWorld, eventually, running


def told(world: ClusterWorld, *command: str) -> dict[str, Any]:
    done = world.scenario.layerwatch(command[0], "-c", str(world.scenario.config), *command[1:], "--output", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_cluster_that_hangs_is_unknown_and_the_other_is_told(world: ClusterWorld) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as black_hole:
        stuck = world.scenario.directory / "stuck"
        address = f"https://127.0.0.1:{black_hole.getsockname()[1]}"
        stuck.write_text(world.kubeconfig.read_text().replace(world.server.url, address))
        config = world.configure(daemon={"apiTimeout": "3s"})
        document = json.loads(config.read_text())
        document["clusters"].append({"name": "stuck", "access": {"kubeconfig": str(stuck)}})
        config.write_text(json.dumps(document))
        world.openshift.pool("infra", machines=2)
        found = told(world, "status")
        table = world.scenario.layerwatch("status", "-c", str(config)).stdout
    prod, other = found["clusters"]
    assert (prod["state"], prod["version"], prod["availableUpdates"]) == ("ok", "4.19.1", [])
    assert (other["state"], other["reason"], other["lastLook"], other["pools"]) == ("unknown", "TimedOut", None, [])
    pools = {pool["name"]: pool for pool in prod["pools"]}
    assert set(pools) == {"worker", "infra"}
    assert pools["infra"]["machines"] == {"total": 2, "updated": 2, "ready": 2, "degraded": 0}
    assert (pools["infra"]["overridden"], pools["infra"]["architectures"]) == (False, ["amd64"])
    matching = found["images"][0]["base"]["matching"]
    assert [pools[name]["matchingBase"] for name in ("worker", "infra")] == [matching, matching]
    assert "unknown TimedOut" in table
    assert max(len(line) for line in table.splitlines() if not line.startswith("    ")) <= 100
    assert world.runs() == world.events() == world.server.admin.list(LEASES, namespace=world.namespace) == []


def test_a_run_and_a_pool_are_explained(world: ClusterWorld) -> None:
    config = world.configure()
    assert world.scenario.decision("run", "--once") == ("Building", "BuildRunning")
    (run,) = world.runs()
    name = run["metadata"]["name"]
    build = told(world, "status")["images"][0]["build"]
    assert (build["engine"], build["name"], build["state"], build["attempt"]) == ("tekton", name, "Running", 1)
    facts = {fact["fact"]: fact for fact in told(world, "explain", "worker-os")["facts"]}
    assert facts["build"]["source"] == f"prod: PipelineRun/{world.namespace}/{name}"
    assert facts["updated"] == {
        "fact": "updated",
        "value": "yes",
        "source": "prod: MachineConfigPool/worker status.conditions[Updated]",
    }
    assert facts["nodes are told"]["source"].startswith("prod: MachineConfig/rendered-worker-")
    assert facts["architectures"]["value"] == "amd64"
    assert "build: tekton" in world.scenario.layerwatch("status", "-c", str(config)).stdout
    assert len(world.runs()) == 1
    assert world.server.admin.list(EVENTS, namespace=world.namespace) == []


def test_the_daemon_shows_what_was_last_known_of_a_frozen_cluster(world: ClusterWorld) -> None:
    def cluster() -> dict[str, Any]:
        (found,) = daemon.get("/status").json()["clusters"]
        return dict(found)

    config = world.configure(daemon={"apiTimeout": "2s"}, schedule={"every": "1s"})
    with running(config) as daemon:
        daemon.says(decision="Building")
        assert (cluster()["state"], cluster()["version"]) == ("ok", "4.19.1")
        world.server.freeze()
        try:
            late = eventually("it is unknown", lambda: (found := cluster())["state"] == "unknown" and found)
        finally:
            world.server.thaw()
        assert (late["reason"], late["version"]) == ("TimedOut", "4.19.1")
        assert [pool["name"] for pool in late["pools"]] == ["worker"]
        assert late["ageSeconds"] >= 1
        eventually("it is known again", lambda: cluster()["state"] == "ok")
