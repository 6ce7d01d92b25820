"""The connections of a session: looked after by the watchdog, and, where a registry sent us, to public hosts only.

They ask for what they were told to the letter, and take no answer that is only half of one.
"""

import socket
import threading
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.poolmanager import PoolManager

from layering.registry import watchdog
from layering.registry.reach import Reach, allowed_addresses
from layering.registry.strictresponse import StrictResponse

_next = threading.local()


class _Watched(HTTPConnection):
    """Tells the watchdog on which socket it waits. `least` is how public a host must be; None: anyhow."""

    least: Reach | None = None
    response_class = StrictResponse

    def connect(self) -> None:
        super().connect()
        watchdog.hold(self.sock)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        watchdog.hold(self.sock)  # None before there is a connection
        super().request(method, getattr(_next, "target", url), *args, **kwargs)

    def _new_conn(self) -> socket.socket:
        """TLS takes the socket over when it shakes hands, so a copy is held until that is done."""
        connected = self._allowed() if self.least is not None and self.proxy is None else super()._new_conn()
        watchdog.hold(connected.dup(), copied=True)
        return connected

    def _allowed(self) -> socket.socket:
        """To the very address that was looked at: a name may mean another one the next time."""
        name, least = self._dns_host, self.least or Reach.EVERYWHERE
        addresses = allowed_addresses(name, least)
        try:
            for address in addresses[:-1]:
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (NewConnectionError, ConnectTimeoutError):
                    continue
            self._dns_host = addresses[-1] if addresses else name
            return super()._new_conn()
        finally:
            self._dns_host = name


class _WatchedTls(_Watched, HTTPSConnection):
    """The same with TLS."""


def ask_exactly(target: str) -> None:
    """What this thread's next request asks for: urllib3 spells escapes in its own way, and a signature is of the other.

    `target`: a path and query, or the URL where a proxy is asked.
    """
    _next.target = target


def connect_with(manager: PoolManager, least: Reach | None) -> None:
    """Have a manager of pools, or of proxies, make such connections."""
    plain = type("Plain", (_Watched,), {"least": least})
    tls = type("Tls", (_WatchedTls,), {"least": least})
    manager.pool_classes_by_scheme = {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
