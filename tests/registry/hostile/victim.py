"""The client under attack, in a process of its own: it takes orders by line, and says how each ended and what it took.

Run as a program it is the child; `Victim` is the parent's handle. A child that does not answer is ended.
"""

import ctypes
import gc
import json
import os
import select
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from layering.errors import LayerwatchError
from layering.layertar import tar_of
from layering.platform import Platform
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_MANIFEST, ImageIndex, ImageManifest, sha256
from layering.registry.reach import Reach
from layering.registry.settings import RegistrySettings
from layering.release import read_release
from layering.tarheaders import read_headers
from tests.registry.hostile.goods import BLOB, MANIFEST, OTHER_PATH, PATH, PUSHED, TAG

_ANSWER_SECONDS = 200
_LARGE_BYTES, _LARGE_PIECE = 80 * 1024 * 1024, b"large" * 20_000


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an order ended. `error` is the error's class, "" for none, and `said` all that it shows of itself."""

    error: str
    exit_code: int
    gave: str
    said: str
    line: str
    peak_bytes: int
    requests: int


class Victim:
    """A child process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, order: Mapping[str, Any]) -> Ended:
        """Do it. Raises TimeoutError when it does not end."""
        process = self._process = self._process or subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        )
        if process.stdin is None or process.stdout is None:
            raise ValueError("no pipes")
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], _ANSWER_SECONDS)[0]:
            self.end()
            raise TimeoutError("it does not end")
        return Ended(**json.loads(process.stdout.readline()))

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _image(client: RegistryClient, repository: Repository) -> ImageManifest:
    return client.image(repository.tagged(TAG), Platform("linux", "amd64"))


def _manifest(found: ImageManifest | ImageIndex) -> str:
    return str(found.digest)


def _layers(client: RegistryClient, repository: Repository) -> str:
    """All headers of all layers, as `check-image` and `compare` read them."""
    total = 0
    for layer in _image(client, repository).layers:
        with client.stream_blob(repository, layer) as chunks:
            total += sum(1 for _ in read_headers(tar_of(chunks, layer, "layer"), where="layer"))
    return str(total)


def _large() -> Iterator[bytes]:
    return iter([_LARGE_PIECE] * (_LARGE_BYTES // len(_LARGE_PIECE)))


def _push_large(client: RegistryClient, repository: Repository) -> str:
    """What is not in one piece in memory when it is pushed. A hostile registry does not compare digests."""
    client.push_stream(repository, _large, replace(BLOB, size=_LARGE_BYTES))
    return "pushed"


def _push_stream(client: RegistryClient, repository: Repository) -> str:
    pushed = replace(BLOB, digest=sha256(PUSHED), size=len(PUSHED))
    client.push_stream(repository, lambda: [PUSHED], pushed)
    return "pushed"


def _streamed(client: RegistryClient, repository: Repository) -> str:
    with client.stream_blob(repository, BLOB) as chunks:
        return str(sum(len(chunk) for chunk in chunks))


def _twice(client: RegistryClient, repository: Repository) -> str:
    """Two operations of one client, so that the second meets what the first left behind."""
    client.resolve(repository.tagged(TAG))
    return str(client.resolve(repository.tagged(TAG)).digest)


OPERATIONS: Mapping[str, Callable[[RegistryClient, Repository], str]] = {
    "resolve": lambda client, at: str(client.resolve(at.tagged(TAG)).digest),
    "resolve a digest": lambda client, at: str(client.resolve(at.at(sha256(MANIFEST))).digest),
    "resolve twice": _twice,
    "find": lambda client, at: str(client.find(at.tagged(TAG)) is not None),
    "manifest": lambda client, at: _manifest(client.manifest(at.tagged(TAG))),
    "manifest by digest": lambda client, at: _manifest(client.manifest(at.at(sha256(MANIFEST)))),
    "image": lambda client, at: _manifest(_image(client, at)),
    "config": lambda client, at: str(client.config(at, _image(client, at)).platform),
    "read_blob": lambda client, at: str(len(client.read_blob(at, BLOB, limit_bytes=BLOB.size))),
    "stream_blob": _streamed,
    "layers": _layers,
    "tags": lambda client, at: " ".join(client.tags(at)),
    "referrers": lambda client, at: str(client.referrers(at.at(sha256(MANIFEST)), "x/y")),
    "release": lambda client, at: str(read_release(client, at.tagged(TAG)).image("rhel-coreos")),
    "push_blob": lambda client, at: str(client.push_blob(at, b"new data")),
    "push_stream": _push_stream,
    "push a large stream": _push_large,
    "copy_blob": lambda client, at: str(client.copy_blob(at, Repository(at.domain, OTHER_PATH), BLOB)),
    "push_manifest": lambda client, at: str(client.push_manifest(at.tagged("new"), MANIFEST, OCI_MANIFEST)),
}


def _run(order: Mapping[str, Any]) -> Ended:
    heard: list[object] = []
    settings = RegistrySettings(
        auth_file=Path(order["auth_file"]),
        ca_file=Path(order["ca_file"]) if order["ca_file"] else None,
        insecure=frozenset(order["insecure"]),
        realms={registry: frozenset(hosts) for registry, hosts in order["realms"].items()},
        timeout_seconds=order["seconds"],
    )
    error: BaseException | None = None
    gave = ""
    _forget_peak()
    with ExitStack() as stack:
        for patch in _patches(order):
            stack.enter_context(patch)
        client = stack.enter_context(RegistryClient(settings, sleep=lambda seconds: None, on_request=heard.append))
        try:
            gave = OPERATIONS[order["do"]](client, Repository(order["address"], PATH))
        except Exception as raised:  # noqa: BLE001 whatever it is, the parent judges it
            error = raised
    shown = [str(error), repr(error), *traceback.format_exception(error)] if error is not None else []
    code = int(error.exit_code) if isinstance(error, LayerwatchError) else 1
    return Ended(
        error=type(error).__name__ if error is not None else "",
        exit_code=0 if error is None else code,
        gave=gave,
        said="\n".join([*shown, repr(heard), repr(settings)]),
        line=str(error or ""),
        peak_bytes=_peak(),
        requests=len(heard),
    )


def _patches(order: Mapping[str, Any]) -> Iterable[Any]:
    """What names mean is not this machine's to say here, nor from how far its own address can be reached."""
    real, names = socket.getaddrinfo, order["names"]

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return real(names.get(name, host), port, *args, **kwargs)

    yield mock.patch.object(socket, "getaddrinfo", resolve)
    if order["is_public"]:
        yield mock.patch("layering.registry.transport.reach_of_host", return_value=Reach.EVERYWHERE)


def _forget_peak() -> None:
    """Give back what is free, and count the peak anew where the kernel lets us; else it is that of all rows so far."""
    gc.collect()  # an error holds the frames that it came through
    ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return peak * 1024


def _serve() -> None:
    for line in sys.stdin:
        ended = _run(json.loads(line))
        print(json.dumps(vars(ended)), flush=True)


if __name__ == "__main__":
    _serve()
