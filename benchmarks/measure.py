"""What a program used: CPU seconds and peak memory, its children included.

The kernel counts what a process held before it became another program. So the program is started by a small Python in
between, and nothing of the benchmark's own memory is counted.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_BETWEEN = """
import json, os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, used = os.wait4(child, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True, kw_only=True)
class Used:
    """CPU of the program and all its children; the peak memory of the largest of them."""

    cpu_seconds: float
    peak_rss_mb: float


def measured(argv: Sequence[str], log: Path) -> Used:
    """Run `argv` to its end, its output in `log`. Ends the benchmark with that output when it fails."""
    with log.open("wb") as errors:
        between = [sys.executable, "-S", "-E", "-c", _BETWEEN, *argv]
        answer = subprocess.run(between, stdout=subprocess.PIPE, stderr=errors, check=True).stdout
    code, cpu_seconds, peak_rss_mb = json.loads(answer)
    if code:
        raise SystemExit(f"{argv[:6]} ended with {code}:\n{log.read_text(errors='replace')}")
    return Used(cpu_seconds=cpu_seconds, peak_rss_mb=peak_rss_mb)
