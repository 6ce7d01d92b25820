"""The only owner of `subprocess`: runs one program to its end, with a time limit, and gives back what it said.

Everything is an argv list, there is no shell. What a returncode means is the caller's to say: this module raises only
when there is no program to run, or when it did not end in time. It reads no configuration and retries nothing.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from layering.errors import InputError, UnavailableError

Say = Callable[[str], None]
_CHUNK_BYTES = 64 * 1024
_KILL_GRACE_SECONDS = 5.0
_END_GRACE_SECONDS = 5.0
_END_POLL_SECONDS = 0.02
_HAS_ENDED = os.WEXITED | os.WNOWAIT | os.WNOHANG
_HOW_TO_INSTALL = {
    "git": "install it, for instance with `apt-get install git` or `dnf install git`",
    "gpgv": "it verifies signatures: install it, for instance with `apt-get install gpgv` or `dnf install gnupg2`, "
    "or have pysequoia do it: pip install '.[verify]' in the checkout",
    "buildah": "install it, for instance with `apt-get install buildah` or `dnf install buildah`",
}


_running: set[subprocess.Popen[bytes]] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A program that ended. `returncode` is negative when a signal ended it, as in `subprocess`."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def succeeded(self) -> bool:
        """Whether the program said that all went well."""
        return self.returncode == 0

    @property
    def message(self) -> str:
        """What it said on stderr, as text for people; never fails on odd bytes."""
        return self.stderr.decode("utf-8", "replace").strip()


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    stdin: bytes | None = None,
    timeout_seconds: float,
    say: Say | None = None,
    kept_bytes_max: int | None = None,
) -> Completed:
    """Run `argv` to its end. Never raises for a returncode.

    `env` is added to our own environment; None takes a variable out of it. Without `stdin` the program reads an empty
    input. `say` receives each line of stderr as it comes, without its line end. Of stdout and of stderr at most
    `kept_bytes_max` are kept, each; what comes then is read and thrown away.

    Raises InputError when the program is missing or may not be run, UnavailableError when `timeout_seconds` are over;
    the program and all it started are dead by then.
    """
    process = _start(argv, cwd, env, with_input=stdin is not None)
    _running.add(process)
    output, errors = _Reader(process.stdout, kept_bytes_max), _Reader(process.stderr, kept_bytes_max, say)
    workers = (output, errors, _Feeder(process.stdin, stdin))
    try:
        for worker in workers:
            worker.start()
        returncode = _wait(process, (output, errors), time.monotonic() + timeout_seconds)
    except subprocess.TimeoutExpired:
        raise UnavailableError(
            f"{argv[0]} did not end within {timeout_seconds:g} s and was stopped",
            where=_shown(argv),
            next_step="look at what it waits for; try again, or allow it more time",
        ) from None
    finally:
        if process.returncode is None:
            _end_group(process)
        _running.discard(process)
        for worker in workers:
            worker.join(_KILL_GRACE_SECONDS)
    errors.complain()
    return Completed(argv=tuple(argv), returncode=returncode, stdout=output.data, stderr=errors.data)


def end_all() -> None:
    """End every program that `run` is waiting for, and all they started; their callers see a signal's returncode."""
    for process in list(_running):
        _signal_group(process, signal.SIGTERM)


def is_busy() -> bool:
    """Whether `run` is waiting for a program at this moment, in any thread."""
    return bool(_running)


def _wait(process: subprocess.Popen[bytes], readers: "Sequence[_Reader]", deadline: float) -> int:
    """The returncode. Waits for the pipes to close first: that wakes at once, where `Popen.wait` polls."""
    for reader in readers:
        reader.join(max(0.0, deadline - time.monotonic()))
    return process.wait(max(0.0, deadline - time.monotonic()))


def _start(
    argv: Sequence[str], cwd: Path | None, env: Mapping[str, str | None] | None, *, with_input: bool
) -> subprocess.Popen[bytes]:
    if cwd is not None and not cwd.is_dir():
        raise InputError(f"{cwd} is not a directory", where=_shown(argv))
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={name: value for name, value in {**os.environ, **(env or {})}.items() if value is not None},
            stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that a time limit ends its children too
        )
    except FileNotFoundError:
        raise InputError(
            f"the program {argv[0]} is not on this machine",
            next_step=_HOW_TO_INSTALL.get(argv[0], f"install it, or put the directory that has {argv[0]} on PATH"),
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{argv[0]} cannot be run: {error}", where=_shown(argv)) from None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the program and its children to end, so that they can tidy up, and make them end when they do not.

    It is reaped last: until then the number is still its own.
    """
    _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + _END_GRACE_SECONDS
    while time.monotonic() < deadline and os.waitid(os.P_PID, process.pid, _HAS_ENDED) is None:
        time.sleep(_END_POLL_SECONDS)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _shown(argv: Sequence[str]) -> str:
    """The program and its subcommand: arguments may be long, and may be none of the reader's business."""
    return " ".join(argv[:2])


class _Reader(threading.Thread):
    """Keeps what a pipe gives, and passes its lines on; a fault of the listener is raised later, in the caller."""

    def __init__(self, pipe: IO[bytes] | None, kept_bytes_max: int | None, say: Say | None = None) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._room = kept_bytes_max
        self._say = say
        self._chunks: list[bytes] = []
        self._fault: Exception | None = None

    @property
    def data(self) -> bytes:
        """What was kept so far."""
        return b"".join(self._chunks)

    def run(self) -> None:
        if self._pipe is None:
            return
        with self._pipe as pipe:
            read = pipe.read if self._say is None else pipe.readline
            while chunk := read(_CHUNK_BYTES):
                self._keep(chunk)
                self._pass_on(chunk)

    def _keep(self, chunk: bytes) -> None:
        kept = chunk[: self._room]
        if self._room is not None:
            self._room -= len(kept)
        if kept:
            self._chunks.append(kept)

    def complain(self) -> None:
        """Raise what the listener raised."""
        if self._fault is not None:
            raise self._fault

    def _pass_on(self, line: bytes) -> None:
        if self._say is None or self._fault is not None:
            return
        try:
            self._say(line.decode("utf-8", "replace").rstrip("\r\n"))
        except Exception as error:  # noqa: BLE001 the pipe must be read to its end, or the program would block on it
            self._fault = error


class _Feeder(threading.Thread):
    """Writes the input; a program that ends without reading all of it says so by its returncode."""

    def __init__(self, pipe: IO[bytes] | None, data: bytes | None) -> None:
        super().__init__(daemon=True)
        self._pipe = pipe
        self._data = data or b""

    def run(self) -> None:
        if self._pipe is None:
            return
        with contextlib.suppress(BrokenPipeError), self._pipe as pipe:
            pipe.write(self._data)
