"""How far is an image behind its cluster, in releases and days: a pure function of the cluster's history.

It counts what the cluster went through, Partial updates included, since its base moved with each of them. An image that
follows a tag has no releases to be counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from layering.cluster.clusterversion import HistoryEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Behind:
    """`releases` since the one that the image was built for, whole `days` since the cluster left it.

    Each is None when it is not known: the history no longer has the release, or does not tell the time.
    """

    releases: int | None
    days: int | None


ON_ITS_BASE = Behind(releases=0, days=0)
NOT_KNOWN = Behind(releases=None, days=None)


def behind(history: Sequence[HistoryEntry], version: str | None, now: datetime) -> Behind:
    """How far an image for `version` is behind, when its base is not the matching one. `history`: newest first.

    A cluster may change its payload and keep the version (to the multi-architecture one): what was built for that
    version is then behind by the payloads since the first of them.
    """
    place = _place(history, version)
    if place is None:
        return NOT_KNOWN
    newer = history[:place]
    left = newer[-1].started if newer else None
    return Behind(
        releases=len({str(entry.payload) for entry in newer}),
        days=max((now - left).days, 0) if left else (None if newer else 0),
    )


def _place(history: Sequence[HistoryEntry], version: str | None) -> int | None:
    """Where the release stands; of those with the version of the newest, where the first payload of it does."""
    found = [number for number, entry in enumerate(history) if version and entry.version == version]
    if not found or found[0] != 0:
        return found[0] if found else None
    same = [number for number in found if str(history[number].payload) != str(history[0].payload)]
    return same[0] if same and all(entry.version == version for entry in history[: same[0]]) else 0
