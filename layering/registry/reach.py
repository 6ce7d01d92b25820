"""From how far away an address can be reached, so that a registry cannot have us ask what only we can reach.

A registry that names another host (by a redirect, or as its token service) may name one that is at least as public as
its own. Addresses that are in nobody's network are never gone to. RFC 6890 and what holds an IPv4 address: RFC 4291
(mapped), RFC 6052 (64:ff9b::/96), RFC 3056 (2002::/16).
"""

import ipaddress
import socket
from enum import IntEnum

from layering.errors import RefusedError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SHARED = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598; neither private nor global to `ipaddress`
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotPublicError(RefusedError):
    """A registry sent us where only we, or only its neighbours, can go."""


class Reach(IntEnum):
    """From where: this machine, a private network, everywhere."""

    MACHINE = 1
    NETWORK = 2
    EVERYWHERE = 3


def reach_of(address: Address) -> Reach | None:
    """None for what is link-local, unspecified, multicast or reserved: nothing of ours is there."""
    address = _unwrapped(address)
    if address.is_unspecified or address.is_multicast or address.is_link_local:
        return None
    if address.is_loopback:
        return Reach.MACHINE
    if address.is_reserved:
        return None
    shared = address.version == 4 and address in _SHARED
    return Reach.NETWORK if shared or not address.is_global else Reach.EVERYWHERE


def reach_of_host(host: str) -> Reach:
    """Of a registry that was named to us: that of its most public address; everywhere when its name means nothing."""
    found = [reach for address in _addresses(host) if (reach := reach_of(address)) is not None]
    return max(found, default=Reach.EVERYWHERE)


def allowed_addresses(host: str, least: Reach) -> list[str]:
    """All addresses of a host, in their order. Raises NotPublicError when one of them is less public than `least`.

    Empty when the name means nothing.
    """
    addresses = _addresses(host)
    for address in addresses:
        _check(host, address, least)
    return [str(address) for address in addresses]


def check_literal(host: str, least: Reach) -> None:
    """For a host that a proxy resolves: only what says by itself where it is can be refused. Raises NotPublicError."""
    if host.rstrip(".").lower() == "localhost":
        host = "127.0.0.1"
    try:
        address = ipaddress.ip_address(socket.inet_ntoa(socket.inet_aton(host)))  # 127.1 and 0x7f000001, too
    except OSError:
        try:
            address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return
    _check(host, address, least)


def _check(host: str, address: Address, least: Reach) -> None:
    found = reach_of(address)
    if found is None or found < least:
        raise NotPublicError(
            f"the registry sends us to {host}, whose address {address} is not as public as its own",
            where=host,
            next_step="if the registry is yours, let it name a host where all its clients can reach it",
        )


def _addresses(host: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    texts = dict.fromkeys(str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found)
    return [ipaddress.ip_address(text) for text in texts]


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
