"""Read a file that will be edited, and put the edited text in its place at once.

A reader of the file sees the old bytes or the new ones, never half of them; the file's mode and, where there is a
symbolic link, the link stay. It decodes UTF-8 and translates no line ends. Nothing here knows what is in the file.
"""

import os
import stat
import tempfile
from pathlib import Path

from layering.errors import InputError

TEXT_BYTES_MAX = 4 * 1024 * 1024  # far more than any Containerfile or request has


def read_text(path: Path, *, size_max: int) -> str:
    """The text of a regular file, line ends and byte order mark included. `size_max` is in bytes. Raises InputError."""
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise InputError("this is not a regular file", where=str(path), next_step="name a text file")
            data = stream.read(size_max + 1)
    except OSError as error:
        raise _unusable(path, "be read", error) from None
    if len(data) > size_max:
        raise InputError(f"the file is larger than {size_max} bytes", where=str(path), next_step="split the file")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise InputError(
            f"this is not UTF-8: byte 0x{data[error.start]:02x}",
            where=f"{path}:{line}:{column}",
            next_step="save the file as UTF-8",
        ) from None


def replace_text(path: Path, text: str) -> None:
    """Write the text into the file, or where the link leads; an existing file keeps its mode. Raises InputError."""
    target = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        if target.exists() and not target.is_file():
            raise InputError("this is not a regular file", where=str(path), next_step="name a file to write")
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    except OSError as error:
        raise _unusable(path, "be written", error) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fchmod(stream.fileno(), _new_file_mode() if mode is None else mode)
            os.fsync(stream.fileno())
        os.replace(name, target)
    except OSError as error:
        raise _unusable(path, "be written", error) from None
    finally:
        Path(name).unlink(missing_ok=True)  # gone already when it took its place


def make_parents(path: Path) -> None:
    """Make the directories that the file will lie in. Raises InputError."""
    try:
        Path(os.path.realpath(path)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, "be written", error) from None


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # opening a pipe without a writer would wait for ever


def _new_file_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _unusable(path: Path, what: str, error: OSError) -> InputError:
    return InputError(
        f"the file cannot {what}: {error.strerror or error}", where=str(path), next_step="name a file that can"
    )
