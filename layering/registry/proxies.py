"""Through which proxy a URL is asked: the environment's, or one that was named instead."""

import ipaddress
from urllib.parse import urlsplit

import requests

from layering.registry.settings import Proxy


def proxies_for(url: str, proxy: Proxy | None) -> dict[str, str]:
    """Proxy URLs by scheme, as `requests` takes them; empty for a URL that is asked directly."""
    if proxy is None:
        return dict(requests.utils.get_environ_proxies(url))
    target = urlsplit(url)
    if bypassed(target.hostname or "", target.port, proxy.no_proxy):
        return {}
    named = {"http": proxy.http, "https": proxy.https}
    return {scheme: secret.reveal() for scheme, secret in named.items() if secret is not None}


def bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether NO_PROXY names a host: by name, as a subdomain, by address or CIDR, with a port or without; `*`: all.

    As Go's golang.org/x/net/http/httpproxy reads it, which is what cluster proxies are written for: `example.com` is
    itself and its subdomains, `.example.com` its subdomains only.
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
