"""Which credentials belong to a repository: the most specific entry of the first file that has one.

By whole path segments: an entry for `quay.io` is none for `quay.io.example.com`. In each file a helper that is named
for the host is asked first, then the store for all hosts, then the entries (containers/image, pkg/docker/config).
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from layering.errors import RefusedError
from layering.reference import DEFAULT_DOMAIN, Repository
from layering.registry.credentialhelper import ask_helper
from layering.registry.credentials import (
    AuthDocument,
    Credential,
    normalised,
    one_name,
    parse_auth_document,
    unreadable,
)
from layering.secrets import Secret

_LEGACY_NAME = ".dockercfg"
_IN_MEMORY = "the pull secret"
_FILE_BYTES_MAX = 4 * 1024 * 1024
_KEPT_SECONDS = 3600.0  # what a helper says; what Amazon's and Google's say is good for longer
_FAILURE_KEPT_SECONDS = 5.0
_DOCKER_HUB_SERVER = "https://index.docker.io/v1/"  # what `docker login` has a store keep it under

_Version = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """What a helper said, until when that is believed."""

    credential: Credential | None
    failure: RefusedError | None
    until: float


class Keychain:
    """The credentials of one client. Files are read again when they change. Thread-safe.

    `auth`: a file, the text of one, or None for the usual places. What a text names as helpers is not run: it may come
    from a cluster, and would name programs of this machine.
    """

    def __init__(self, auth: Path | Secret | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._auth = auth
        self._clock = clock
        self._files: dict[Path, tuple[_Version, AuthDocument]] = {}
        self._said: dict[tuple[str, str], _Said] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._guard = threading.Lock()

    def find(self, repository: Repository) -> Credential | None:
        """The credential for one repository, or None.

        Raises InputError when a named file or the text cannot be read or a helper is missing, RefusedError when a
        helper fails.
        """
        for document in self._documents():
            credential = self._helped(document, repository) or _entry(document, repository)
            if credential is not None:
                return credential
        return None

    def forget(self, repository: Repository) -> None:
        """Have helpers asked again: what they said for this host was refused."""
        host = one_name(repository.domain)
        for key in [key for key in list(self._said) if normalised(key[1]) == host]:
            self._said.pop(key, None)

    def _helped(self, document: AuthDocument, repository: Repository) -> Credential | None:
        host = one_name(repository.domain)
        named = document.helpers.get(host)
        if named is not None and (found := self._ask(*named, document.origin)) is not None:
            return found
        return self._ask(document.store, _server(host), document.origin) if document.store else None

    def _ask(self, helper: str, server: str, origin: str) -> Credential | None:
        key = helper, server
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            said = self._said.get(key)
            if said is None or said.until <= self._clock():
                said = self._said[key] = self._answer(helper, server, origin)
        if said.failure is not None:
            raise said.failure
        return said.credential

    def _answer(self, helper: str, server: str, origin: str) -> _Said:
        try:
            found = ask_helper(helper, server, origin)
        except RefusedError as failure:
            return _Said(credential=None, failure=failure, until=self._clock() + _FAILURE_KEPT_SECONDS)
        return _Said(credential=found, failure=None, until=self._clock() + _KEPT_SECONDS)

    def _documents(self) -> Iterator[AuthDocument]:
        """Where to look, in the order of containers-auth.json(5)."""
        if isinstance(self._auth, Secret):
            document = parse_auth_document(self._auth.reveal().encode(), _IN_MEMORY)
            yield AuthDocument(origin=document.origin, entries=document.entries)
        elif (explicit := self._auth or _from_environment("REGISTRY_AUTH_FILE")) is not None:
            yield self._file(explicit, must_exist=True)
        else:
            for path in _usual_places():
                yield self._file(path, must_exist=False)

    def _file(self, path: Path, *, must_exist: bool) -> AuthDocument:
        try:
            status = path.stat()
            version = status.st_mtime_ns, status.st_size, status.st_ino
            if (known := self._files.get(path)) is None or known[0] != version:
                with path.open("rb") as file:
                    raw = file.read(_FILE_BYTES_MAX + 1)
                known = self._files[path] = version, _parsed(raw, path)
        except OSError as error:
            if not must_exist:
                return AuthDocument(origin=str(path))
            raise unreadable(str(path), error.strerror or "unknown cause") from None
        return known[1]


def _parsed(raw: bytes, path: Path) -> AuthDocument:
    if len(raw) > _FILE_BYTES_MAX:
        raise unreadable(str(path), f"more than {_FILE_BYTES_MAX} bytes")
    return parse_auth_document(raw, str(path), legacy=path.name == _LEGACY_NAME)


def _entry(document: AuthDocument, repository: Repository) -> Credential | None:
    found = (document.credential(name) for name in _candidates(repository))
    return next((credential for credential in found if credential is not None), None)


def _candidates(repository: Repository) -> Iterator[str]:
    """`host/a/b`, `host/a`, `host`: containers/image, pkg/docker/config, `authKeysForKey`."""
    segments = [one_name(repository.domain), *repository.path.split("/")]
    for length in range(len(segments), 0, -1):
        yield "/".join(segments[:length])


def _server(host: str) -> str:
    return _DOCKER_HUB_SERVER if one_name(host) == DEFAULT_DOMAIN else host


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
