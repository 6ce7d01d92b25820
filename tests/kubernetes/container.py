"""One container of the test kubelet: a command with its own view of the file system, run by container_main.

It knows nothing of Kubernetes: pod_run makes the Spec, and reads exit code, log and termination file.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.kubernetes.private_network import CHECKOUT


@dataclass(frozen=True, kw_only=True, slots=True)
class Mount:
    """A directory or file of the machine at a path of the container."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """What to run. `scratch` is an empty directory for the container's root; the log goes into it as well."""

    argv: Sequence[str]
    env: Mapping[str, str]
    working_dir: str
    mounts: Sequence[Mount]
    scratch: str


class Container:
    """A container that may be killed before, while and after it runs, from any thread."""

    def __init__(self, spec: Spec, log: Path) -> None:
        self._spec = spec
        self._log = log
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    def run(self) -> int:
        """Run to the end and return the exit code; 137 when it was killed."""
        with self._lock:
            if self._killed:
                return 128 + signal.SIGKILL
            process = self._process = self._start()
        code = process.wait()
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """End it and all it started, at once."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        document = Path(self._spec.scratch).with_suffix(".json")
        document.write_text(json.dumps(asdict(self._spec)))
        document.chmod(0o600)  # secrets in the environment
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.kubernetes.container_main", str(document)],
                cwd=CHECKOUT,
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
