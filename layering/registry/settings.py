"""How registries are reached: credentials, trust, mirrors, proxy, plain http, time; and how a child process is told.

What is only in memory goes to a child in files that nobody else can read, never in its arguments.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from layering.errors import InputError
from layering.registry.mirrorrule import MirrorRule
from layering.registry.registriesconf import render_registries_conf
from layering.secrets import Secret

ANY_REGISTRY = "*"
TIMEOUT_SECONDS = 120.0
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """A proxy that is named instead of the environment's. The URLs may hold a password.

    `no_proxy` is what NO_PROXY would say: host names, `.DOMAIN`, addresses, CIDRs and `*`, separated by commas.
    """

    http: Secret | None = None
    https: Secret | None = None
    no_proxy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySettings:
    """What the configuration, the flags or a cluster say.

    `auth_file`: containers-auth.json(5) or docker config; None means the usual places. `auth_document`: the text of
    one, which is asked instead of any file. `ca_file`: PEM certificates that are trusted besides the system's;
    `ca_pem`: more of them, as text. `mirrors`: where to read instead, in their order. `registries_conf`: the file they
    were read from, when it was such a one; builders take from it what is no mirror. `proxy`: None means the
    environment's. `insecure`: `HOST[:PORT]` that may be asked without verification and over plain http.
    `realms`: by registry, HOST[:PORT] of token services that may hear its credentials besides its own host; `*` is any
    registry. `timeout_seconds` bounds one operation, retries and mirrors included; of a step, all of them together.
    """

    auth_file: Path | None = None
    auth_document: Secret | None = None
    ca_file: Path | None = None
    ca_pem: str = ""
    mirrors: tuple[MirrorRule, ...] = ()
    registries_conf: Path | None = None
    proxy: Proxy | None = None
    insecure: frozenset[str] = frozenset()
    realms: Mapping[str, frozenset[str]] = field(default_factory=dict)
    timeout_seconds: float = TIMEOUT_SECONDS

    @property
    def auth(self) -> Path | Secret | None:
        """Where credentials are looked up: in the document, else in the file, else in the usual places."""
        return self.auth_document or self.auth_file

    def token_services(self, registry: str) -> frozenset[str]:
        """Whom one registry's credentials may be told, besides its own host."""
        return self.realms.get(registry, frozenset()) | self.realms.get(ANY_REGISTRY, frozenset())


def in_files(settings: RegistrySettings, directory: Path) -> RegistrySettings:
    """The same settings with credentials and authorities in files: what is only in memory is written to `directory`.

    Raises InputError when `ca_file` cannot be read beside it.
    """
    if settings.auth_document is not None:
        file = _write(directory / "auth.json", settings.auth_document.reveal())
        settings = replace(settings, auth_document=None, auth_file=file)
    if settings.ca_pem.strip():
        file = _write(directory / "ca.pem", f"{_text(settings.ca_file)}\n{settings.ca_pem}\n")
        settings = replace(settings, ca_pem="", ca_file=file)
    return settings


def as_arguments(settings: RegistrySettings, directory: Path) -> list[str]:
    """Flags of `layerwatch-step` for a child process; nothing in them is secret. Writes to `directory` as `in_files`.

    The proxy is not among them: see `proxy_environment`.
    """
    written, arguments = in_files(settings, directory), []
    conf = written.registries_conf
    if conf is None and written.mirrors:
        conf = _write(directory / "registries.conf", render_registries_conf(written.mirrors))
    for flag, path in (("--authfile", written.auth_file), ("--ca-file", written.ca_file), ("--registries-conf", conf)):
        arguments += [flag, str(path)] if path is not None else []
    for host in sorted(written.insecure):
        arguments += ["--insecure-registry", host]
    for realm in realm_arguments(written.realms):
        arguments += ["--auth-realm", realm]
    if written.timeout_seconds != TIMEOUT_SECONDS:
        arguments += ["--registry-timeout", timeout_argument(written.timeout_seconds)]
    return arguments


def realm_arguments(realms: Mapping[str, frozenset[str]]) -> list[str]:
    """What --auth-realm says of each: `REGISTRY=HOST[:PORT]`, or `HOST[:PORT]` for any registry."""
    return [
        host if registry == ANY_REGISTRY else f"{registry}={host}"
        for registry, hosts in sorted(realms.items())
        for host in sorted(hosts)
    ]


def parse_realms(texts: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """The reverse; each text may be several with commas between. Raises InputError."""
    realms: dict[str, frozenset[str]] = {}
    for text in (part for several in texts for part in several.split(",") if part):
        registry, _, host = text.rpartition("=")
        for name in (registry, host) if registry else (host,):
            if not _HOST.fullmatch(name):
                raise InputError(
                    f"{text!r} is not HOST[:PORT], nor REGISTRY=HOST[:PORT]",
                    where="--auth-realm",
                    next_step="name the host of the registry's token service",
                )
        key = registry or ANY_REGISTRY
        realms[key] = realms.get(key, frozenset()) | {host}
    return realms


def timeout_argument(seconds: float) -> str:
    """What --registry-timeout says of it: milliseconds, so that nothing is rounded away."""
    return f"{round(seconds * 1000)}ms"


def proxy_environment(settings: RegistrySettings) -> dict[str, str]:
    """The environment that has a child process ask through the same proxy; it may hold the proxy's password."""
    if settings.proxy is None:
        return {}
    named = {"HTTP_PROXY": settings.proxy.http, "HTTPS_PROXY": settings.proxy.https}
    found = {name: url.reveal() if url is not None else "" for name, url in named.items()}
    found["NO_PROXY"] = settings.proxy.no_proxy
    return {**found, **{name.lower(): value for name, value in found.items()}}


def _write(path: Path, text: str) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
    return path


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise InputError(f"no certificates can be read from it: {error.strerror}", where=str(path)) from None
