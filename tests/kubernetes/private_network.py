"""Runs programs in a network of their own, with relays across its border.

Tekton's webhook and controller listen on every interface of the machine and cannot be told otherwise. In a network
namespace every interface is its own loopback, so that nobody outside reaches them, and their ports never collide.
What shall cross the border is carried by bytes: a listener on one side, a Unix socket in between (those are not of a
network namespace), a connection on the other side. Root needs nothing else; anybody else needs user namespaces.

    PrivateNetwork(directory, programs, inward={listening socket outside: port inside}, outward=[port on both sides])

It starts one process, which does all of it and takes everything with it when it ends.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.kubernetes import namespaces as ns

CHECKOUT = Path(__file__).parents[2]
_CHUNK_BYTES = 1 << 16
_Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Connect = Callable[[], Awaitable[_Pipe]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One program inside; `log` is the file for all it says."""

    argv: Sequence[str]
    env: Mapping[str, str]
    log: str


class PrivateNetwork:
    """Programs in a network of their own, until `kill`. `directory` is short (Unix sockets) and only for this."""

    def __init__(
        self, directory: Path, programs: Sequence[Program], inward: Mapping[socket.socket, int], outward: Sequence[int]
    ) -> None:
        directory.mkdir()
        spec = {
            "directory": str(directory),
            "programs": [asdict(program) for program in programs],
            "inward": [[listener.fileno(), port] for listener, port in inward.items()],
            "outward": list(outward),
        }
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __spec__.name, json.dumps(spec)],
                cwd=CHECKOUT,
                pass_fds=[listener.fileno() for listener in inward],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ended(self) -> str:
        """Why it is not running, or "" while it is."""
        return "" if self._process.poll() is None else self._log.read_text() or "without a word"

    def kill(self) -> None:
        """End everything in it at once."""
        self._process.kill()
        self._process.wait()


def available() -> str:
    """Why this machine allows no private networks, or ""."""
    asked = "from tests.kubernetes import namespaces as n; n.unshare(n.NEW_NETWORK); n.raise_loopback()"
    said = subprocess.run([sys.executable, "-c", asked], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return "" if said.returncode == 0 else f"no network namespaces here: {said.stderr.strip().splitlines()[-1]}"


def main() -> int:
    """The process outside: forks the one inside, and relays until that ends."""
    ns.die_with_parent()
    spec = json.loads(sys.argv[1])
    child = os.fork()
    if child == 0:
        ns.die_with_parent()
        ns.unshare(ns.NEW_NETWORK)
        ns.raise_loopback()
        asyncio.run(_inside(spec))
        return 1
    asyncio.run(_outside(spec, child))
    return 1


async def _outside(spec: Mapping[str, Any], child: int) -> None:
    for descriptor, port in spec["inward"]:
        listener = socket.socket(fileno=descriptor)
        await asyncio.start_server(_relay(_to_unix(_inward_socket(spec, port))), sock=listener)
    for port in spec["outward"]:
        await asyncio.start_unix_server(_relay(_to_port(port)), path=_outward_socket(spec, port))
    await asyncio.to_thread(os.waitpid, child, 0)


async def _inside(spec: Mapping[str, Any]) -> None:
    for _, port in spec["inward"]:
        await asyncio.start_unix_server(_relay(_to_port(port)), path=_inward_socket(spec, port))
    for port in spec["outward"]:
        await asyncio.start_server(_relay(_to_unix(_outward_socket(spec, port))), host="127.0.0.1", port=port)
    ends = [asyncio.create_task(_run(program)) for program in spec["programs"]]
    done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    print("\n".join(task.result() for task in done), flush=True)


async def _run(program: Mapping[str, Any]) -> str:
    with Path(program["log"]).open("wb") as log:
        process = subprocess.Popen(  # from this thread, which lives as long as the process, so that its end is ours
            program["argv"], env=program["env"], stdout=log, stderr=log, preexec_fn=ns.die_with_parent
        )
    code = await asyncio.to_thread(process.wait)
    return f"{program['argv'][0]} ended with {code}; its last words: {Path(program['log']).read_text()[-2000:]}"


def _inward_socket(spec: Mapping[str, Any], port: int) -> str:
    return f"{spec['directory']}/in-{port}"


def _outward_socket(spec: Mapping[str, Any], port: int) -> str:
    return f"{spec['directory']}/out-{port}"


def _to_port(port: int) -> _Connect:
    return lambda: asyncio.open_connection("127.0.0.1", port)


def _to_unix(path: str) -> _Connect:
    return lambda: asyncio.open_unix_connection(path)


def _relay(connect: _Connect) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):  # the other end is not there: hang up as well
            far_reader, far_writer = await connect()
            with contextlib.closing(far_writer):
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    return carry


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


if __name__ == "__main__":
    sys.exit(main())
