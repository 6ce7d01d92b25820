"""How far behind, from a cluster's history. One row, one history; `a` to `d` are payloads, newest first."""

from datetime import UTC, datetime, timedelta

import pytest

from layering.cluster.clusterversion import HistoryEntry, UpdateState
from layering.reference import Digest, Repository
from watcher.behind import Behind, behind

NOW = datetime(2025, 6, 30, 12, 0, tzinfo=UTC)
RELEASES = Repository("quay.io", "openshift-release-dev/ocp-release")


def entry(version: str, payload: str, days_ago: float | None, *, completed: bool = True) -> HistoryEntry:
    return HistoryEntry(
        state=UpdateState.COMPLETED if completed else UpdateState.PARTIAL,
        version=version,
        payload=RELEASES.at(Digest("sha256", payload * 64)),
        started=NOW - timedelta(days=days_ago) if days_ago is not None else None,
        completed=None,
    )


ONE, TWO, THREE = entry("4.19.1", "a", 60), entry("4.19.2", "b", 30), entry("4.19.3", "c", 10.9)
PARTIAL = entry("4.19.4", "d", 2, completed=False)

ROWS = [
    ("one release", [TWO, ONE], "4.19.1", Behind(releases=1, days=30)),
    ("three, the last not done", [PARTIAL, THREE, TWO, ONE], "4.19.1", Behind(releases=3, days=30)),
    ("whole days only", [THREE, TWO, ONE], "4.19.2", Behind(releases=1, days=10)),
    ("an update that was tried twice counts once",
     [TWO, entry("4.19.2", "b", 31, completed=False), ONE], "4.19.1", Behind(releases=1, days=31)),
    ("since it was left for the last time", [THREE, ONE, TWO, entry("4.19.1", "a", 90)], "4.19.1",
     Behind(releases=1, days=10)),
    ("the multi-architecture payload of the same version", [entry("4.19.1", "e", 5), ONE], "4.19.1",
     Behind(releases=1, days=5)),
    ("the release it is on, under another tag", [TWO, ONE], "4.19.2", Behind(releases=0, days=0)),
    ("pruned from the history", [THREE, TWO], "4.19.1", Behind(releases=None, days=None)),
    ("no version was annotated", [TWO, ONE], None, Behind(releases=None, days=None)),
    ("no history", [], "4.19.1", Behind(releases=None, days=None)),
    ("no time was told", [entry("4.19.2", "b", None), ONE], "4.19.1", Behind(releases=1, days=None)),
    ("a clock that is ahead", [entry("4.19.2", "b", -1), ONE], "4.19.1", Behind(releases=1, days=0)),
]  # fmt: skip


@pytest.mark.parametrize(("history", "version", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_behind(history: list[HistoryEntry], version: str | None, expected: Behind) -> None:
    assert behind(history, version, NOW) == expected
