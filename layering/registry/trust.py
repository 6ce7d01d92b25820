"""Whom we believe to be the registry: sessions of `requests`, and the authorities each of them trusts.

netrc, cookies and what else a session takes from the environment are turned off here. Nothing is sent from here.
"""

import contextlib
import logging
import os
import re
import ssl
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from layering.errors import InputError
from layering.registry.connections import ask_exactly, connect_with
from layering.registry.reach import Reach

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII)
_POOLS = 16  # hosts with connections kept open
_CONNECTIONS_PER_HOST = 32  # more are opened when more threads ask, and not kept


def authorities(ca_file: Path | None, ca_pem: str = "") -> ssl.SSLContext:
    """Trusts the system's authorities, those the environment names, and those in `ca_file` and `ca_pem`.

    Raises InputError when one of the last two holds none.
    """
    context = _of_this_machine()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            detail = "not PEM certificates" if isinstance(error, ssl.SSLError) else error.strerror
            raise InputError(f"no certificates can be read from it: {detail}", where=str(ca_file)) from None
    if ca_pem.strip():
        _add(context, ca_pem)
    return context


def verified_session(context: ssl.SSLContext, least: Reach | None = None) -> requests.Session:
    """Goes to whoever has a certificate by `authorities`; with `least`, only to hosts that are as public."""
    return _session(context, least)


def unverified_session() -> requests.Session:
    """Trusts whoever answers: for hosts that were named insecure. Their warning would repeat the user's own wish."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _session(context, None)


def _of_this_machine() -> ssl.SSLContext:
    """$SSL_CERT_FILE, which OpenSSL reads instead of the system's file, and $REQUESTS_CA_BUNDLE add to that file."""
    context, paths = ssl.create_default_context(), ssl.get_default_verify_paths()
    loaded = os.path.realpath(paths.cafile) if paths.cafile else ""
    for name in {os.environ.get("REQUESTS_CA_BUNDLE"), paths.openssl_cafile}:
        if name and os.path.realpath(name) != loaded:
            with contextlib.suppress(OSError):  # a stale variable must not stop what works without it
                context.load_verify_locations(name)
    return context


def _add(context: ssl.SSLContext, pem: str) -> None:
    """Bundles carry comments in any language between their certificates, which OpenSSL must not see."""
    try:
        context.load_verify_locations(cadata="\n".join(_CERTIFICATE.findall(pem)))
    except (ssl.SSLError, ValueError):
        raise InputError("no certificates can be read from it", where="the cluster's authorities") from None


def _session(context: ssl.SSLContext, least: Reach | None) -> requests.Session:
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # its debug lines hold signed URLs
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("https://", _Adapter(context, least))
    session.mount("http://", _Adapter(context, least))
    return session


class _Session(requests.Session):
    """Sees no redirects: told to follow none, the original still reads the whole body of one."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _Adapter(HTTPAdapter):
    """A pool of connections whose TLS is this context's alone."""

    def __init__(self, context: ssl.SSLContext, least: Reach | None) -> None:
        self._context = context
        self._least = least
        super().__init__(pool_connections=_POOLS, pool_maxsize=_CONNECTIONS_PER_HOST, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        connect_with(self.poolmanager, self._least)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)
        if not known:
            connect_with(manager, self._least)
        return manager

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        target = super().request_url(request, proxies)
        ask_exactly(target)
        return target

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the context as it is: the original reads one more bundle of authorities into it, per connection."""
        conn.cert_reqs = self._context.verify_mode
