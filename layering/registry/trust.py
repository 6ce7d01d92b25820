"""Whom we believe to be the registry: the authorities that are trusted. Nothing is sent from here."""

import contextlib
import os
import re
import ssl
from pathlib import Path

import urllib3

from layering.errors import InputError

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----", re.ASCII)


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


def nobody_checked() -> ssl.SSLContext:
    """Trusts whoever answers: for hosts that were named insecure. Their warning would repeat the user's own wish."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


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
