"""The daemon beside a real API server: what it notices, what it says, and what it must not send."""

from prometheus_client.parser import text_string_to_metric_families

from tests.daemon.process import ClusterWorld, eventually, running


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
    assert len(world.runs()) == 2
