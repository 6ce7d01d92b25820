"""Through which proxy a URL is asked: the environment's, or one that was named instead."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies

from layering.registry.settings import Proxy

_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str, proxy: Proxy | None) -> str | None:
    """The URL of the proxy to ask through; None for a URL that is asked directly. A proxy's name alone means http."""
    target = urlsplit(url)
    named, no_proxy = _of_environment() if proxy is None else _of(proxy)
    if bypassed(target.hostname or "", target.port or _PORTS.get(target.scheme), no_proxy):
        return None
    found = named.get(target.scheme) or named.get("all")
    return found if not found or "://" in found else f"http://{found}"


def _of_environment() -> tuple[Mapping[str, str], str]:
    """$HTTPS_PROXY and the like in either case, as Python reads them; and $NO_PROXY."""
    found = getproxies()
    return found, found.get("no", "")


def _of(proxy: Proxy) -> tuple[Mapping[str, str], str]:
    named = {"http": proxy.http, "https": proxy.https}
    return {scheme: secret.reveal() for scheme, secret in named.items() if secret is not None}, proxy.no_proxy


def bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether NO_PROXY names a host: by name, as a subdomain, by address or CIDR, with a port or without; `*`: all.

    As Go's golang.org/x/net/http/httpproxy reads it, which is what cluster proxies are written for: `example.com` is
    itself and its subdomains, `.example.com` its subdomains only. But this machine itself has to be named, too.
    """
    return any(_names(entry.strip().lower(), host.lower(), port) for entry in no_proxy.split(",") if entry.strip())


def _names(entry: str, host: str, port: int | None) -> bool:
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdecimal() and (":" not in name or name.endswith("]")):
        return str(port) == wanted and _names(name, host, None)
    if entry == "*":
        return True
    if (address := _address(host)) is not None:
        return _within(address, entry.strip("[]"))
    suffix = entry.removeprefix("*")
    return host.endswith(suffix) if suffix.startswith(".") else host == suffix or host.endswith(f".{suffix}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
