"""Read and replace a text file without changing a byte that was not meant: no newline translation, no half writes."""

import os
import tempfile
from pathlib import Path

from layering.errors import InputError

_BYTES_MAX = 4 * 1024 * 1024


def read_exact(path: Path) -> str:
    """The file's text with its own line ends. Raises InputError for what is not there, too large, or not UTF-8."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(raw) > _BYTES_MAX:
        raise InputError(f"larger than {_BYTES_MAX} bytes", where=str(path))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 (byte {error.start})", where=str(path)) from None


def write_exact(path: Path, text: str) -> None:
    """Replace the file as a whole; its mode stays. A link is followed. Raises InputError when it may not be written."""
    target = path.resolve()
    try:
        mode = target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(path)) from None
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise InputError(f"cannot be written: {error.strerror}", where=str(path)) from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
