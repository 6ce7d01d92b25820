"""Where may we go, and whom do we tell our credentials: one policy for realms, redirects and upload locations.

Credentials go to the registry's own host over a scheme at least as safe, to the token services of a short table, and to
those that the operator named. How public a host must be is in reach.py.
"""

import re
from collections.abc import Collection
from urllib.parse import urljoin

from urllib3.util import Url, parse_url

from layering.errors import ContentError, RefusedError

REDIRECTS_MAX = 5
_HOST_LENGTH_MAX = 253
_DEFAULT_PORTS = {"https": 443, "http": 80}
# Registries whose token service documents another host: it belongs to the same operator.
_TOKEN_SERVICES = {
    "registry-1.docker.io": frozenset({"auth.docker.io"}),
    "registry.redhat.io": frozenset({"sso.redhat.com"}),
    "registry.gitlab.com": frozenset({"gitlab.com"}),
}


def parse(url: str, where: str) -> Url:
    """An absolute http(s) URL as the library that will connect reads it. Raises ContentError for anything odd."""
    _check_text(url, where)
    try:
        parsed = parse_url(url)
    except ValueError:  # LocationParseError is one, and so is what Python's own parsers say
        parsed = Url()
    # urllib3 resolves what is escaped in a host; nobody has a reason to escape anything there
    escaped = "%" in re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]
    host = parsed.host or ""
    if parsed.scheme not in _DEFAULT_PORTS or not 0 < len(host) <= _HOST_LENGTH_MAX or parsed.auth or escaped:
        raise _unusable(where)
    return parsed


def origin(url: Url) -> tuple[str, str, int]:
    """Scheme, host and port."""
    scheme = url.scheme or ""
    return scheme, (url.host or "").lower().rstrip("."), url.port or _DEFAULT_PORTS.get(scheme, 0)


def absolute(location: str, base: str, where: str) -> str:
    """`location` against the URL of the request (RFC 3986), checked. Raises ContentError."""
    _check_text(location, where)  # before it is joined: that drops tabs and line breaks
    try:
        joined = urljoin(base, location)
    except ValueError:
        raise _unusable(where) from None
    parse(joined, where)
    return joined


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs are of one scheme, host and port."""
    return one == other or origin(parse_url(one)) == origin(parse_url(other))


def check_redirect(current: str, target: str) -> None:
    """Raises RefusedError for a step from https to http."""
    if parse_url(current).scheme == "https" and parse_url(target).scheme != "https":
        raise RefusedError("the registry redirects from https to http", where=parse_url(current).netloc or "")


def check_own(registry: str, url: str) -> None:
    """Raises RefusedError when an upload or a next page is at another origin than the registry's."""
    if not same_origin(registry, url):
        raise RefusedError(
            f"the registry sends us on to another host, {parse_url(url).netloc}", where=parse_url(registry).netloc or ""
        )


def may_tell(registry: str, realm: str, allowed: Collection[str] = ()) -> bool:
    """Whether the credentials for the registry at one URL may be sent to a token service at another.

    `allowed`: HOST or HOST:PORT that the operator named for this registry.
    """
    ours, theirs = parse(registry, registry), parse(realm, registry)
    host, service = ours.host or "", theirs.host or ""
    trusted = service == host or service in _TOKEN_SERVICES.get(host, frozenset())
    named = service in allowed or f"{service}:{origin(theirs)[2]}" in allowed
    return (trusted or named) and (theirs.scheme == "https" or ours.scheme == "http")


def check_realm(registry: str, realm: str) -> None:
    """Raises RefusedError for a token service over http of a registry over https."""
    if parse(registry, registry).scheme == "https" and parse(realm, registry).scheme != "https":
        raise RefusedError(
            f"its token service is not asked over TLS: {parse(realm, registry).netloc}",
            where=parse(registry, registry).netloc or "",
            next_step="if the registry is yours, let it name its token service by https",
        )


def _check_text(url: str, where: str) -> None:
    """Raises ContentError for characters that no URL has, or that parsers disagree about."""
    if not url.isascii() or not url.isprintable() or any(character in url for character in "\\ \"'<>^`{|}"):
        raise _unusable(where)


def _unusable(where: str) -> ContentError:
    return ContentError("the registry names an address that cannot be used", where=where)
