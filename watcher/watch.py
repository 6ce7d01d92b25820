"""One configuration's parts, put together: clusters, registries, forges, engines, observer and actor.

Nothing is decided here, and nothing is asked before the first tick.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from layering.errors import LayerwatchError
from layering.forge.exchange import Sent
from layering.forge.forge import Forge, Orphan, ProposalTarget, repository_identity
from layering.forge.forges import open_forge, open_workflows
from layering.forge.workflows import Workflows
from layering.once import Once
from layering.outcome import say
from layering.registry.registriesconf import render_registries_conf
from layering.registry.settings import RegistrySettings, realm_arguments, timeout_argument
from layering.registry.transport import Request
from watcher.act import Actor
from watcher.clusters import Clusters
from watcher.engines.actions import ActionsEngine
from watcher.engines.engine import Engine
from watcher.engines.local import LocalEngine
from watcher.engines.tekton import TektonEngine
from watcher.home import home_namespace
from watcher.known import Known
from watcher.observe import Observer
from watcher.registries import ImageRegistries
from watcher.releases import ReleaseVerifiers
from watcher.report import Verdict
from watcher.settings import Settings
from watcher.tick import tick


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """Everything a tick needs, for one configuration."""

    settings: Settings
    clusters: Clusters
    observer: Observer
    actor: Actor
    forges: Mapping[str, Forge]

    def tick(
        self, tell: Callable[[Verdict], None], *, dry_run: bool = False, only: Set[str] | None = None
    ) -> Sequence[Verdict]:
        """One tick on what is known of the clusters; with `dry_run` nothing is acted on, `only` names clusters."""
        return tick(self.settings, self.observer, None if dry_run else self.actor, utc_now, tell, only)

    def orphans(self) -> Sequence[Orphan] | None:
        """Open proposals of ours that the configuration does not have, where that can be told; None when there are none
        there, and it cannot be told everywhere.
        """
        asked: dict[tuple[str, str], list[ProposalTarget]] = {}
        for entry in (entry for image in self.settings.images for entry in image.proposals):
            asked.setdefault((entry.forge, repository_identity(entry.target.repository)), []).append(entry.target)
        found, is_whole = list[Orphan](), True
        for (forge, _), targets in asked.items():
            try:
                found += self.forges[forge].orphans(targets)
            except LayerwatchError as error:
                is_whole = False
                say(f"whether there are orphaned proposals in {targets[0].repository} cannot be told: {error}")
        return found if found or is_whole else None

    def look_and_tick(self, tell: Callable[[Verdict], None], *, dry_run: bool = False) -> Sequence[Verdict]:
        """Ask all clusters, and tick on what they say."""
        self.clusters.refresh_all()
        return self.tick(tell, dry_run=dry_run)


@contextmanager
def watching(
    settings: Settings,
    progress: Callable[[str], None] = say,
    *,
    on_request: Callable[[str, int | str], None] | None = None,
    on_registry_request: Callable[[Request], None] | None = None,
    on_forge_request: Callable[[Sent], None] | None = None,
    may_act: Callable[[], bool] = lambda: True,
    stays: bool = True,
) -> Iterator[Watch]:
    """The parts for one configuration.

    `progress` hears what a build on this machine says, and of releases that are used unverified; the other three hear
    of each request; `may_act` is asked before each write; `stays` says that there are ticks to come.
    """
    with ExitStack() as opened:
        clusters = opened.enter_context(Clusters(settings, utc_now, on_request))
        registries = opened.enter_context(ImageRegistries(settings, clusters.known, on_registry_request))
        verifiers = opened.enter_context(ReleaseVerifiers(settings, registries.settings, clusters.apis, progress))
        forges = {
            name: _closing(opened, open_forge(forge, on_request=on_forge_request))
            for name, forge in settings.proposing_forges.items()
        }
        engines = {
            "local": LocalEngine(registries.settings, progress, utc_now, stays=stays),
            **_tekton(settings, clusters, registries),
            "githubActions": ActionsEngine(_workflows(opened, settings, on_forge_request), settings.images, utc_now),
        }
        yield Watch(
            settings=settings,
            clusters=clusters,
            observer=Observer(clusters.known, registries.client, verifiers, forges, engines),
            actor=Actor(registries.client, forges, engines, utc_now, may_act),
            forges=forges,
        )


def _closing(opened: ExitStack, forge: Forge) -> Forge:
    opened.callback(forge.close)
    return forge


def _workflows(
    opened: ExitStack, settings: Settings, on_request: Callable[[Sent], None] | None
) -> Callable[[str], Workflows]:
    """GitHub Actions by the forge's name; each is opened when it is first asked for."""

    def open_one(name: str) -> Workflows:
        workflows = open_workflows(settings.forge(name), on_request=on_request)
        opened.callback(workflows.close)
        return workflows

    return Once(open_one)


def _tekton(settings: Settings, clusters: Clusters, registries: ImageRegistries) -> Mapping[str, Engine]:
    """Tekton, where a cluster has an API."""
    if settings.home is None:
        return {}
    told = lambda image: _registry_params(registries.settings(image))  # noqa: E731
    tekton = TektonEngine(
        clusters.api,
        home=settings.home,
        namespace=home_namespace(settings),
        now=utc_now,
        params=told,
        answers=lambda name: _answered(clusters.known(name)),
    )
    return {"tekton": tekton}


def _answered(known: Known) -> bool:
    return known.failure is None or not known.failure.temporary


def _registry_params(registries: RegistrySettings) -> Mapping[str, str]:
    """What a build in a pod does not see by itself: the cluster's mirrors, and what the configuration says."""
    values = {
        "REGISTRIES_CONF": render_registries_conf(registries.mirrors) if registries.mirrors else "",
        "INSECURE_REGISTRIES": ",".join(sorted(registries.insecure)),
        "AUTH_REALMS": ",".join(realm_arguments(registries.realms)),
        "REGISTRY_TIMEOUT": timeout_argument(registries.timeout_seconds),
    }
    return {name: value for name, value in values.items() if value}


def utc_now() -> datetime:
    """The clock of the running process."""
    return datetime.now(UTC)
