"""How buildah is told about registries: files and environment made of the same settings that everything else uses.

It pulls by itself what a Containerfile names, so it must know the same mirrors, authorities and credentials.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from layering.registry.mirrorrule import MirrorRule
from layering.registry.mirrors import others_of, render_registries_conf
from layering.registry.settings import RegistrySettings


def registry_flags(settings: RegistrySettings, directory: Path) -> tuple[str, ...]:
    """Credentials and authorities; both as `in_files` gives them."""
    certificates = certificate_directory(settings, directory)
    auth = ("--authfile", str(settings.auth_file)) if settings.auth_file else ()
    return (*auth, *(("--cert-dir", str(certificates)) if certificates else ()))


def certificate_directory(settings: RegistrySettings, directory: Path) -> Path | None:
    """A directory as `--cert-dir` wants it (containers-certs.d(5)), or None without a CA of our own."""
    if settings.ca_file is None:
        return None
    certificates = directory / "certs"
    certificates.mkdir()
    shutil.copyfile(settings.ca_file, certificates / "ca.crt")
    return certificates


def registries_environment(settings: RegistrySettings, directory: Path) -> dict[str, str]:
    """Environment that names a registries.conf with these mirrors and insecure registries, and the user's short names.

    Empty when there is nothing to say. Raises InputError when the user's own file cannot be read.
    """
    if not settings.insecure and not settings.mirrors and settings.registries_conf is None:
        return {}
    rules = with_insecure(settings.mirrors, settings.insecure)
    file = directory / "registries.conf"
    file.write_text(f"{others_of(settings.registries_conf)}\n{render_registries_conf(rules)}", encoding="utf-8")
    return {"CONTAINERS_REGISTRIES_CONF": str(file)}


def with_insecure(rules: tuple[MirrorRule, ...], hosts: frozenset[str]) -> tuple[MirrorRule, ...]:
    """The rules, with insecure hosts marked in each: of several tables buildah reads only the longest prefix."""
    said = tuple(
        replace(
            rule,
            insecure=rule.insecure or _host(rule.source) in hosts,
            mirrors=tuple(
                replace(mirror, insecure=mirror.insecure or _host(mirror.location) in hosts) for mirror in rule.mirrors
            ),
        )
        for rule in rules
    )
    known = {rule.source for rule in rules}
    return (*said, *(MirrorRule(source=host, insecure=True) for host in sorted(hosts) if host not in known))


def _host(location: str) -> str:
    return location.partition("/")[0]
