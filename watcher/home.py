"""Where the daemon is at home: the cluster and namespace of its Lease and, unless a build says otherwise, of its runs.

It names places and opens the Lease's own connection; it decides nothing about either.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from layering.cluster.access import ClusterAccess, InCluster
from layering.cluster.api import ClusterApi
from layering.cluster.lease import LeaseLock
from layering.errors import InputError
from watcher.election import Candidate, Election, Timing, steady_clock
from watcher.settings import Settings
from watcher.settings_image import ImageSettings, TektonBuild
from watcher.targets import built_in


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlace:
    """Where the runs of an image are."""

    cluster: str
    namespace: str


def home_namespace(settings: Settings) -> str:
    """The daemon's namespace in its home cluster; in a pod of that cluster, without a word about it, the pod's own."""
    access = _access(settings)
    return settings.home_namespace(access.namespace if isinstance(access, InCluster) else None)


def _access(settings: Settings) -> ClusterAccess | None:
    return next((cluster.api for cluster in settings.clusters if cluster.name == settings.home), None)


def run_place(settings: Settings, image: ImageSettings) -> RunPlace | None:
    """None for an image that no cluster builds."""
    build, cluster = image.build, built_in(image, settings)
    if not isinstance(build, TektonBuild) or cluster is None:
        return None
    return RunPlace(cluster=cluster, namespace=build.namespace or home_namespace(settings))


@contextmanager
def election_at_home(
    settings: Settings, identity: str, *, won: Callable[[], None], lost: Callable[[str], None]
) -> Iterator[Election]:
    """The election on the Lease of the home cluster. Raises InputError when no cluster has an API."""
    access = _access(settings)
    if settings.home is None or access is None:
        raise InputError(
            "--leader-elect needs a cluster with an API to keep the Lease in",
            where="daemon.cluster",
            next_step="name a cluster with a kubeconfig, or in-cluster; or leave out --leader-elect",
        )
    chosen = settings.daemon.leader_election
    timing = Timing(
        lease_duration_seconds=chosen.lease_duration,
        renew_deadline_seconds=chosen.renew_deadline,
        retry_period_seconds=chosen.retry_period,
    )
    # Half the time a renewal may take, so that one request that hangs leaves time for another.
    timeout = min(settings.daemon.api_timeout, timing.renew_deadline_seconds / 2)
    with ClusterApi(access, name=settings.home, timeout_seconds=timeout) as api:
        lock = LeaseLock(api, namespace=home_namespace(settings), name=chosen.name)
        candidate = Candidate(lock, identity, timing, steady_clock, lambda: datetime.now(UTC))
        yield Election(candidate, timing, won=won, lost=lost)
