"""One build of a target at a time on one machine, so that the second finds what the first pushed.

Across machines there is no lock, and none is needed: both build the same image, and a tag is read back after it is
written.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from layering.errors import InputError
from layering.reference import ImageReference


@contextmanager
def target_lock(target: ImageReference, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of `target`; waits for another process that has it, and says so. The kernel frees it on any death.

    Raises InputError when the temporary directory is not ours to use.
    """
    file = _directory() / f"{hashlib.sha256(str(target).encode()).hexdigest()}.lock"
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process builds {target}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _directory() -> Path:
    """A directory of this user alone; the files in it are empty and stay."""
    directory = Path(tempfile.gettempdir()) / f"layerwatch-locks-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if directory.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise InputError(
            f"{directory} belongs to someone else", next_step="remove it, or set TMPDIR to a directory of yours"
        )
    return directory
