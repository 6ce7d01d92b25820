"""docker-registry behind a proxy that counts: connections and bytes, and requests by the registry's own access log.

The proxy can hold back what goes through, so that a registry on the same machine is as far away as one elsewhere.
"""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 16


@dataclass
class Traffic:
    """What went through since the last `reset`. `round_trip_seconds` is how far away the registry is."""

    address: str
    log: Path
    from_registry: int = 0
    to_registry: int = 0
    connections: int = 0
    round_trip_seconds: float = 0.0
    _log_start: int = 0

    def reset(self) -> None:
        """Count from nothing again."""
        self.from_registry = self.to_registry = self.connections = 0
        self._log_start = len(self._lines())

    @property
    def requests(self) -> int:
        """HTTP requests that the registry answered."""
        time.sleep(0.2)  # the log is written after the answer
        return len(self._lines()) - self._log_start

    def _lines(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if '"' in line and " HTTP/" in line]


@contextlib.contextmanager
def counted_registry(directory: Path) -> Iterator[Traffic]:
    """Debian's docker-registry on a free port of 127.0.0.1, its data in `directory`."""
    program = shutil.which("docker-registry")
    if program is None:
        raise SystemExit("docker-registry is not on this machine: apt-get install docker-registry")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        behind = probe.getsockname()
    configuration = directory / "registry.yml"
    configuration.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {directory / 'data'}}}}}\n"
        f"http: {{addr: '{behind[0]}:{behind[1]}', secret: benchmark}}\n"
    )
    log = directory / "registry.log"
    with log.open("wb") as out, counted(behind, log) as traffic:
        process = subprocess.Popen([program, "serve", configuration], stdout=out, stderr=out)
        try:
            _wait(behind)
            yield traffic
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def counted(behind: tuple[str, int], log: Path) -> Iterator[Traffic]:
    """A proxy before a registry that listens at `behind` and writes its access log to `log`."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as front:
        traffic = Traffic(address=f"127.0.0.1:{front.getsockname()[1]}", log=log)
        threading.Thread(target=_accept, args=(front, behind, traffic), daemon=True).start()
        yield traffic


def _wait(address: tuple[str, int]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("docker-registry does not answer")


def _accept(front: socket.socket, behind: tuple[str, int], traffic: Traffic) -> None:
    while True:
        try:
            client, _ = front.accept()
        except OSError:  # closed: the benchmark is over
            return
        traffic.connections += 1
        registry = socket.create_connection(behind)
        for source, sink, name in ((client, registry, "to_registry"), (registry, client, "from_registry")):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pump, args=(source, sink, traffic, name), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, traffic: Traffic, name: str) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            if traffic.round_trip_seconds:
                time.sleep(traffic.round_trip_seconds / 2)
            setattr(traffic, name, getattr(traffic, name) + len(data))
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
