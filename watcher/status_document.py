"""The JSON of `status --output json` and of the daemon's `GET /status`. It lays out; it gathers and decides nothing."""

import json
from datetime import UTC, datetime
from typing import Any

from layering.cluster.clusterversion import ClusterRelease
from layering.forge.forge import Orphan
from layering.request import API_VERSION
from watcher.overview import ClusterStatus, ImageStatus, PoolStatus, Status
from watcher.report import entry
from watcher.world import Observation


def as_json(status: Status) -> str:
    """`document`, printed."""
    return json.dumps(document(status), indent=2, ensure_ascii=False) + "\n"


def document(status: Status) -> dict[str, Any]:
    """kind Status; what is not known is null. Times are RFC 3339 in UTC."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Status",
        "clusters": [_cluster(cluster, status.at) for cluster in status.clusters],
        "images": [_image(image) for image in status.images],
        "orphaned": [_orphan(orphan) for orphan in status.orphans] if status.orphans is not None else None,
    }


def _orphan(orphan: Orphan) -> dict[str, Any]:
    return {
        "repository": orphan.repository,
        "branch": orphan.branch,
        "number": orphan.number,
        "pull_request": orphan.pull_request,
    }


def _cluster(cluster: ClusterStatus, now: datetime) -> dict[str, Any]:
    failure, release, at = cluster.failure, cluster.release, cluster.at
    return {
        "name": cluster.name,
        "state": "unknown" if failure else "ok",
        "reason": failure.reason.value if failure else None,
        "message": failure.message if failure else "",
        "nextStep": failure.next_step if failure else "",
        "lastLook": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at else None,
        "ageSeconds": max(int((now - at).total_seconds()), 0) if at else None,
        "version": release.version if release else None,
        "payload": str(release.payload) if release else None,
        "updateState": release.state.value if release else None,
        "availableUpdates": _updates(release),
        "pools": [_pool(pool) for pool in cluster.pools],
    }


def _updates(release: ClusterRelease | None) -> list[dict[str, str]] | None:
    if release is None or release.available_updates is None:
        return None
    return [{"version": update.version, "image": str(update.payload)} for update in release.available_updates]


def _pool(status: PoolStatus) -> dict[str, Any]:
    pool = status.pool
    return {
        "name": pool.name,
        "osImageURL": pool.os_image,
        "setBy": pool.set_by,
        "overridden": pool.overridden,
        "layeredBy": pool.layered_by,
        "stream": pool.stream,
        "matchingBase": status.matching_base,
        "paused": pool.paused,
        "updating": pool.updating,
        "degraded": pool.degraded,
        "machines": {
            "total": pool.total,
            "updated": pool.updated_machines,
            "ready": pool.ready,
            "degraded": pool.degraded_machines,
        },
        "architectures": list(pool.architectures) if pool.architectures is not None else None,
    }


def _image(image: ImageStatus) -> dict[str, Any]:
    seen = image.verdict.seen
    build = seen.build if isinstance(seen, Observation) else None
    proposal = seen.proposal if isinstance(seen, Observation) else None
    far = image.behind
    return {
        **entry(image.verdict),
        "base": {"running": image.running, "matching": image.matching},
        "behind": {"releases": far.releases, "days": far.days} if far else None,
        "build": {
            "engine": build.engine,
            "name": build.name,
            "state": build.state.value,
            "attempt": build.attempt,
            "log": build.log,
        }
        if build
        else None,
        "proposal": {"state": proposal.state.value, "url": proposal.own_page} if proposal else None,
        "rollout": {"updated": image.rollout[0], "total": image.rollout[1]} if image.rollout else None,
    }
