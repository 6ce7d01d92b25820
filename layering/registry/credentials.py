"""Which credentials belong to a repository: containers-auth.json(5), docker's config.json and its older .dockercfg.

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
_LEGACY_NAME = ".dockercfg"  # the map of entries is the whole document
_IN_MEMORY = "the pull secret"
_FILE_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """A user name with its password, or an identity token, or a ready bearer token; and where it was found."""

    source: str
    username: str = ""
    password: Secret | None = None
    identity_token: Secret | None = None
    bearer_token: Secret | None = None


def is_sendable(token: str) -> bool:
    """Whether a header can carry it behind `Bearer` (RFC 6750); the HTTP library would quote it in its complaint."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token


def find_credential(repository: Repository, auth: Path | Secret | None) -> Credential | None:
    """The credential for one repository, or None. `auth`: a file, the text of one, or None for the usual places.

    Raises InputError when a named file or the text cannot be read.
    """
    for origin, entries in _documents(auth):
        for name in _candidates(repository):
            if (credential := _read(entries.get(name), f"{origin}, entry {name}")) is not None:
                return credential
    return None


def _candidates(repository: Repository) -> Iterator[str]:
    """`host/a/b`, `host/a`, `host`: containers/image, pkg/docker/config, `authKeysForKey`."""
    segments = [_one_name(repository.domain), *repository.path.split("/")]
    for length in range(len(segments), 0, -1):
        yield "/".join(segments[:length])


def _one_name(host: str) -> str:
    return DEFAULT_DOMAIN if host in _DOCKER_HUB else host


def _documents(auth: Path | Secret | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where to look, in the order of containers-auth.json(5)."""
    if isinstance(auth, Secret):
        yield _IN_MEMORY, _entries(auth.reveal().encode(), _IN_MEMORY)
    elif (explicit := auth or _from_environment("REGISTRY_AUTH_FILE")) is not None:
        yield str(explicit), _from_file(explicit, must_exist=True)
    else:
        for path in _usual_places():
            yield str(path), _from_file(path, must_exist=False)


def _from_environment(name: str) -> Path | None:
    return Path(value) if (value := os.environ.get(name)) else None


def _usual_places() -> Iterator[Path]:
    if (runtime := _from_environment("XDG_RUNTIME_DIR")) is not None:
        yield runtime / "containers/auth.json"
    home = _home()
    if configuration := _from_environment("XDG_CONFIG_HOME") or (home and home / ".config"):
        yield configuration / "containers/auth.json"
    if docker := _from_environment("DOCKER_CONFIG") or (home and home / ".docker"):
        yield docker / "config.json"
    if home:
        yield home / _LEGACY_NAME


def _home() -> Path | None:
    """A user that a container platform made up has no home."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def _from_file(path: Path, *, must_exist: bool) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        if not must_exist:
            return {}
        raise _unreadable(str(path), error.strerror or "unknown cause") from None
    return _entries(raw, str(path), legacy=path.name == _LEGACY_NAME)


def _entries(raw: bytes, origin: str, *, legacy: bool = False) -> Mapping[str, Any]:
    """Entries by normalised name. Keys may be URLs (`https://index.docker.io/v1/`): only their host counts then."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise _unreadable(origin, "not JSON") from None
    auths = document if legacy else document.get("auths") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(auths or {}, dict):
        raise _unreadable(origin, "not of the form of containers-auth.json(5)")
    auths = auths or {}
    found = {_normalised(key): entry for key, entry in auths.items() if "://" in key}
    found.update({_normalised(key): entry for key, entry in auths.items() if "://" not in key})
    return found


def _unreadable(origin: str, detail: str) -> InputError:
    return InputError(
        f"credentials cannot be read: {detail}",
        where=origin,
        next_step="name a readable auth.json (registries.authFile, --authfile)",
    )


def _normalised(key: str) -> str:
    _, separator, rest = key.partition("://")
    name = rest.partition("/")[0] if separator else key.rstrip("/")
    host, slash, path = name.partition("/")
    return f"{_one_name(host)}{slash}{path}"


def _read(entry: Any, source: str) -> Credential | None:
    """One entry; None for an empty or broken one, so that the search goes on."""
    if not isinstance(entry, dict):
        return None
    if isinstance(token := entry.get("registrytoken"), str) and is_sendable(token):
        return Credential(source=source, bearer_token=Secret(token))
    username, password = _decoded(entry.get("auth"))
    if not username:
        username, password = entry.get("username"), entry.get("password")
    if isinstance(token := entry.get("identitytoken"), str) and is_sendable(token):
        return Credential(source=source, username=str(username or ""), identity_token=Secret(token))
    if isinstance(username, str) and isinstance(password, str) and username:
        return Credential(source=source, username=username, password=Secret(password))
    return None


def _decoded(auth: Any) -> tuple[str | None, str | None]:
    """base64 of `user:password`; the first colon separates, trailing NULs are none of it."""
    if not isinstance(auth, str):
        return None, None
    try:
        username, colon, password = base64.b64decode(auth, validate=True).decode().rstrip("\0").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return (username, password) if colon else (None, None)
