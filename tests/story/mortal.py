"""Daemons that are killed: each one a process of its own, forked with its imports done, so that many can live and die.

What it runs is what `layerwatch run` runs. SIGKILL ends it; whatever programs it has begun go on by themselves.
"""

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.daemon.process import Line
from watcher import service  # noqa: F401 so that it is there when a daemon is forked
from watcher.cli import main

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", __name__])
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 180.0


class Mortals:
    """The daemons of one configuration, one after the other. `directory` has their logs and temporary files."""

    def __init__(self, config: Path, directory: Path) -> None:
        self._config = config
        self._directory = directory
        self.killed_after: list[float] = []

    def live(self, ended: Callable[[float], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
        """Let one live until `ended` says so of its age in seconds, then kill it."""
        process = _CONTEXT.Process(target=_live, args=(str(self._config), str(self._log), str(self._directory)))
        process.start()
        born = time.monotonic()
        try:
            while process.is_alive() and not ended(time.monotonic() - born):
                assert time.monotonic() - born < _PATIENCE_SECONDS, self._log.read_text()
                meanwhile()
                time.sleep(_POLL_SECONDS)
        finally:
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL, f"it ended by itself:\n{self._log.read_text()}"
        process.close()
        self.killed_after.append(round(time.monotonic() - born, 3))

    def says(self) -> list[Line]:
        """What the one that lives has said so far."""
        if not self._log.exists():
            return []
        text = self._log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    @property
    def _log(self) -> Path:
        return self._directory / f"life-{len(self.killed_after):02}.log"


def _live(config: str, log: str, directory: str) -> None:
    """The daemon itself, in its process."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    os.environ["TMPDIR"] = directory  # what it leaves there goes with the test's directory
    sys.exit(main(["run", "-c", config, "--log-format", "json"]))
