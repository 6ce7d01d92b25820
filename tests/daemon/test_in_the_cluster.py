"""The daemon beside a real API server: what it notices, what it says, and what it must not send."""

import json
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from layering.cluster.resources import LEASES, MACHINE_CONFIG_POOLS, PIPELINE_RUNS
from tests.daemon.process import READS, RUNS, ClusterWorld, Line, eventually, running
from tests.kubernetes.rest import Body
from watcher.metrics import METRICS


def fail(world: ClusterWorld, run: Body) -> None:
    """What Tekton's controller writes when a task of a run failed, just now."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {
        "type": "Succeeded",
        "status": "False",
        "reason": "Failed",
        "message": "Tasks Completed: 1 (Failed: 1)",
        "lastTransitionTime": now,
    }
    status = {"conditions": [condition], "completionTime": now}
    world.server.admin.patch_status(PIPELINE_RUNS, run["metadata"]["name"], status, namespace=world.namespace)


def test_an_upgrade_is_noticed_by_the_watch_and_becomes_a_run(world: ClusterWorld) -> None:
    """The schedule is an hour: whatever happens soon, a watch has seen."""
    with running(world.configure()) as daemon:
        first = eventually("a run for 4.19.1", lambda: world.run_for("4.19.1"))
        line = daemon.says(decision="Building", reason="BuildRunning", image="worker-os", cluster="prod", pool="worker")
        assert line["run"] == first["metadata"]["name"]
        world.upgrade("4.19.2")
        eventually("a run for 4.19.2", lambda: world.run_for("4.19.2"))
        superseded = eventually("the first is cancelled", lambda: (world.run_for("4.19.1") or {})["spec"].get("status"))
        assert superseded == "CancelledRunFinally"
        for path, kind in (("/healthz", "text/plain"), ("/readyz", "text/plain"), ("/status", "application/json")):
            answer = daemon.get(path)
            assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)
        told = daemon.metrics()
        assert set(told["layerwatch_decision"]) == {("worker-os", "prod", "worker", "Building", "BuildRunning")}
        assert told["layerwatch_api_requests_total"]["prod", "200"] > 0
        assert told["layerwatch_registry_requests_total"][world.scenario.registry, "200"] > 0
        assert set(told["layerwatch_last_look_timestamp_seconds"]) == {
            ("cluster/prod",),
            (f"registry/{world.scenario.registry}",),
        }
        names = {metric.name for metric in METRICS}
        assert {name for name in told if not name.startswith("layerwatch_tick_duration")} <= names
    assert len(world.runs()) == 2


def test_a_run_that_fails_is_noticed_counted_and_told_about(world: ClusterWorld) -> None:
    with running(world.configure()) as daemon:
        run = eventually("a run", lambda: world.run_for("4.19.1"))
        fail(world, run)
        daemon.says(decision="Held", reason="BackOff")
        (event,) = eventually("an event about the run", lambda: world.events(world.namespace))
        assert daemon.metrics()["layerwatch_builds_total"] == {("worker-os", "failed"): 1.0}
    regarding = {key: event["regarding"][key] for key in ("apiVersion", "kind", "name", "namespace", "uid")}
    assert regarding == {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "name": run["metadata"]["name"],
        "namespace": world.namespace,
        "uid": run["metadata"]["uid"],
    }
    assert (event["type"], event["reason"]) == ("Warning", "BuildFailed")


def test_a_pool_is_told_of_each_change_once_whoever_tells(world: ClusterWorld) -> None:
    def told() -> list[str]:
        return sorted(event["reason"] for event in world.events())

    with running(world.configure()):
        eventually("what the first build is", lambda: told() == ["BuildRunning", "NeverBuilt"])
        world.upgrade("4.19.2")
        twice = ["BuildRunning", "BuildRunning", "NeverBuilt", "NeverBuilt"]
        eventually("what the second build is", lambda: told() == twice)
    with running(world.configure()) as again:
        again.says(reason="BuildRunning")
        fail(world, eventually("the run", lambda: world.run_for("4.19.2")))
        eventually("that it failed", lambda: "BackOff" in told())
    assert told() == ["BackOff", *twice]
    (event,) = (event for event in world.events() if event["reason"] == "BackOff")
    pool = world.server.admin.read(MACHINE_CONFIG_POOLS, "worker")
    assert event["regarding"]["uid"] == pool["metadata"]["uid"]
    assert (event["action"], event["type"]) == ("Held", "Normal")


def test_a_cluster_that_takes_no_events_costs_one_line(world: ClusterWorld) -> None:
    token = world.token_with(READS, RUNS)
    world.kubeconfig = world.server.kubeconfig_for(token, world.scenario.directory / "kubeconfig")
    with running(world.configure()) as daemon:
        eventually("a run", lambda: world.run_for("4.19.1"))
        world.upgrade("4.19.2")
        eventually("another run", lambda: world.run_for("4.19.2"))
        daemon.says(message="no events are posted", reason="Forbidden", cluster="prod")
        world.openshift.pause("worker")
        daemon.says(decision="Building")
        daemon.send(signal.SIGTERM)
        assert daemon.ends() == 0
        assert len(daemon.said(reason="Forbidden")) == 1
    assert world.events() == []


@pytest.mark.parametrize("flags", [["--dry-run"], ["--dry-run", "--leader-elect"]], ids=["alone", "with an election"])
def test_a_dry_run_sends_no_write(world: ClusterWorld, flags: list[str]) -> None:
    with running(world.elect(), *flags) as daemon:
        daemon.says(decision="Rebuild", reason="NeverBuilt")
        eventually("it is ready", lambda: daemon.get("/readyz").status_code == 200)
        codes = {code for _, code in daemon.metrics()["layerwatch_api_requests_total"]}
    assert "201" not in codes
    assert world.runs() == world.events() == world.server.admin.list(LEASES, namespace=world.namespace) == []


@pytest.fixture
def black_hole() -> Iterator[int]:
    """The port of a server that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield int(server.getsockname()[1])


def test_another_cluster_that_hangs_delays_nothing(world: ClusterWorld, black_hole: int) -> None:
    """It may take a minute to answer: were it waited for, this would fail. One image follows it, one is built there."""
    stuck = world.scenario.directory / "stuck"
    stuck.write_text(world.kubeconfig.read_text().replace(world.server.url, f"https://127.0.0.1:{black_hole}"))
    config = world.configure(daemon={"cluster": "prod", "apiTimeout": "60s"})
    document = json.loads(config.read_text())
    document["clusters"].insert(0, {"name": "stuck", "access": {"kubeconfig": str(stuck)}})
    document["images"].append({**document["images"][0], "name": "other", "base": {"cluster": "stuck", "tag": "x"}})
    document["images"].append({**document["images"][0], "name": "third"})
    document["images"][2]["build"] = {"engine": "tekton", "cluster": "stuck"}
    for image in document["images"][1:]:
        image["proposals"] = []
    config.write_text(json.dumps(document))
    with running(config) as daemon:
        eventually("a run", lambda: world.run_for("4.19.1"), seconds=30)
        world.upgrade("4.19.2")
        eventually("another run", lambda: world.run_for("4.19.2"), seconds=30)
        for image in ("other", "third"):
            assert daemon.said(image=image, decision="Unknown")
        assert daemon.get("/readyz").status_code == 200
        daemon.send(signal.SIGTERM)
        assert daemon.ends() == 0


def test_a_cluster_that_is_configured_later_is_watched_too(world: ClusterWorld) -> None:
    config = world.configure()
    document = json.loads(config.read_text())
    config.write_text(json.dumps({**document, "clusters": [], "images": []}))
    with running(config) as daemon:
        eventually("it is ready", lambda: daemon.get("/readyz").status_code == 200)
        config.write_text(json.dumps(document))
        eventually("a run", lambda: world.run_for("4.19.1"))
        world.upgrade("4.19.2")
        eventually("another run", lambda: world.run_for("4.19.2"))


def test_a_cluster_that_hangs_is_said_to_and_what_was_known_comes_back(world: ClusterWorld) -> None:
    config = world.configure(daemon={"apiTimeout": "2s"}, schedule={"every": "1s"})
    with running(config) as daemon:
        daemon.says(decision="Building")
        before = len(daemon.said())
        world.server.freeze()
        try:
            eventually("it is not known", lambda: ("Unknown", "TimedOut") in decisions(daemon.said()[before:]))
            assert [daemon.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]
        finally:
            while_frozen = len(daemon.said())
            world.server.thaw()
        eventually("it is known again", lambda: ("Building", "BuildRunning") in decisions(daemon.said()[while_frozen:]))


def decisions(lines: list[Line]) -> set[tuple[str, str]]:
    return {(line["decision"], line["reason"]) for line in lines if "decision" in line}


def test_a_cluster_that_was_away_is_followed_again(world: ClusterWorld) -> None:
    with running(world.configure()) as daemon:
        eventually("a run", lambda: world.run_for("4.19.1"))
        world.server.kill()
        daemon.says(message="watching clusterversions")
        world.server.start_again()
        world.upgrade("4.19.2")
        eventually("another run", lambda: world.run_for("4.19.2"))
