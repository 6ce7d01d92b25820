"""docs/metrics.md, from the table of the daemon's metrics."""

from tests.docs.markdown import code, page, table
from watcher.metrics import METRICS


def metrics() -> str:
    """The page about /metrics."""
    rows = [(code(m.name), m.kind.value, ", ".join(map(code, m.labels)), m.meaning) for m in METRICS]
    return page(
        "Metrics",
        "watcher/metrics.py",
        "`layerwatch run --listen HOST:PORT` answers `GET /metrics` in Prometheus' text format. "
        "Decisions and reasons are those of [the reference](reference/reasons.md); durations are in seconds.",
        table(["Name", "Type", "Labels", "Meaning"], rows),
    )
