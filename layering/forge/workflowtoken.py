"""The token that a runner of Actions gives to each workflow: good for the server that issued it, and told to no other.

The actions hand it over in a variable of its own, which tells it from a token that somebody chose for a forge. Which
server issued it, the runner says (docs.github.com, "Default environment variables"), also those of Gitea and Forgejo.
Both variables are asked, since older Giteas leave the first one empty. Nothing is read or sent here (credentials.py).
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from layering.forge.settings import ForgeSettings, Kind

WORKFLOW_TOKEN_VARIABLE = "LAYERWATCH_WORKFLOW_TOKEN"  # noqa: S105 a variable's name
_ITS_SERVER = ("GITHUB_API_URL", "GITHUB_SERVER_URL")
_HAVE_ACTIONS = frozenset({Kind.GITHUB, Kind.GITEA})
_PORTS = {"https": 443, "http": 80}

_Origin = tuple[str, str, int]


def is_from(settings: ForgeSettings, environment: Mapping[str, str]) -> bool:
    """Whether this forge, both its API and its git, is the server that issued the workflow's token."""
    issuer = {_origin(environment.get(name, "")) for name in _ITS_SERVER} - {None}
    told = [settings.url, *([settings.git_url] if settings.git_url else [])]
    return settings.kind in _HAVE_ACTIONS and all(_origin(url) in issuer for url in told)


def _origin(url: str) -> _Origin | None:
    """Scheme, host and port (RFC 6454 section 4); None of what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port if port is not None else _PORTS[parts.scheme]
