"""Connections to hosts: looked after by the watchdog, and, where a registry sent us, to public hosts only.

They ask for what they were told to the letter, follow nothing, and take no answer that is only half of one.
"""

import logging
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.poolmanager import PoolManager, ProxyManager
from urllib3.util import make_headers, parse_url

from layering.errors import InputError
from layering.registry import watchdog
from layering.registry.reach import Reach, allowed_addresses
from layering.registry.strictresponse import StrictResponse

_POOLS = 16  # hosts with connections kept open
_CONNECTIONS_PER_HOST = 32  # more are opened when more threads ask, and not kept
_next = threading.local()


class Connections:
    """Pools of them, by host: their TLS is one context's alone. Thread-safe."""

    def __init__(self, context: ssl.SSLContext, least: Reach | None = None) -> None:
        """With `least`, only to hosts that are as public."""
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # its debug lines hold signed URLs
        self._kept: Mapping[str, Any] = {
            "num_pools": _POOLS,
            "maxsize": _CONNECTIONS_PER_HOST,
            "ssl_context": context,
        }
        self._least = least
        self._direct = _watch(PoolManager(**self._kept), least)
        self._proxied: dict[str, PoolManager] = {}
        self._guard = threading.Lock()

    def close(self) -> None:
        """Close all that are not in use."""
        for manager in (self._direct, *self._proxied.values()):
            manager.clear()

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        timeout: Timeout,
        proxy: str | None,
    ) -> BaseHTTPResponse:
        """Send once, and give the answer with its body still to be read, encoded as it is. `proxy` is a URL.

        A body that is no bytes comes with its length in `headers`. Raises urllib3's HTTPError and OSError; ValueError
        for a header that cannot be sent; InputError for a proxy that can be none.
        """
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        is_absolute = proxy is not None and parts.scheme == "http"
        _next.target = f"http://{parts.netloc}{path}" if is_absolute else path  # urllib3 spells escapes in its own way
        return (self._through(proxy) if proxy else self._direct).urlopen(
            method,
            url,
            headers=dict(headers),
            body=body,
            timeout=timeout,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )

    def _through(self, proxy: str) -> PoolManager:
        with self._guard:
            if proxy not in self._proxied:
                try:
                    login = unquote(parse_url(proxy).auth or "")
                    headers = make_headers(proxy_basic_auth=login if ":" in login else f"{login}:") if login else None
                    manager = ProxyManager(proxy, proxy_headers=headers, **self._kept)
                except (HTTPError, ValueError) as error:  # its text may hold the login
                    raise InputError(
                        f"the proxy's address cannot be used ({type(error).__name__})",
                        where="proxy",
                        next_step="write it as http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT",
                    ) from None
                self._proxied[proxy] = _watch(manager, self._least)
            return self._proxied[proxy]


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


def _watch(manager: PoolManager, least: Reach | None) -> PoolManager:
    """Have a manager of pools make such connections."""
    plain = type("Plain", (_Watched,), {"least": least})
    tls = type("Tls", (_WatchedTls,), {"least": least})
    manager.pool_classes_by_scheme = {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
    return manager
