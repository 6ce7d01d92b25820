"""What the listener answers on each of its paths, from what the process knows already. Asks nobody, writes nothing."""

from http import HTTPStatus

from watcher.inforce import InForce
from watcher.listener import Answer
from watcher.loop import Pulse
from watcher.metrics import CONTENT_TYPE, Metrics
from watcher.overview import status_of
from watcher.status_document import document
from watcher.watch import utc_now

_NO_TICK = "no tick has ended so far"


def healthz(pulse: Pulse) -> Answer:
    """200 while the loop turns, whatever the world is like: a restart mends only ourselves."""
    if pulse.is_well:
        return Answer.text(HTTPStatus.OK, "ok")
    return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, "the loop does not turn")


def readyz(*, is_ready: bool) -> Answer:
    """200 after the first tick, whatever it saw, and on a stand-by."""
    return Answer.text(HTTPStatus.OK, "ok") if is_ready else Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, _NO_TICK)


def exposition(metrics: Metrics) -> Answer:
    """The numbers, as Prometheus reads them."""
    return Answer(status=HTTPStatus.OK, content_type=CONTENT_TYPE, body=metrics.exposition())


def status(current: InForce | None) -> Answer:
    """What the last ticks decided, and what is known of clusters, with its age; a stand-by has none."""
    if current is None:
        return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, _NO_TICK)
    watch = current.watch
    return Answer.json(document(status_of(watch.settings, current.verdicts, watch.clusters.known, utc_now())))
