"""How git reaches a private source: the credentials of a mounted directory, and the authorities that are trusted.

The directory has one of these forms: `.git-credentials` (git-credential-store(1)); `username` and `password`
(kubernetes.io/basic-auth); `ssh-privatekey` and `known_hosts` (kubernetes.io/ssh-auth). What git needs of them is
written into a directory of this process alone and taken away with it. It replaces the user's own git configuration.
"""

import shlex
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from layering.errors import InputError
from pipeline.mounted import read_mounted

FLAG = "--git-credentials"
_FORMS = ".git-credentials; username and password; ssh-privatekey and known_hosts"


@contextmanager
def git_access(credentials: Path | None, ca_file: Path | None, url: str) -> Iterator[Mapping[str, str]]:
    """Variables for git, for as long as the `with` lasts; none when there is neither. Raises InputError."""
    if credentials is None and ca_file is None:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="layerwatch-git-") as name:
        directory = Path(name)
        variables: dict[str, str] = {}
        if ca_file is not None:
            variables["GIT_SSL_CAINFO"] = str(_authorities(ca_file, directory))
        if credentials is not None:
            variables.update(_credentials(credentials, url, directory))
        yield variables


def _credentials(mounted: Path, url: str, directory: Path) -> Mapping[str, str]:
    if not mounted.is_dir():
        raise InputError(f"{mounted} is not a directory", where=FLAG)
    if (mounted / "ssh-privatekey").is_file():
        return _ssh(mounted, directory)
    store = directory / "credentials"
    _write_private(store, _store(mounted, url))
    configuration = directory / "gitconfig"
    helper = f"store --file={shlex.quote(str(store))}"
    _write_private(configuration, f'[credential]\n\thelper = "{helper}"\n'.encode())
    return {"GIT_CONFIG_GLOBAL": str(configuration)}


def _store(mounted: Path, url: str) -> bytes:
    """The lines of git-credential-store(1)."""
    if (mounted / ".git-credentials").is_file():
        return read_mounted(mounted / ".git-credentials", FLAG)
    if not (mounted / "username").is_file() or not (mounted / "password").is_file():
        raise InputError(f"{mounted} has no credentials", where=FLAG, next_step=f"one of: {_FORMS}")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            "a user name and a password are for http(s), and the source is none",
            where=FLAG,
            next_step="give an SSH key",
        )
    user, password = (_quoted(mounted / name) for name in ("username", "password"))
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{user}:{password}@{host}\n".encode()


def _quoted(file: Path) -> str:
    """As a URL has it; an editor's final line end is none of it."""
    return quote(read_mounted(file, FLAG).rstrip(b"\r\n"), safe="")


def _ssh(mounted: Path, directory: Path) -> Mapping[str, str]:
    """A key of its own, and only hosts that are known: asking is impossible and believing is worse."""
    if not (mounted / "known_hosts").is_file():
        raise InputError(
            f"{mounted} has no known_hosts",
            where=FLAG,
            next_step="add the host's line: ssh-keyscan HOST, compared with what its owner publishes",
        )
    key, hosts = directory / "key", directory / "known_hosts"
    _write_private(key, read_mounted(mounted / "ssh-privatekey", FLAG).rstrip() + b"\n")
    _write_private(hosts, read_mounted(mounted / "known_hosts", FLAG))
    options = ("IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={hosts}")
    argv = ["ssh", "-F", "none", "-i", str(key), *(word for option in options for word in ("-o", option))]
    return {"GIT_SSH_COMMAND": shlex.join(argv)}


def _authorities(ca_file: Path, directory: Path) -> Path:
    """The system's and ours: git knows one file, and it takes the place of the system's."""
    bundle = directory / "authorities.pem"
    system = ssl.get_default_verify_paths().cafile
    with bundle.open("wb") as out:
        for file in (*([Path(system)] if system else []), ca_file):
            with file.open("rb") as source:
                shutil.copyfileobj(source, out)
            out.write(b"\n")
    return bundle


def _write_private(file: Path, data: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(data)
