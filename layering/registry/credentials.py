"""Which credentials belong to a repository: containers-auth.json(5) and docker's config.json.

The most specific entry wins, by whole path segments: an entry for `quay.io` is none for `quay.io.example.com`. The
first file that has an entry decides. A broken entry is passed over, and never quoted. Credential helpers are not asked.
"""

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layering.errors import InputError
from layering.reference import DEFAULT_DOMAIN, Repository
from layering.secrets import Secret

_DOCKER_HUB = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_FILE_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """A user name with its password, or an identity token, or a ready bearer token; and where it was found."""

    source: str
    username: str = ""
    password: Secret | None = None
    identity_token: Secret | None = None
    bearer_token: Secret | None = None


def find_credential(repository: Repository, auth_file: Path | None) -> Credential | None:
    """The credential for one repository, or None. Raises InputError when a named file cannot be read."""
    for path, entries in _files(auth_file):
        for name in _candidates(repository):
            if (credential := _read(entries.get(name), f"{path}, entry {name}")) is not None:
                return credential
    return None


def _candidates(repository: Repository) -> Iterator[str]:
    """`host/a/b`, `host/a`, `host`: containers/image, pkg/docker/config, `authKeysForKey`."""
    segments = [_one_name(repository.domain), *repository.path.split("/")]
    for length in range(len(segments), 0, -1):
        yield "/".join(segments[:length])


def _one_name(host: str) -> str:
    return DEFAULT_DOMAIN if host in _DOCKER_HUB else host


def _files(auth_file: Path | None) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The files to look into, in the order of containers-auth.json(5)."""
    explicit = auth_file or _from_environment("REGISTRY_AUTH_FILE")
    if explicit is not None:
        yield explicit, _entries(explicit, must_exist=True)
        return
    home = Path.home()
    if (runtime := _from_environment("XDG_RUNTIME_DIR")) is not None:
        yield from _existing(runtime / "containers/auth.json")
    yield from _existing((_from_environment("XDG_CONFIG_HOME") or home / ".config") / "containers/auth.json")
    yield from _existing((_from_environment("DOCKER_CONFIG") or home / ".docker") / "config.json")


def _from_environment(name: str) -> Path | None:
    return Path(value) if (value := os.environ.get(name)) else None


def _existing(path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    if path.is_file():
        yield path, _entries(path, must_exist=False)


def _entries(path: Path, *, must_exist: bool) -> Mapping[str, Any]:
    """Entries by normalised name. Keys may be URLs (`https://index.docker.io/v1/`): only their host counts then."""
    try:
        raw = path.read_bytes()
        document = json.loads(raw) if len(raw) <= _FILE_BYTES_MAX else None
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, OSError) and not must_exist:
            return {}
        detail = error.strerror if isinstance(error, OSError) else "not JSON"
        raise InputError(
            f"credentials cannot be read: {detail}", where=str(path), next_step="give --authfile a readable auth.json"
        ) from None
    auths = document.get("auths") if isinstance(document, dict) else None
    if not isinstance(auths, dict):
        return {}
    exact = {_normalised(key): entry for key, entry in auths.items() if "://" in key}
    exact.update({_normalised(key): entry for key, entry in auths.items() if "://" not in key})
    return exact


def _normalised(key: str) -> str:
    _, separator, rest = key.partition("://")
    name = rest.partition("/")[0] if separator else key.rstrip("/")
    host, slash, path = name.partition("/")
    return f"{_one_name(host)}{slash}{path}"


def _read(entry: Any, source: str) -> Credential | None:
    """One entry; None for an empty or broken one, so that the search goes on."""
    if not isinstance(entry, dict):
        return None
    if isinstance(token := entry.get("registrytoken"), str) and _is_sendable(token):
        return Credential(source=source, bearer_token=Secret(token))
    username, password = _decoded(entry.get("auth"))
    if not username:
        username, password = entry.get("username"), entry.get("password")
    if isinstance(token := entry.get("identitytoken"), str) and _is_sendable(token):
        return Credential(source=source, username=str(username or ""), identity_token=Secret(token))
    if isinstance(username, str) and isinstance(password, str) and username:
        return Credential(source=source, username=username, password=Secret(password))
    return None


def _is_sendable(token: str) -> bool:
    """Whether a header can carry it: the HTTP library's own complaint would quote it."""
    return token.isascii() and token.isprintable() and token != "" and " " not in token


def _decoded(auth: Any) -> tuple[str | None, str | None]:
    """base64 of `user:password`; the first colon separates, trailing NULs are none of it."""
    if not isinstance(auth, str):
        return None, None
    try:
        username, colon, password = base64.b64decode(auth, validate=True).decode().rstrip("\0").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return (username, password) if colon else (None, None)
