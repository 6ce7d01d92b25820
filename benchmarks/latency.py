"""How long from a cluster's upgrade to the PipelineRun that builds for it, by a running daemon and a real API server.

The clock starts when the new ClusterVersion status is sent, and stops when the run is seen in the API. The schedule is
an hour, so that only watches can notice. Once the cluster is alone, once another one hangs: it takes connections and
never answers. Nobody runs the PipelineRuns. Run: python -m benchmarks.latency
"""

import argparse
import json
import socket
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.daemon.process import ClusterWorld, eventually, running
from tests.kubernetes.admin import NAMESPACES
from tests.kubernetes.crds import load_openshift, load_tekton
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer
from tests.scenario import Scenario

_POLL_SECONDS = 0.01


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrades", type=int, default=20)
    count = parser.parse_args().upgrades
    with TestApiServer() as server:
        load_openshift(server.admin)
        load_tekton(server.admin)
        with socket.create_server(("127.0.0.1", 0), backlog=100) as hanging:
            port = int(hanging.getsockname()[1])
            rows = [
                _row("alone", _measured(server, count, None)),
                _row("another hangs", _measured(server, count, port)),
            ]
    print("\n".join(["| Cluster | Upgrades | Median s | Slowest s |", "| --- | --- | --- | --- |", *rows]))


def _row(name: str, seconds: Sequence[float]) -> str:
    return f"| {name} | {len(seconds)} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |"


def _measured(server: TestApiServer, count: int, hanging_port: int | None) -> Sequence[float]:
    """Seconds from each upgrade to its run."""
    with tempfile.TemporaryDirectory() as directory, RegistryServer() as registry:
        settings = RegistrySettings(insecure=frozenset({registry.address}))
        scenario = Scenario(directory=Path(directory), registry=registry.address, settings=settings).set_up()
        versions = [f"4.20.{number}" for number in range(count)]
        for version in versions:
            scenario.push(version)
        world = _world(server, scenario)
        config = world.configure()
        if hanging_port is not None:
            _add_hanging(world, config, hanging_port)
        with running(config):
            eventually("the first run", lambda: world.run_for("4.19.1"))
            seconds = [_upgrade(world, version) for version in versions]
        world.openshift.clear()
        return seconds


def _world(server: TestApiServer, scenario: Scenario) -> ClusterWorld:
    namespace = f"bench-{uuid.uuid4().hex[:8]}"
    server.admin.create(NAMESPACES, {"metadata": {"name": namespace}})
    openshift = OpenShiftPlay(server.admin)
    openshift.cluster_version("4.19.1", str(scenario.payloads["4.19.1"]))
    openshift.pool("worker", machines=1)
    return ClusterWorld(
        scenario=scenario, server=server, openshift=openshift, namespace=namespace, kubeconfig=server.kubeconfig
    )


def _add_hanging(world: ClusterWorld, config: Path, port: int) -> None:
    kubeconfig = config.with_name("hanging.kubeconfig")
    kubeconfig.write_text(world.kubeconfig.read_text().replace(world.server.url, f"https://127.0.0.1:{port}"))
    document = json.loads(config.read_text())
    document["clusters"].append({"name": "hanging", "access": {"kubeconfig": str(kubeconfig)}})
    follower = {**document["images"][0], "name": "other-os", "base": {"cluster": "hanging", "tag": "rhel-coreos"}}
    document["images"].append({**follower, "proposals": []})
    config.write_text(json.dumps(document))


def _upgrade(world: ClusterWorld, version: str) -> float:
    started = time.monotonic()
    world.upgrade(version)
    while world.run_for(version) is None:
        if time.monotonic() - started > 120:
            raise SystemExit(f"no run for {version} after two minutes")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
