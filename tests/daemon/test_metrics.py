"""/metrics: exactly the table, readable by Prometheus' own parser, and nothing of what is configured no more."""

from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from layering.reasons import Reason
from tests.daemon.verdicts import SUBJECT, build, observation, verdict
from watcher.changes import Changes
from watcher.decision import Kind
from watcher.engines.engine import BuildState
from watcher.metrics import METRICS, Metrics, TickResult
from watcher.world import Subject

Labels = dict[str, str]
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def samples(metrics: Metrics) -> dict[str, list[tuple[Labels, float]]]:
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


def use_all(metrics: Metrics) -> None:
    metrics.leads(is_leader=True)
    metrics.reloaded(is_good=True)
    metrics.ticked(TickResult.OK, 0.3)
    metrics.looked("cluster/prod", MOMENT)
    metrics.looked("registry/quay.io", MOMENT)
    metrics.asked_registry("quay.io", 200)
    metrics.asked_cluster("prod", "timeout")
    metrics.asked_forge("github", 403)
    changes = Changes()
    for state in (BuildState.RUNNING, BuildState.FAILED):
        one = verdict(Kind.REBUILD, Reason.NEVER_BUILT, seen=observation(build=build(state)))
        metrics.changed(changes.note(one))
    one = verdict(Kind.AWAITING_APPROVAL, Reason.PROPOSAL_OPEN)
    metrics.changed(changes.note(one))
    metrics.decided(one)


def test_the_table_is_what_there_is(metrics: Metrics) -> None:
    use_all(metrics)
    families = list(text_string_to_metric_families(metrics.exposition().decode()))
    shown = {
        family.name + ("_total" if family.type == "counter" else ""): (
            family.type,
            family.documentation,
            set().union(*(sample.labels for sample in family.samples)) - {"le"},
        )
        for family in families
    }
    assert shown == {metric.name: (metric.kind.value, metric.meaning, set(metric.labels)) for metric in METRICS}


def test_the_numbers(metrics: Metrics) -> None:
    use_all(metrics)
    found = samples(metrics)
    assert found["layerwatch_build_info"] == [({"version": "1.2.3"}, 1.0)]
    assert found["layerwatch_leader"] == [({}, 1.0)]
    assert ({"result": "ok"}, 1.0) in found["layerwatch_ticks_total"]
    assert found["layerwatch_api_requests_total"] == [({"cluster": "prod", "code": "timeout"}, 1.0)]
    assert found["layerwatch_forge_requests_total"] == [({"forge": "github", "code": "403"}, 1.0)]
    assert found["layerwatch_registry_requests_total"] == [({"registry": "quay.io", "code": "200"}, 1.0)]
    assert found["layerwatch_builds_total"] == [({"image": "worker-os", "result": "failed"}, 1.0)]
    assert found["layerwatch_proposals_total"] == [({"image": "worker-os", "state": "opened"}, 1.0)]
    assert ({"source": "cluster/prod"}, MOMENT.timestamp()) in found["layerwatch_last_look_timestamp_seconds"]


def test_of_each_subject_only_the_last_decision_is_there(metrics: Metrics) -> None:
    metrics.decided(verdict(Kind.REBUILD, Reason.BASE_CHANGED))
    metrics.decided(verdict(Kind.UP_TO_DATE, Reason.MATCHES_BASE))
    metrics.decided(verdict(Kind.UP_TO_DATE, Reason.MATCHES_BASE, subject=Subject(image="other")))
    where = {"decision": "UpToDate", "reason": "MatchesBase"}
    assert samples(metrics)["layerwatch_decision"] == [
        ({"image": "worker-os", "cluster": "prod", "pool": "worker", **where}, 1.0),
        ({"image": "other", "cluster": "", "pool": "", **where}, 1.0),
    ]


def test_what_is_not_configured_any_more_goes(metrics: Metrics) -> None:
    use_all(metrics)
    metrics.keep([SUBJECT], ["prod"])
    assert len(samples(metrics)["layerwatch_decision"]) == 1
    sources = [labels for labels, _ in samples(metrics)["layerwatch_last_look_timestamp_seconds"]]
    assert sources == [{"source": "cluster/prod"}], "an alert on a registry that nobody asks any more would never end"
    metrics.keep([], [])
    assert not samples(metrics).keys() & {"layerwatch_decision", "layerwatch_last_look_timestamp_seconds"}
