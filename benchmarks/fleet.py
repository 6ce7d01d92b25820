"""One watcher over a fleet: 50 clusters of four pools, an image for each; nothing changes, then one cluster does.

The clusters answer what a real API server answered (benchmarks/recorded.py); registry, git and the processes are real.
The floor is what an idle tick asks of the APIs, asked by bare urllib3, one request after the other, over connections
that are open. Run: python -m benchmarks.fleet
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.fleet_world import EVERY_SECONDS, World, make_world
from benchmarks.recorded import RecordedFleet
from layering.registry.server import RegistryServer
from tests.daemon.process import Daemon, eventually, running
from tests.kubernetes.certificates import write_certificates

_IDLE_TICKS = 4
_DAEMON_TICKS = 3
_POLL_SECONDS = 1.0
_POOLS = 4


@dataclass(frozen=True, kw_only=True)
class Row:
    """One look. `api` and `registry` are requests, `git` processes; memory is of the one process, without git."""

    name: str
    api: float
    registry: float
    git: float
    cpu_seconds: float
    rss_mb: float
    threads: int
    wall_seconds: float
    is_scheduled: bool


@dataclass(frozen=True)
class Meter:
    """Measures what a process does: from outside, by its process id, and by what the servers were asked."""

    world: World
    pid: int
    trace: Path

    def row(self, name: str, do: Callable[[], object], times: int = 1) -> Row:
        """One row, for one of `times` things that `do` does."""
        self.world.fleet.reset()
        asked_before, cpu_before = len(self.world.registry.requests), self._cpu_seconds()
        self.trace.write_text("")
        started = time.monotonic()
        do()
        wall, status = time.monotonic() - started, self._status()
        return Row(
            name=name,
            api=self.world.fleet.asked.total() / times,
            registry=(len(self.world.registry.requests) - asked_before) / times,
            git=self.trace.read_text().count(" start ") / times,
            cpu_seconds=(self._cpu_seconds() - cpu_before) / times,
            rss_mb=int(status["VmRSS"].split()[0]) / 1024,
            threads=int(status["Threads"]),
            wall_seconds=wall / times,
            is_scheduled=times > 1,
        )

    def _cpu_seconds(self) -> float:
        """Of the process, and of its children that ended (proc(5): utime, stime, cutime, cstime)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def _status(self) -> dict[str, str]:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, default=50)
    count = parser.parse_args().clusters
    with tempfile.TemporaryDirectory(prefix="layerwatch-bench-") as name, RegistryServer() as registry:
        directory = Path(name)
        certificates = write_certificates(directory)
        with RecordedFleet(certificates) as fleet:
            world = make_world(directory, registry, fleet, certificates, count)
            rows = [*_of_ticks(world), *_of_daemon(world)]
            if fleet.unknown:
                raise SystemExit(f"asked, and never recorded: {fleet.unknown[:3]}")
    print(f"{count} clusters of {_POOLS} pools, {_POOLS * count} images. One cluster: {world.compared}.\n")
    print(_table(rows))


def _of_ticks(world: World) -> list[Row]:
    """Ticks of one process, and last the floor."""
    upgraded = world.clusters[1]
    with _Program(world, _WATCH) as watch:
        rows = [watch.look("the first tick of a process", "all")]
        idle = [watch.look("an idle tick", "all") for _ in range(_IDLE_TICKS)]
        requests = json.dumps([[world.fleet.url(name) + path, accept] for name, path, accept in world.fleet.paths])
        world.fleet.upgrade(upgraded)
        rows += [min(idle, key=lambda row: row.cpu_seconds), watch.look("one cluster upgraded, its tick", upgraded)]
    with _Program(world, _BARE) as bare:
        bare.look("", requests)
        return [*rows, bare.look("bare urllib3: the API requests of an idle tick", requests)]


class _Program:
    """A program that looks once for each line it reads, and answers with a line."""

    def __init__(self, world: World, program: str) -> None:
        self._trace = world.config.with_name("git.log")
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, str(world.config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "GIT_TRACE2": str(self._trace)},
        )
        self._meter = Meter(world, self._process.pid, self._trace)
        self._say("")

    def look(self, name: str, line: str) -> Row:
        """One look, measured."""
        return self._meter.row(name, lambda: self._say(line))

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "done\n":
            raise SystemExit(f"the program ended with {self._process.wait()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self._process.communicate()


def _of_daemon(world: World) -> list[Row]:
    """The same of `layerwatch run`, which watches all clusters. Another one of them is upgraded, between two ticks."""
    trace = world.config.with_name("git.log")
    world.fleet.rewind()
    with running(world.config, "--dry-run", environment={"GIT_TRACE2": str(trace)}) as daemon:
        meter = Meter(world, daemon.process.pid, trace)
        _wait_for_ticks(daemon, 2)
        time.sleep(EVERY_SECONDS / 2)  # so that no tick is cut in two
        name = f"daemon: {EVERY_SECONDS} s, with an idle tick"
        idle = meter.row(name, lambda: time.sleep(_DAEMON_TICKS * EVERY_SECONDS), _DAEMON_TICKS)
        _wait_for_ticks(daemon, 1)
        rebuilds = _rebuilds(daemon)

        def upgrade() -> None:
            world.fleet.upgrade(world.clusters[2])
            eventually("a decision for each pool", lambda: _rebuilds(daemon) >= rebuilds + _POOLS)

        return [idle, meter.row("daemon: one cluster upgraded, until decided", upgrade)]


def _rebuilds(daemon: Daemon) -> int:
    return daemon.log.read_text().count('"decision": "Rebuild"')


def _wait_for_ticks(daemon: Daemon, more: int) -> None:
    """Return soon after so many more ticks. It asks seldom: what it asks costs the daemon, too."""
    goal = _ticks(daemon) + more
    while _ticks(daemon) < goal:
        time.sleep(_POLL_SECONDS)


def _ticks(daemon: Daemon) -> float:
    return sum(daemon.metrics().get("layerwatch_ticks_total", {}).values())


_WATCH = """
import sys
from pathlib import Path
from watcher.configuration import load
from watcher.run import watching
with watching(load(Path(sys.argv[1]))) as watch:
    for line in sys.stdin:
        if name := line.strip():
            if name == "all":
                verdicts, expected = watch.look_and_tick(lambda verdict: None, dry_run=True), "UpToDate"
            else:
                watch.clusters.refresh(name)
                verdicts, expected = watch.tick(lambda verdict: None, dry_run=True, only={name}), "Rebuild"
                assert len(verdicts) == 4, verdicts
            assert {verdict.decision.kind for verdict in verdicts} == {expected}, verdicts[0]
        print("done", flush=True)
"""
_BARE = """
import json, sys
from pathlib import Path
import urllib3, yaml
clusters = yaml.safe_load(Path(sys.argv[1]).with_name("fleet.kubeconfig").read_text())["clusters"]
ca = clusters[0]["cluster"]["certificate-authority"]
pools = {each["cluster"]["server"]: urllib3.PoolManager(ca_certs=ca) for each in clusters}
for line in sys.stdin:
    for url, accept in json.loads(line) if line.strip() else []:
        pool = pools["/".join(url.split("/", 4)[:4])]
        assert len(pool.request("GET", url, headers={"Accept": accept}).data) > 0
    print("done", flush=True)
"""


def _table(rows: Sequence[Row]) -> str:
    floor = rows[3]
    lines = [
        "| one look | API requests | registry requests | git processes | CPU s | RSS MB | threads | wall, bare = 1 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {row.api:.0f} | {row.registry:.0f} | {row.git:.0f} | {row.cpu_seconds:.2f} "
        f"| {row.rss_mb:.0f} | {row.threads} | {_ratio(row, floor)} |"
        for row in rows
    ]
    return "\n".join(lines)


def _ratio(row: Row, floor: Row) -> str:
    """Nothing for a row that waits for the schedule."""
    return "" if row.is_scheduled else f"{row.wall_seconds / floor.wall_seconds:.2f}"


if __name__ == "__main__":
    main()
