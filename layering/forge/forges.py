"""Which code speaks to which forge: the one place that knows all of them. What is not used is not imported."""

from collections.abc import Callable
from functools import partial

from layering.forge.credentials import Credentials
from layering.forge.exchange import Exchange, Sent
from layering.forge.forge import Forge
from layering.forge.host import Host
from layering.forge.local import LocalForge
from layering.forge.settings import ForgeSettings, Kind


def open_forge(settings: ForgeSettings, *, on_request: Callable[[Sent], None] | None = None) -> Forge:
    """The forge, to be closed by the caller. Asks nothing yet. Raises InputError for credentials that cannot be read.

    `on_request` hears of each API request.
    """
    if settings.kind is Kind.LOCAL:
        return LocalForge(settings.author)
    from layering.forge.remote import RemoteForge
    from layering.forge.remotegit import RemoteGit

    credentials = Credentials(settings)
    host = _host(settings, credentials, on_request)
    return RemoteForge(
        settings,
        host,
        lambda name, url: RemoteGit(
            url,
            login=partial(host.login, name),
            refused=host.login_refused,
            ca_file=settings.ca_file,
            insecure=settings.insecure,
        ),
    )


def _host(settings: ForgeSettings, credentials: Credentials, on_request: Callable[[Sent], None] | None) -> Host:
    if settings.kind is Kind.GITHUB:
        from layering.forge.github import HEADERS
        from layering.forge.github import GitHubHost as Speaker
    elif settings.kind is Kind.GITLAB:
        from layering.forge.gitlab import HEADERS
        from layering.forge.gitlab import GitLabHost as Speaker
    else:
        from layering.forge.gitea import HEADERS
        from layering.forge.gitea import GiteaHost as Speaker
    return Speaker(settings, Exchange(settings, credentials, headers=HEADERS, on_request=on_request), credentials)
