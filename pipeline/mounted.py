"""What a pod mounts as a directory: credentials, authorities, entitlements. Which files in it count, and no more.

A flag that names such a thing takes a file or a directory, and an empty value is no value: Tekton gives an empty path
for an optional workspace that is not bound. Links are followed, because Kubernetes mounts every key as one; names with
two leading dots are Kubernetes' own. Nothing is sent anywhere from here, and no value is ever printed.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from layering.errors import InputError

_AUTH_NAMES = ("config.json", ".dockerconfigjson")  # Secrets of type Opaque, and kubernetes.io/dockerconfigjson
_AUTHORITY_SUFFIXES = (".crt", ".pem")
_BYTES_MAX = 4 * 1024 * 1024
ENV_PREFIX = "env:"


def given_path(text: str) -> Path | None:
    """A path, or None for an empty text."""
    return Path(text) if text else None


def given_text(text: str) -> str | None:
    """The text, or None for an empty one."""
    return text or None


def environment_text(name: str, flag: str) -> str:
    """The text of `env:NAME`. Raises InputError when there is no such variable."""
    try:
        return os.environ[name.removeprefix(ENV_PREFIX)]
    except KeyError:
        raise InputError(
            f"the environment has no variable {name.removeprefix(ENV_PREFIX)!r}",
            where=flag,
            next_step="set and export it, or name a file",
        ) from None


def variable_file(path: Path, flag: str) -> Path | None:
    """The text of `env:NAME` in a file; it is gone when the process ends. None for an empty text.

    Raises InputError when there is no such variable.
    """
    text = environment_text(str(path), flag)
    if not text.strip():
        return None
    file = _own_directory() / "text"
    file.write_text(text, encoding="utf-8")
    return file


def is_variable(path: Path) -> bool:
    """Whether a flag names a variable of the environment, `env:NAME`, and no file."""
    return str(path).startswith(ENV_PREFIX)


def auth_file(path: Path, flag: str) -> Path:
    """The file itself, or the credentials in a directory. Raises InputError when there are none."""
    if path.is_file():
        return path
    if path.is_dir():
        for name in _AUTH_NAMES:
            if (path / name).is_file():
                return path / name
        raise InputError(f"neither {' nor '.join(_AUTH_NAMES)} is in {path}", where=flag)
    raise InputError(f"{path} is not a file", where=flag)


def ca_file(path: Path, flag: str) -> Path:
    """The file itself, or one with every *.crt and *.pem of a directory; it is gone when the process ends.

    Raises InputError for a directory without any.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"{path} is not a file", where=flag)
    files = [file for file in mounted_files(path) if file.suffix in _AUTHORITY_SUFFIXES]
    if not files:
        raise InputError(f"there is no *.crt and no *.pem in {path}", where=flag)
    bundle = _own_directory() / "ca.pem"
    bundle.write_bytes(b"\n".join(read_mounted(file, flag) for file in files))
    return bundle


def _own_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="layerwatch-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def mounted_files(directory: Path) -> Iterator[Path]:
    """The regular files that a directory shows, by name."""
    for file in sorted(directory.iterdir()):
        if not file.name.startswith("..") and file.is_file():
            yield file


def read_mounted(file: Path, flag: str) -> bytes:
    """What a mounted file holds. Raises InputError when it cannot be read or is too large to be what it should be."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", where=flag) from None
    if len(data) > _BYTES_MAX:
        raise InputError(f"{file} is larger than {_BYTES_MAX} bytes", where=flag)
    return data
