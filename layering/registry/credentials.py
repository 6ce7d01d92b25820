"""What is written in a file of credentials: containers-auth.json(5), docker's config.json and its older .dockercfg.

A broken entry is passed over, and never quoted. Which file and which entry counts is not decided here (keychain.py).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from layering.errors import InputError
from layering.reference import DEFAULT_DOMAIN
from layering.secrets import Secret

_DOCKER_HUB = {"docker.io", "index.docker.io", "registry-1.docker.io"}


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


def is_text(text: str) -> bool:
    """Whether it can be sent: half of a surrogate pair, which JSON lets through, is no character (RFC 8259, 8.2)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthDocument:
    """One file. `entries` by normalised name: `HOST[:PORT][/PATH]`.

    `helpers` are programs by host, as (program's suffix, the name it knows the host by); `store` is the one for all
    hosts (docker's `credsStore`).
    """

    origin: str
    entries: Mapping[str, Any] = field(default_factory=dict, repr=False)
    helpers: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    store: str | None = None

    def credential(self, name: str) -> Credential | None:
        """What the entry of that name holds; None for one that is missing, empty or broken."""
        return _read(self.entries.get(name), f"{self.origin}, entry {name}")


def parse_auth_document(raw: bytes, origin: str, *, legacy: bool = False) -> AuthDocument:
    """Read a document; of a legacy one (.dockercfg) the whole is the map of entries. Raises InputError."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise unreadable(origin, "not JSON") from None
    if not isinstance(document, dict):
        raise unreadable(origin, "not of the form of containers-auth.json(5)")
    if legacy:
        return AuthDocument(origin=origin, entries=_by_host(document, origin))
    helpers, store = _by_host(document.get("credHelpers"), origin), document.get("credsStore") or None
    if not isinstance(store, str | None) or not all(isinstance(each, str) for each in helpers.values()):
        raise unreadable(origin, "a credential helper is not named by a text")
    return AuthDocument(
        origin=origin,
        entries=_by_host(document.get("auths"), origin),
        helpers={
            normalised(key): (suffix, key) for key, suffix in (document.get("credHelpers") or {}).items() if suffix
        },
        store=store,
    )


def _by_host(entries: Any, origin: str) -> Mapping[str, Any]:
    """By normalised name. Keys may be URLs (`https://index.docker.io/v1/`): only their host counts then."""
    if not isinstance(entries or {}, dict):
        raise unreadable(origin, "not of the form of containers-auth.json(5)")
    entries = entries or {}
    found = {normalised(key): entry for key, entry in entries.items() if "://" in key}
    found.update({normalised(key): entry for key, entry in entries.items() if "://" not in key})
    return found


def unreadable(origin: str, detail: str) -> InputError:
    """The error for a file of credentials that cannot be used."""
    return InputError(
        f"credentials cannot be read: {detail}",
        where=origin,
        next_step="name a readable auth.json (registries.authFile, --authfile)",
    )


def normalised(key: str) -> str:
    """A key as it is looked up: Docker Hub has one name, a URL is its host, and no path ends with a slash."""
    _, separator, rest = key.partition("://")
    name = rest.partition("/")[0] if separator else key.rstrip("/")
    host, slash, path = name.partition("/")
    return f"{one_name(host)}{slash}{path}"


def one_name(host: str) -> str:
    """The host by its first name: Docker Hub has three."""
    return DEFAULT_DOMAIN if host in _DOCKER_HUB else host


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
    if isinstance(username, str) and isinstance(password, str) and username and is_text(username + password):
        return Credential(source=source, username=username, password=Secret(password))
    return None


def _decoded(auth: Any) -> tuple[str | None, str | None]:
    """base64 of `user:password`; the first colon separates, trailing NULs are none of it."""
    if not isinstance(auth, str):
        return None, None
    try:
        username, colon, password = base64.b64decode(auth, validate=True).decode().rstrip("\0").partition(":")
    except ValueError:  # also what is not ASCII, or not UTF-8
        return None, None
    return (username, password) if colon else (None, None)
