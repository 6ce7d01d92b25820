"""Says when the configuration changed: by reading its files once a second, and at once when told to.

A mounted ConfigMap changes by a swapped symbolic link, an editor writes in place or renames; only the content counts.
It does not know what the files mean, and keeps a digest of each, never its content.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from watcher.notice import Notice

_log = logging.getLogger("layerwatch.reload")
_POLL_SECONDS = 1.0


class WatchedFiles:
    """What some files held when last asked. A file that is not there, or cannot be read, is a state like any other."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._digests = {file: _digest(file) for file in files}

    def follow(self, files: Iterable[Path]) -> None:
        """From now on these; of those that were followed before, no change goes unseen."""
        self._digests = {file: self._digests[file] if file in self._digests else _digest(file) for file in files}

    def changed(self) -> list[Path]:
        """Those that hold something else than the last time."""
        now = {file: _digest(file) for file in self._digests}
        before, self._digests = self._digests, now
        return [file for file, digest in now.items() if digest != before[file]]


def _digest(file: Path) -> str | None:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


class ReloadWatch:
    """A thread that calls `changed` when one of `files` did, or when `now` was called. The calls never overlap."""

    def __init__(self, files: WatchedFiles, changed: Callable[[], None]) -> None:
        self._files = files
        self._changed = changed
        self._told = Notice()
        self._stopped = False

    def start(self) -> None:
        """Begin to look, once a second."""
        threading.Thread(target=self._watch, name="reload", daemon=True).start()

    def now(self) -> None:
        """Whether or not anything changed (SIGHUP). Safe in a signal handler."""
        self._told.set()

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        self._told.set()

    def _watch(self) -> None:
        while True:
            was_told = self._told.wait(_POLL_SECONDS)
            self._told.clear()
            if self._stopped:
                return
            files = self._files.changed()
            if files or was_told:
                _log.info("reading the configuration again: %s", ", ".join(map(str, files)) or "asked to")
                self._tell()

    def _tell(self) -> None:
        try:
            self._changed()
        except Exception:  # noqa: BLE001 logged with its traceback; the next change starts over
            _log.exception("a defect of layerwatch while reading the configuration again")
