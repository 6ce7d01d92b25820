"""`status`: what is told of clusters and images, in JSON by key, in the table as people read it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from layering.cluster.clusterversion import ClusterRelease, UpdateState
from layering.cluster.state import ClusterState
from layering.errors import RefusedError
from layering.reasons import Reason
from layering.reference import Digest, Repository
from tests.scenario import Scenario
from tests.watcher.test_decide import APPLIED, IN_GIT, ON_THE_MOVE, POOL, seen
from watcher.configuration import load
from watcher.decision import Decision, Kind
from watcher.known import Known
from watcher.overview import Status, status_of
from watcher.report import Verdict
from watcher.status_document import document
from watcher.status_table import age, as_table
from watcher.world import Failure, Observation

NOW = datetime(2025, 6, 3, 12, 0, tzinfo=UTC)
RELEASE = ClusterRelease(
    version="4.19.1",
    payload=Repository("quay.io", "ocp-release").at(Digest("sha256", "1" * 64)),
    state=UpdateState.COMPLETED,
)
GOOD = ClusterState(release=RELEASE, streams=None, pools={})
TIMED_OUT = Failure(reason=Reason.TIMED_OUT, message="prod: no answer", next_step="see its API", temporary=True)
FORBIDDEN = replace(GOOD, pools=RefusedError("no", where="prod: MachineConfigPool", reason=Reason.FORBIDDEN))
EARLIER = NOW - timedelta(minutes=5)

CLUSTER_KEYS = {
    "name", "state", "reason", "message", "nextStep", "lastLook", "ageSeconds", "version", "payload", "updateState",
    "availableUpdates", "pools",
}  # fmt: skip
IMAGE_KEYS = {
    "name", "cluster", "pool", "decision", "reason", "message", "nextStep", "base", "pull_request", "behind", "build",
    "proposal", "rollout",
}  # fmt: skip


def told(scenario: Scenario) -> dict[str, Any]:
    done = scenario.layerwatch("status", "-c", str(scenario.config), "--output", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def upgrade(scenario: Scenario) -> None:
    """To 4.19.2, three days and an hour ago."""
    file = scenario.directory / "clusterversion.yaml"
    older = json.loads(file.read_text())["status"]["history"]
    scenario.at("4.19.2")
    newer = json.loads(file.read_text())
    started = datetime.now(UTC) - timedelta(days=3, hours=1)
    newer["status"]["history"][0]["startedTime"] = started.strftime("%Y-%m-%dT%H:%M:%SZ")
    newer["status"]["history"] += older
    file.write_text(json.dumps(newer))


def test_an_image_from_nothing_to_one_release_behind(scenario: Scenario) -> None:
    first = told(scenario)
    assert set(first) == {"apiVersion", "kind", "clusters", "images", "orphaned"}
    (cluster,), (image,) = first["clusters"], first["images"]
    assert (set(cluster), set(image)) == (CLUSTER_KEYS, IMAGE_KEYS)
    assert (first["kind"], cluster["state"], cluster["reason"]) == ("Status", "ok", None)
    assert (cluster["version"], cluster["updateState"], cluster["availableUpdates"]) == ("4.19.1", "Completed", None)
    assert cluster["payload"] == str(scenario.payloads["4.19.1"])
    assert (image["decision"], image["base"]["running"], image["behind"]) == ("Rebuild", None, None)

    scenario.tick()
    waiting = told(scenario)["images"][0]
    assert waiting["proposal"] == {"state": "unchanged", "url": waiting["pull_request"]}

    scenario.merge()
    merged = told(scenario)["images"][0]
    assert (merged["decision"], merged["behind"]) == ("UpToDate", {"releases": 0, "days": 0})
    assert merged["base"]["running"] == merged["base"]["matching"] == image["base"]["matching"]

    upgrade(scenario)
    late = told(scenario)["images"][0]
    assert (late["reason"], late["behind"]) == ("BaseChanged", {"releases": 1, "days": 3})
    assert late["base"]["running"] == merged["base"]["matching"] != late["base"]["matching"]
    table = scenario.layerwatch("status", "-c", str(scenario.config)).stdout
    row = "worker-os  prod/worker  4.19.1 → 4.19.2  1 release, 3 days  Rebuild BaseChanged"
    assert row in table.splitlines()
    assert "\033" not in table
    assert not [tag for tag in scenario.tags() if tag.startswith("4.19.2")]


def test_a_proposal_that_is_configured_no_more_stays_and_is_told(scenario: Scenario) -> None:
    scenario.tick()
    assert told(scenario)["orphaned"] == []
    other = scenario.proposal(pool="infra")
    scenario.configure(proposals=[other])
    assert [orphan["branch"] for orphan in told(scenario)["orphaned"]] == ["layerwatch/prod/worker"]
    table = scenario.layerwatch("status", "-c", str(scenario.config)).stdout
    assert "ORPHANED PROPOSAL" in table
    assert "layerwatch/prod/worker" in table
    assert "refs/heads/layerwatch/prod/worker" in scenario.branches()


def test_what_is_orphaned_is_told_although_another_forge_does_not_answer(scenario: Scenario) -> None:
    scenario.tick()
    elsewhere = scenario.proposal(pool="other", repository="acme/config", forge="tokenless")
    for proposals, expected in (
        ([elsewhere, scenario.proposal(pool="infra")], ["layerwatch/prod/worker"]),
        ([elsewhere], None),
    ):
        scenario.configure(proposals=proposals)
        document = json.loads(scenario.config.read_text())
        document["forges"] = [{"name": "tokenless", "kind": "github", "tokenEnv": "NOT_SET"}]
        scenario.config.write_text(json.dumps(document))
        done = scenario.layerwatch("status", "-c", str(scenario.config), "--output", "json")
        orphaned = json.loads(done.stdout)["orphaned"]
        assert "orphaned proposals in acme/config cannot be told: NOT_SET" in done.stderr
        assert (orphaned and [orphan["branch"] for orphan in orphaned]) == expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Known(state=GOOD, looked_at=NOW, last_good=GOOD, last_good_at=NOW),
         {"state": "ok", "reason": None, "lastLook": "2025-06-03T12:00:00Z", "ageSeconds": 0, "version": "4.19.1"}),
        (Known(state=TIMED_OUT, looked_at=NOW, last_good=GOOD, last_good_at=EARLIER),
         {"state": "unknown", "reason": "TimedOut", "lastLook": "2025-06-03T11:55:00Z", "ageSeconds": 300,
          "version": "4.19.1", "nextStep": "see its API"}),
        (Known(state=TIMED_OUT, looked_at=NOW),
         {"state": "unknown", "reason": "TimedOut", "lastLook": None, "ageSeconds": None, "version": None,
          "payload": None, "updateState": None, "availableUpdates": None, "pools": []}),
        (Known(state=FORBIDDEN, looked_at=NOW),
         {"state": "unknown", "reason": "Forbidden", "message": "prod: MachineConfigPool: no", "ageSeconds": 0,
          "version": "4.19.1", "pools": []}),
        (Known(), {"state": "unknown", "reason": "Unreachable", "lastLook": None}),
    ],
    ids=["good", "hanging, once good", "hanging, never good", "in part forbidden", "not asked yet"],
)  # fmt: skip
def test_a_cluster_is_shown_as_last_known_with_its_age(
    scenario: Scenario, known: Known, expected: dict[str, Any]
) -> None:
    (cluster,) = document(of(scenario, known))["clusters"]
    assert set(cluster) == CLUSTER_KEYS
    assert {key: cluster[key] for key in expected} == expected


def of(scenario: Scenario, known: Known) -> Status:
    return status_of(load(scenario.config), [], lambda name: known, NOW)


def test_the_table_tells_a_cluster_that_is_not_known(scenario: Scenario) -> None:
    known = Known(state=TIMED_OUT, looked_at=NOW, last_good=GOOD, last_good_at=EARLIER)
    assert as_table(of(scenario, known)) == (
        "CLUSTER  VERSION  UPDATE     SEEN       STATE\n"
        "prod     4.19.1   Completed  5 min ago  unknown TimedOut\n"
        "    prod: no answer\n"
        "    next: see its API\n"
    )
    assert "\033[35munknown TimedOut\033[0m" in as_table(of(scenario, known), colour=True)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7200, "2 h ago"), (172800, "2 d ago")],
)
def test_age(seconds: float, expected: str) -> None:
    assert age(seconds) == expected


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (seen(running=IN_GIT, pool=ON_THE_MOVE), {"updated": 1, "total": 3}),
        (seen(running=IN_GIT, pool=APPLIED), {"updated": 3, "total": 3}),
        (seen(running=IN_GIT, pool=POOL), {"updated": 0, "total": 3}),
        (seen(running=None, pool=POOL), None),
        (seen(running=IN_GIT, pool=None), None),
    ],
    ids=["on the move", "done", "not applied", "nothing pinned", "a pool nobody knows"],
)
def test_a_rollout_counts_the_machines_that_run_what_git_pins(
    scenario: Scenario, observed: Observation, expected: dict[str, int] | None
) -> None:
    decision = Decision(kind=Kind.HELD, reason=Reason.POOL_PAUSED, message="it is paused")
    verdict = Verdict(subject=observed.subject, seen=observed, decision=decision)
    status = status_of(load(scenario.config), [verdict], lambda name: Known(), NOW)
    (image,) = document(status)["images"]
    assert image["rollout"] == expected
    if expected:
        assert f"rollout: {expected['updated']} of 3 nodes" in as_table(status)
