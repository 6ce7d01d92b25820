"""What the daemon counts, for Prometheus: one table of names, labels and meanings, and the numbers of this process.

docs/metrics.md is made from the table. A series of an image that is not configured any more goes; counters start at
zero with the process, as Prometheus expects. Nothing is decided by a number here.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily

from watcher.changes import Change
from watcher.report import Verdict
from watcher.world import Subject

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TICK_BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Kind(StrEnum):
    """The Prometheus type."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One name and what it means."""

    name: str
    kind: Kind
    labels: tuple[str, ...] = ()
    meaning: str


class TickResult(StrEnum):
    """How a tick ended."""

    OK = "ok"  # nothing is in the way
    IN_THE_WAY = "in_the_way"  # something is blocked or unknown
    DEFECT = "defect"  # a defect of layerwatch; the log has it


METRICS = (
    Metric(
        name="layerwatch_build_info",
        kind=Kind.GAUGE,
        labels=("version",),
        meaning="Always 1; the label says what runs.",
    ),
    Metric(
        name="layerwatch_leader",
        kind=Kind.GAUGE,
        meaning="1 while this process acts, also without leader election; 0 while it stands by.",
    ),
    Metric(
        name="layerwatch_decision",
        kind=Kind.GAUGE,
        labels=("image", "cluster", "pool", "decision", "reason"),
        meaning="1 for the decision of the last tick; any other series is absent. "
        "An image without proposals has an empty cluster and pool.",
    ),
    Metric(
        name="layerwatch_ticks_total",
        kind=Kind.COUNTER,
        labels=("result",),
        meaning="Ticks: ok; in_the_way (something is blocked or unknown); defect (of layerwatch, see the log).",
    ),
    Metric(
        name="layerwatch_tick_duration_seconds",
        kind=Kind.HISTOGRAM,
        meaning="How long ticks took; a tick of the local engine waits for its build.",
    ),
    Metric(
        name="layerwatch_last_look_timestamp_seconds",
        kind=Kind.GAUGE,
        labels=("source",),
        meaning="When a source last gave a good answer: cluster/NAME or registry/HOST. Absent: never so far.",
    ),
    Metric(
        name="layerwatch_registry_requests_total",
        kind=Kind.COUNTER,
        labels=("registry", "code"),
        meaning="Requests to registries, by HTTP status, or unreachable.",
    ),
    Metric(
        name="layerwatch_api_requests_total",
        kind=Kind.COUNTER,
        labels=("cluster", "code"),
        meaning="Requests to clusters, by HTTP status, or timeout, or unreachable.",
    ),
    Metric(
        name="layerwatch_forge_requests_total",
        kind=Kind.COUNTER,
        labels=("forge", "code"),
        meaning="Requests to the APIs of forges, git's own not counted, by HTTP status, or unreachable.",
    ),
    Metric(
        name="layerwatch_builds_total",
        kind=Kind.COUNTER,
        labels=("image", "result"),
        meaning="Builds that this process saw end: succeeded, failed, misconfigured, cancelled.",
    ),
    Metric(
        name="layerwatch_proposals_total",
        kind=Kind.COUNTER,
        labels=("image", "state"),
        meaning="What this process saw become of proposals: opened, merged, refused, edited, reverted.",
    ),
    Metric(
        name="layerwatch_config_last_reload_successful",
        kind=Kind.GAUGE,
        meaning="1 when the configuration that the file holds is in force; 0: it is broken, and the one before is.",
    ),
)
_BY_NAME = {metric.name: metric for metric in METRICS}


class _Decisions:
    """The decision on each subject, as a collector: a Gauge's series are as large as all else that is known of one."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._of: dict[Subject, tuple[str, ...]] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus_client.registry.Collector."""
        family = GaugeMetricFamily(self._metric.name, self._metric.meaning, labels=self._metric.labels)
        for labels in tuple(self._of.values()):
            family.add_metric(labels, 1)
        yield family

    def take(self, verdict: Verdict) -> None:
        """The one before it on the same subject goes."""
        subject, decision = verdict.subject, verdict.decision
        place = (subject.image, subject.cluster or "", subject.pool or "")
        self._of[subject] = (*place, decision.kind.value, decision.reason.value)

    def keep(self, subjects: Set[Subject]) -> None:
        """Take away all others."""
        self._of = {subject: labels for subject, labels in self._of.items() if subject in subjects}


class Metrics:
    """The numbers of one process. Safe to use from threads."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._decisions = _Decisions(_BY_NAME["layerwatch_decision"])
        self._registry.register(self._decisions)
        self._ticks = self._counter("layerwatch_ticks_total")
        self._duration = self._histogram("layerwatch_tick_duration_seconds", _TICK_BUCKETS_SECONDS)
        self._last_look = self._gauge("layerwatch_last_look_timestamp_seconds")
        self._registry_requests = self._counter("layerwatch_registry_requests_total")
        self._api_requests = self._counter("layerwatch_api_requests_total")
        self._forge_requests = self._counter("layerwatch_forge_requests_total")
        self._builds = self._counter("layerwatch_builds_total")
        self._proposals = self._counter("layerwatch_proposals_total")
        self._leader = self._gauge("layerwatch_leader")
        self._reloaded = self._gauge("layerwatch_config_last_reload_successful")
        self._sources: set[str] = set()
        self._guard = threading.Lock()
        self._gauge("layerwatch_build_info").labels(version).set(1)
        for result in TickResult:
            self._ticks.labels(result)

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)

    def leads(self, *, is_leader: bool) -> None:
        """Whether this process acts."""
        self._leader.set(is_leader)

    def reloaded(self, *, is_good: bool) -> None:
        """Whether what the configuration's file holds is in force."""
        self._reloaded.set(is_good)

    def ticked(self, result: TickResult, seconds: float) -> None:
        """A tick ended."""
        self._ticks.labels(result).inc()
        self._duration.observe(seconds)

    def looked(self, source: str, when: datetime) -> None:
        """A source, `cluster/NAME` or `registry/HOST`, gave a good answer."""
        with self._guard:
            self._sources.add(source)
            self._last_look.labels(source).set(when.timestamp())

    def asked_registry(self, registry: str, code: int | str) -> None:
        """A request to a registry was answered, or not."""
        self._registry_requests.labels(registry, code).inc()

    def asked_cluster(self, cluster: str, code: int | str) -> None:
        """A request to a cluster was answered, or not."""
        self._api_requests.labels(cluster, code).inc()

    def asked_forge(self, forge: str, code: int | str) -> None:
        """A request to a forge's API was answered, or not."""
        self._forge_requests.labels(forge, code).inc()

    def changed(self, change: Change) -> None:
        """Count what is new."""
        image = change.verdict.subject.image
        if change.result is not None:
            self._builds.labels(image, change.result).inc()
        if change.move is not None:
            self._proposals.labels(image, change.move).inc()

    def decided(self, verdict: Verdict) -> None:
        """The decision on one subject; the one before it goes."""
        with self._guard:
            self._decisions.take(verdict)

    def keep(self, subjects: Iterable[Subject], clusters: Iterable[str]) -> None:
        """Take away what is about other subjects and other clusters: they are not in the configuration any more.

        Registries go, too: which ones the configuration leads to is seen by the next tick that asks them.
        """
        sources = {f"cluster/{name}" for name in clusters}
        with self._guard:
            self._decisions.keep(set(subjects))
            for source in self._sources - sources:
                self._last_look.remove(source)
            self._sources &= sources

    def _counter(self, name: str) -> Counter:
        metric = _BY_NAME[name]
        return Counter(metric.name, metric.meaning, metric.labels, registry=self._registry)

    def _gauge(self, name: str) -> Gauge:
        metric = _BY_NAME[name]
        return Gauge(metric.name, metric.meaning, metric.labels, registry=self._registry)

    def _histogram(self, name: str, buckets: Sequence[float]) -> Histogram:
        metric = _BY_NAME[name]
        return Histogram(metric.name, metric.meaning, metric.labels, registry=self._registry, buckets=buckets)
