"""Which addresses a forge may be spoken to at: a token goes there, so nobody on the way may read it."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from layering.errors import InputError


def check_address(url: str, insecure: bool, *, what: str = "an http(s) address", name: str = "url") -> str:
    """The URL itself. `what` and `name` say what it should be, and under which key it is configured.

    Raises InputError for another scheme, a login in it, or plain http to others than loopback without `insecure`.
    """
    host = _host(url)
    if host is None or not url.isprintable() or set(url) & set(" ?#"):
        raise InputError(f"it is not {what}", where=url, next_step=f"name that address: {name} of the forge")
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise InputError("its address carries a login", where=url, next_step="give the token in a file or a variable")
    if parts.scheme == "http" and not insecure and not is_loopback(host):
        raise InputError(
            "everybody on the way could read the token: it is plain http",
            where=url,
            next_step="use https, or say insecure: true of this forge",
        )
    return url


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is none
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def is_loopback(host: str) -> bool:
    """Whether it is this machine, by name or by address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
