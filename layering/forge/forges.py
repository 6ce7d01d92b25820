"""Which code speaks to which forge: the one place that knows all of them. What is not used is not imported."""

from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

from layering.forge.answers import RIGHTS_TO_PROPOSE
from layering.forge.credentials import Credentials, TokenCredentials
from layering.forge.exchange import Exchange, Sent
from layering.forge.forge import Forge
from layering.forge.host import Host
from layering.forge.limit import Limit
from layering.forge.local import LocalForge
from layering.forge.patience import Patience
from layering.forge.settings import ForgeSettings, Kind
from layering.forge.workflows import Workflows
from layering.once import Once

_SILENCE_SECONDS, _SILENCE_LEAST_SECONDS = 60, 30  # of git's server, until it is given up
OnRequest = Callable[[Sent], None]


def open_forge(settings: ForgeSettings, *, on_request: OnRequest | None = None) -> Forge:
    """The forge, to be closed by the caller. Asks nothing yet. Raises InputError for what cannot be used.

    `on_request` hears of each API request.
    """
    if settings.kind is Kind.LOCAL:
        return LocalForge(settings.author)
    from layering.forge.remote import RemoteForge
    from layering.forge.remotegit import RemoteGit

    patience = Patience(settings.max_wait_seconds)  # one for the API and git: `max_wait_seconds` are for both together
    host = open_host(settings, on_request, patience)
    limits = Once(lambda _: Limit(patience))
    return RemoteForge(
        settings,
        host,
        lambda name, url, may_wait: RemoteGit(
            url,
            login=partial(host.login, name),
            refused=partial(host.login_refused, name),
            pause=lambda: may_wait() and patience.back_off(),
            limit=limits(urlsplit(url).netloc),
            ca_file=settings.ca_file,
            insecure=settings.insecure,
            silence_seconds=min(_SILENCE_SECONDS, max(_SILENCE_LEAST_SECONDS, round(settings.max_wait_seconds))),
        ),
    )


def open_workflows(settings: ForgeSettings, *, on_request: OnRequest | None = None) -> Workflows:
    """GitHub Actions of a forge of kind github, to be closed by the caller. Raises as `open_forge`."""
    from layering.forge.github import HEADERS

    patience = Patience(settings.max_wait_seconds)
    return Workflows(_exchange(settings, HEADERS, on_request, patience, "read and write actions")[0])


def open_host(settings: ForgeSettings, on_request: OnRequest | None, patience: Patience) -> Host:
    """The API side alone, to be closed by the caller. Raises as `open_forge`."""
    if settings.kind is Kind.GITHUB:
        from layering.forge.github import HEADERS, GitHubHost

        return GitHubHost(settings, *_exchange(settings, HEADERS, on_request, patience))
    if settings.kind is Kind.GITLAB:
        from layering.forge.gitlab import HEADERS as GITLAB_HEADERS
        from layering.forge.gitlab import GitLabHost

        return GitLabHost(settings, *_exchange(settings, GITLAB_HEADERS, on_request, patience))
    from layering.forge.gitea import HEADERS as GITEA_HEADERS
    from layering.forge.gitea import GiteaHost

    return GiteaHost(settings, *_exchange(settings, GITEA_HEADERS, on_request, patience))


def _exchange(
    settings: ForgeSettings,
    headers: Mapping[str, str],
    on_request: OnRequest | None,
    patience: Patience,
    rights: str = RIGHTS_TO_PROPOSE,
) -> tuple[Exchange, Credentials]:
    credentials: Credentials = TokenCredentials(settings)
    if settings.app is not None:
        from layering.forge.githubapp import InstallationTokens

        credentials = InstallationTokens(
            settings, settings.app, headers=headers, patience=patience, on_request=on_request
        )
    exchange = Exchange(settings, credentials, headers=headers, on_request=on_request, patience=patience, rights=rights)
    return exchange, credentials
