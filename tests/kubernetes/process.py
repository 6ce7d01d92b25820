"""One server program as a child process that is killed, frozen and started again, and never outlives the tests.

It asks the kernel for that (`setpriv --pdeathsig`, of util-linux), since an interrupted test run tidies nothing up.
The kernel watches the thread that started the child; hence one thread starts them all, and lives as long as Python.
It does not know when a program is ready.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_POLL_SECONDS = 0.01
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starts-servers")


class LocalProcess:
    """A program and its log. It does not run until `start`."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self.argv = tuple(argv)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended; a frozen one is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id. Raises AssertionError when it was never started."""
        assert self._process is not None, f"{self.argv[0]} was never started"
        return self._process.pid

    def start(self) -> None:
        """Start it; what it says is appended to the log."""
        assert not self.is_running, f"{self.argv[0]} is running"
        self._process = _STARTER.submit(self._spawn).result()

    def kill(self) -> None:
        """SIGKILL, frozen or not; returns when it has ended. Harmless when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def end(self, timeout_seconds: float) -> int:
        """SIGTERM; gives its exit code. Raises subprocess.TimeoutExpired."""
        assert self._process is not None, f"{self.argv[0]} was never started"
        self._process.terminate()
        return self._process.wait(timeout_seconds)

    def freeze(self) -> None:
        """SIGSTOP: connections are accepted by the kernel, and nobody answers. Returns when each thread has stopped."""
        self._send(signal.SIGSTOP)
        while any(_state(thread) not in "TZX" for thread in Path(f"/proc/{self.pid}/task").iterdir()):
            time.sleep(_POLL_SECONDS)

    def thaw(self) -> None:
        """SIGCONT."""
        self._send(signal.SIGCONT)

    def log(self) -> str:
        """All it said so far, of every start."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None, f"{self.argv[0]} was never started"
        self._process.send_signal(number)

    def _spawn(self) -> subprocess.Popen[bytes]:
        setpriv = shutil.which("setpriv")
        dies_with_us = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*dies_with_us, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that Ctrl-C in the terminal reaches pytest alone, which then ends them
            )


def _state(thread: Path) -> str:
    """One letter, as in proc(5); X for a thread that has ended."""
    try:
        return thread.joinpath("stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
