"""A daemon's ticks in a process of their own: one for each line it reads, with what each of them used."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Used

REPORT = """
import json, resource, sys, time
def report(before, started):
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    with open("/proc/self/status") as status:  # ru_maxrss would count what the benchmark held when it started this
        (peak,) = (int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    print(json.dumps([cpu - before, peak / 1024, time.monotonic() - started]), flush=True)
    return cpu
"""
TICKS = (
    REPORT
    + """
from pathlib import Path
from watcher.configuration import load
from watcher.watch import watching
with watching(load(Path(sys.argv[1]))) as watch:
    cpu = 0.0
    for line in sys.stdin:
        started = time.monotonic()
        verdicts = watch.look_and_tick(lambda verdict: None, dry_run=True)
        assert {verdict.decision.kind for verdict in verdicts} == {"UpToDate"}, verdicts[0]
        cpu = report(cpu, started)
"""
)


class Ticking:
    """A process that is running. `tick` takes the line that it reads: how much it is to do, if it wants to know."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def tick(self, line: str = "") -> tuple[Used, float]:
        """What one tick used, and its seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        cpu_seconds, peak_rss_mb, wall_seconds = json.loads(self._process.stdout.readline())
        return Used(cpu_seconds=cpu_seconds, peak_rss_mb=peak_rss_mb), wall_seconds


@contextmanager
def ticking(program: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Iterator[Ticking]:
    """Run a program such as TICKS."""
    argv = [sys.executable, "-c", program, *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, text=True, env={**os.environ, **(environment or {})}, **pipes) as process:  # type: ignore[call-overload]
        yield Ticking(process)
        process.stdin.close()
