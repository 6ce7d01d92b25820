"""Builds on this machine: one `layerwatch-step run` per request, in a process of its own.

The request goes in on stdin and the exit code comes back; what was built is asked of the registry, not of the process.
A process of its own keeps the builder's memory, files and crashes out of the watcher. This engine proposes nothing.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from layering.commands import run
from layering.errors import ExitCode
from layering.excerpt import excerpt
from layering.reasons import Reason
from layering.registry.settings import RegistrySettings, as_arguments, proxy_environment
from layering.request import RebuildRequest
from watcher.engines.engine import Build, BuildState
from watcher.settings_image import ImageSettings
from watcher.world import Failure

_ENGINE = "local"
BUILD_TIMEOUT_SECONDS = 2 * 60 * 60
_BACKOFF_FIRST = timedelta(minutes=1)
_BACKOFF_LONGEST = timedelta(hours=1)
_REASON_LINE = re.compile(r"^  reason: (\w+)$", re.MULTILINE)
_NEXT_LINE = re.compile(r"^  next: (.+)$", re.MULTILINE)
_MESSAGE_LENGTH_MAX = 2000
_LOG_LINES = 10
_ENDED_BY_SIGTERM = 128 + 15
_OF_OUR_JOB = {"GITHUB_OUTPUT": None, "GITHUB_STEP_SUMMARY": None}  # what it finds goes into our own


class LocalEngine:
    """Runs builds, one at a time, and remembers in this process which keys failed and when to try again."""

    def __init__(
        self,
        registries: Callable[[ImageSettings], RegistrySettings],
        say: Callable[[str], None],
        now: Callable[[], datetime],
        *,
        stays: bool = True,
    ) -> None:
        """`stays`: whether this process is still there when a failed build would be tried again."""
        self._registries = registries
        self._say = say
        self._now = now
        self._stays = stays
        self._failed: dict[str, Build] = {}

    def find(self, image: ImageSettings, key: str) -> Build | None:
        """What became of the last attempt at this key, when it failed."""
        return self._failed.get(key)

    def end_others(self, image: ImageSettings, key: str) -> None:
        """Nothing to do: a build is waited for, so that no other is under way."""

    def start(self, image: ImageSettings, request: RebuildRequest, build: Build | None) -> Build:
        """Build, and wait for the end."""
        registries = self._registries(image)
        with tempfile.TemporaryDirectory(prefix="layerwatch-build-") as directory:
            completed = run(
                command(registries, Path(directory)),
                env={**proxy_environment(registries), **_OF_OUR_JOB},
                stdin=request.to_json().encode(),
                timeout_seconds=BUILD_TIMEOUT_SECONDS,
                say=self._say,
            )
        key = request.key or ""
        if completed.returncode == ExitCode.DONE:
            self._failed.pop(key, None)
            return _succeeded(request)
        failure = _failure(completed.returncode, completed.stderr.decode(errors="replace"))
        attempt = self._failed[key].attempt + 1 if key in self._failed else 1
        self._failed[key] = self._failed_build(failure, attempt)
        return self._failed[key]

    def _failed_build(self, failure: Failure, attempt: int) -> Build:
        """What cannot be built as it stands waits for another key; everything else is tried again."""
        is_final = failure.reason is Reason.BUILD_MISCONFIGURED
        return Build(
            engine=_ENGINE,
            name=None,
            state=BuildState.MISCONFIGURED if is_final else BuildState.FAILED,
            attempt=attempt,
            reason=failure.reason,
            message=failure.message,
            next_step=failure.next_step,
            retry_at=self._now() + backoff(attempt) if self._stays and not is_final else None,
            temporary=failure.temporary,
        )


def _succeeded(request: RebuildRequest) -> Build:
    return Build(
        engine=_ENGINE,
        name=None,
        state=BuildState.SUCCEEDED,
        attempt=1,
        reason=Reason.BUILD_RUNNING,
        message=f"the build of {request.target} is done; the registry does not show it yet",
    )


def command(registries: RegistrySettings, directory: Path) -> Sequence[str]:
    """The argv of one build; nothing in it is secret: what is, lies in files of `directory`."""
    argv = [sys.executable, "-m", "pipeline.cli", "run", "--request", "-"]
    return argv + as_arguments(registries, directory)


def backoff(attempts: int) -> timedelta:
    """How long to wait after the nth failure: one minute, doubled each time, at most an hour."""
    doubled: timedelta = _BACKOFF_FIRST * 2 ** min(attempts - 1, 16)
    return min(doubled, _BACKOFF_LONGEST)


def _failure(returncode: int, stderr: str) -> Failure:
    """What the build said of itself: the exit code tells whose turn it is, the reason constant tells why."""
    if returncode < 0 or returncode == _ENDED_BY_SIGTERM:
        return Failure(
            reason=Reason.BUILD_FAILED,
            message="the build was ended by a signal before it was done",
            next_step="nothing to do; it is built again",
            temporary=True,
        )
    named = _REASON_LINE.findall(stderr)
    reason = Reason(named[-1]) if named and named[-1] in set(Reason) else Reason.BUILD_FAILED
    if returncode == ExitCode.BAD_INPUT and reason is Reason.INPUT_INVALID:
        reason = Reason.BUILD_MISCONFIGURED
    steps = _NEXT_LINE.findall(stderr)
    return Failure(
        reason=reason,
        message=_last_message(stderr) or f"the build ended with exit code {returncode}",
        next_step=steps[-1] if steps else "",
        temporary=returncode == ExitCode.UNAVAILABLE,
    )


def _last_message(stderr: str) -> str:
    """The error the step printed, without its `next` and `reason` lines, and those for a runner: what it says, and the
    end of a log below.
    """
    start = stderr.rfind("layerwatch-step run: ")
    text = stderr[start:].removeprefix("layerwatch-step run: ") if start >= 0 else stderr
    lines = [line for line in text.splitlines() if not line.startswith(("  next: ", "  reason: ", "::"))]
    said, line_end, log = "\n".join(lines).strip().partition("\n")
    if not line_end:
        return said[-_MESSAGE_LENGTH_MAX:]
    return f"{said[-_MESSAGE_LENGTH_MAX:].rstrip(':')}\n{excerpt(log, lines=_LOG_LINES)}"
