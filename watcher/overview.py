"""What every cluster, pool and image is, should be, and is becoming: values, of verdicts and what clusters told.

`status` lays them out as a table (status_table.py) or JSON (status_document.py); so does the daemon for `GET /status`.
It asks nobody and decides nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from layering.cluster.clusterversion import ClusterRelease
from layering.cluster.state import ClusterState, OSImageStreams, Pool
from layering.errors import LayerwatchError
from layering.forge.forge import Orphan
from layering.reference import ImageReference, same_digest
from watcher.behind import ON_ITS_BASE, Behind, behind
from watcher.known import Known
from watcher.report import Verdict
from watcher.settings import Settings
from watcher.settings_image import FollowedCluster
from watcher.world import Failure, Observation, Running

PAYLOAD_DEFAULT_TAG = "rhel-coreos"


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolStatus:
    """One pool, and the pinned base that it should run or be built FROM; None when that is not known."""

    pool: Pool
    matching_base: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterStatus:
    """One cluster. `failure` is why it cannot be told now; what is shown then is what was last told, `at` that time.

    `release` is None when it is not known, `at` is None when nothing is.
    """

    name: str
    failure: Failure | None
    at: datetime | None
    release: ClusterRelease | None
    pools: tuple[PoolStatus, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageStatus:
    """One image for one pool. `running` is the base of the image that the pool's nodes run, or, where nothing is known
    of the pool, of the one that git pins; each None: not known, or none.

    `rollout` counts the pool's machines that run that image, and all of them.
    """

    verdict: Verdict
    running: str | None
    matching: str | None
    behind: Behind | None
    rollout: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """Everything, at one time, in the configuration's order.

    `orphans` are open proposals of ours that the configuration does not have; None when no forge was asked, or none is
    known and one did not answer.
    """

    at: datetime
    clusters: tuple[ClusterStatus, ...]
    images: tuple[ImageStatus, ...]
    orphans: tuple[Orphan, ...] | None = None


def status_of(
    settings: Settings,
    verdicts: Sequence[Verdict],
    known: Callable[[str], Known],
    now: datetime,
    orphans: Sequence[Orphan] | None = None,
) -> Status:
    """Put together what is known."""
    clusters = {cluster.name: known(cluster.name) for cluster in settings.clusters}
    follows = {image.name: image.base for image in settings.images if isinstance(image.base, FollowedCluster)}
    return Status(
        at=now,
        clusters=tuple(_cluster(name, each, verdicts, follows) for name, each in clusters.items()),
        images=tuple(_image(verdict, follows.get(verdict.subject.image), clusters, now) for verdict in verdicts),
        orphans=tuple(orphans) if orphans is not None else None,
    )


def facts_of(known: Known) -> tuple[ClusterState | None, datetime | None]:
    """What is shown of a cluster, and when it was seen: the last good look, or what a look told that was never good."""
    if known.last_good is not None:
        return known.last_good, known.last_good_at
    if isinstance(known.state, Failure) or not (_release(known.state) or _pools(known.state)):
        return None, None
    return known.state, known.looked_at


def _cluster(
    name: str, known: Known, verdicts: Sequence[Verdict], follows: Mapping[str, FollowedCluster]
) -> ClusterStatus:
    state, at = facts_of(known)
    wanted = _matching(name, verdicts)
    default = _payload_default(name, verdicts, follows)
    pools = _pools(state) if state else {}
    return ClusterStatus(
        name=name,
        failure=known.failure,
        at=at,
        release=_release(state) if state else None,
        pools=tuple(
            PoolStatus(pool=pool, matching_base=wanted.get(pool.name) or _stream_base(state, pool) or default)
            for pool in pools.values()
        ),
    )


def _release(state: ClusterState) -> ClusterRelease | None:
    return None if isinstance(state.release, LayerwatchError) else state.release


def _pools(state: ClusterState) -> Mapping[str, Pool]:
    return {} if isinstance(state.pools, LayerwatchError) or state.pools is None else state.pools


def _matching(cluster: str, verdicts: Sequence[Verdict]) -> Mapping[str, str]:
    """The base of the images that are proposed for the cluster's pools, by pool."""
    return {
        verdict.subject.pool: str(verdict.seen.wanted.base.reference)
        for verdict in verdicts
        if isinstance(verdict.seen, Observation) and verdict.subject.cluster == cluster and verdict.subject.pool
    }


def _stream_base(state: ClusterState | None, pool: Pool) -> str | None:
    """What a pool runs that no image is configured for: its stream's, or the default stream's."""
    streams = state.streams if state else None
    if not isinstance(streams, OSImageStreams):
        return None
    image = streams.images.get(pool.stream or streams.default or "")
    return str(image) if image else None


def _payload_default(cluster: str, verdicts: Sequence[Verdict], follows: Mapping[str, FollowedCluster]) -> str | None:
    """The payload's own OS image, if an image of the configuration made us ask for it."""
    for verdict in verdicts:
        follow = follows.get(verdict.subject.image)
        follows_default = follow and follow.cluster == cluster and follow.tag == PAYLOAD_DEFAULT_TAG
        if follows_default and isinstance(verdict.seen, Observation):
            return str(verdict.seen.wanted.base.reference)
    return None


def _image(
    verdict: Verdict, follow: FollowedCluster | None, clusters: Mapping[str, Known], now: datetime
) -> ImageStatus:
    seen = verdict.seen
    if isinstance(seen, Failure):
        return ImageStatus(verdict=verdict, running=None, matching=None, behind=None, rollout=None)
    return ImageStatus(
        verdict=verdict,
        running=running_base(in_use(seen)),
        matching=str(seen.wanted.base.reference),
        behind=_behind(seen, clusters.get(follow.cluster) if follow else None, now),
        rollout=_rollout(seen),
    )


def in_use(seen: Observation) -> Running | None:
    """What the nodes of the pool run; what git pins, where nothing is known of the pool."""
    return seen.applied if seen.pool is not None else seen.running


def running_base(running: Running | None) -> str | None:
    """The base of an image, as its annotations tell: repository and digest."""
    if running is None or running.base_digest is None:
        return None
    if running.base_name is None:
        return str(running.base_digest)
    try:
        return str(ImageReference.parse(running.base_name).repository.at(running.base_digest))
    except LayerwatchError:  # an annotation may say anything
        return str(running.base_digest)


def runs_matching(seen: Observation) -> bool:
    """Whether the image in use is built FROM the matching base: its index, or a manifest of it."""
    base, running = seen.wanted.base, in_use(seen)
    return running is not None and running.base_digest in {base.digest, *base.platforms.values()}


def _behind(seen: Observation, known: Known | None, now: datetime) -> Behind | None:
    """None when no image of ours is in use, or one that follows a tag and is not on it."""
    running = in_use(seen)
    if running is None or running.base_digest is None:
        return None
    if runs_matching(seen):
        return ON_ITS_BASE
    state = facts_of(known)[0] if known else None
    release = _release(state) if state else None
    return behind(release.history, running.version, now) if release else None


def _rollout(seen: Observation) -> tuple[int, int] | None:
    """None where git pins nothing, or nothing is known of the pool."""
    pool, running = seen.pool, seen.running
    if pool is None or running is None:
        return None
    return (pool.updated_machines if same_digest(pool.os_image, running.image) else 0), pool.total
