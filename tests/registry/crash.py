"""Registries as processes that are killed without warning, and started again where they were."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.parts import require
from tests.ports import free_port

KINDS = ("ours", "docker")


class RegistryProcess:
    """`layerwatch registry`, or docker's registry, over plain http on one port of 127.0.0.1 and in one directory.

    `program` is another that takes its flags.
    """

    def __init__(self, kind: str, home: Path, program: Sequence[str] = ()) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        usual = [sys.executable, "-m", "watcher.cli"] if kind == "ours" else [require("docker-registry")]
        self._program = program or usual
        self._flags = _ours(self.address, home) if kind == "ours" else _docker(self.address, home)
        self._log = home / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.answers = threading.Event()

    def start(self) -> None:
        """Again, or for the first time; it answers when this returns."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*self._program, *self._flags], stdout=log, stderr=log)
        host, _, port = self.address.rpartition(":")
        for _ in range(400):
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    self.answers.set()
                    return
            time.sleep(0.02)
        raise TimeoutError(self._log.read_text())

    def kill(self) -> None:
        """SIGKILL; it is gone when this returns."""
        self.answers.clear()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()


def _ours(address: str, home: Path) -> list[str]:
    return ["registry", "--listen", address, "--dir", str(home / "data")]


def _docker(address: str, home: Path) -> list[str]:
    config = home / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {home}/data}}}}\n"
        f"http: {{addr: '{address}', secret: x}}\nlog: {{level: error}}\n"
    )
    return ["serve", str(config)]
