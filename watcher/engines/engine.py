"""What a build is to the watcher, whichever engine runs it: find it by its key, or start it.

An engine never says that an image exists; the registry does. All calls can be repeated safely.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from layering.reasons import Reason
from layering.request import RebuildRequest
from watcher.settings_image import ImageSettings


class BuildState(StrEnum):
    """Where the newest attempt at a key stands."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"  # and yet its tag was not seen so far
    FAILED = "Failed"  # tried again at `retry_at`
    EXHAUSTED = "Exhausted"  # no attempts are left
    MISCONFIGURED = "Misconfigured"  # another attempt would end the same way
    CANCELLED = "Cancelled"  # by somebody else


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """The newest attempt at one key. `log` is a command that shows its log; `reason` says why it ended.

    `temporary`: it ended for a reason that may pass by itself, such as a registry that failed for now. `url`: the page
    of the run, where it has one.
    """

    engine: str
    name: str | None
    state: BuildState
    attempt: int
    reason: Reason
    message: str
    next_step: str = ""
    log: str | None = None
    retry_at: datetime | None = None
    temporary: bool = False
    url: str | None = None


class Engine(Protocol):
    """One way to run builds. All calls raise LayerwatchError when the engine itself cannot be asked."""

    def find(self, image: ImageSettings, key: str) -> Build | None:
        """What became of this key so far; None when nothing is known of it. Reads only. `key` is 64 hex digits."""

    def end_others(self, image: ImageSettings, key: str) -> None:
        """End what is still being built of this image for another key: nobody waits for it. Can be repeated."""

    def start(self, image: ImageSettings, request: RebuildRequest, build: Build | None) -> Build:
        """Build it, or find that it is being built. `build` is what `find` gave. May wait for the end."""
