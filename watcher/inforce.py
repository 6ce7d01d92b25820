"""One configuration in force: its clusters looked at and watched, its ticks logged, counted and announced.

Watches and the schedule only say *look now*; every fact is read again by the look that follows. It ends with its
context: no thread of it asks for another tick after that.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from layering.cluster.api import ClusterApi
from layering.cluster.connection import load_client
from layering.cluster.pipelineruns import MANAGED_BY, MANAGED_BY_LABEL
from layering.cluster.resources import CLUSTER_VERSIONS, MACHINE_CONFIG_POOLS, PIPELINE_RUNS, Resource
from layering.cluster.watches import follow
from layering.registry.transport import Request
from watcher.bell import Bell
from watcher.changes import Change, Changes
from watcher.daemon import Clockwork
from watcher.events import Announcer, announcements
from watcher.home import run_place
from watcher.loop import EVERYTHING
from watcher.metrics import Metrics
from watcher.refresh import Refresher, look_at_all
from watcher.report import Verdict, log_line
from watcher.settings import Settings
from watcher.targets import subject_of, targets
from watcher.watch import Watch, watching
from watcher.world import Observation, Subject

_log = logging.getLogger("layerwatch")
_GOOD_ANSWERS = {200, 201, 202, 204, 206, 404}


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """What outlives a configuration. `may_act` is asked right before each write; `beat` says that the loop turns."""

    bell: Bell
    clockwork: Clockwork
    metrics: Metrics
    may_act: Callable[[], bool]
    beat: Callable[[], None]
    clock: Callable[[], float]
    now: Callable[[], datetime]
    identity: str
    dry_run: bool = False
    changes: Changes = field(default_factory=Changes)
    complained: set[str] = field(default_factory=set)


class InForce:
    """Ticks of one configuration; `verdicts` has the last one on each subject, in the configuration's order."""

    def __init__(self, watch: Watch, process: Process, announcer: Announcer) -> None:
        self.watch = watch
        self._process = process
        self._announcer = announcer
        self.has_looked = False  # its first round asks for a tick
        self._subjects = [subject_of(target) for target in targets(watch.settings)]
        self._places = {
            image.name: place for image in watch.settings.images if (place := run_place(watch.settings, image))
        }
        self._verdicts: dict[Subject, Verdict] = {}

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """Those of the subjects that had one so far."""
        known = self._verdicts
        return [known[subject] for subject in self._subjects if subject in known]

    def tick(self, only: Set[str] | None) -> Sequence[Verdict]:
        """One tick; what each verdict changes is told as it is reached."""
        verdicts = self.watch.tick(self._tell, dry_run=self._process.dry_run, only=only)
        for verdict in verdicts:
            self._process.metrics.decided(verdict)
        self._verdicts |= {verdict.subject: verdict for verdict in verdicts}
        return verdicts

    def _tell(self, verdict: Verdict) -> None:
        self._process.beat()
        change = self._process.changes.note(verdict)
        self._process.metrics.changed(change)
        _log.log(
            logging.INFO if change.is_other_decision else logging.DEBUG, "%s", log_line(verdict), extra=facts(change)
        )
        if not self._process.dry_run and self._process.may_act():
            place = self._places.get(verdict.subject.image)
            self._announcer.announce(announcements(change, place, self._process.now()))


def facts(change: Change) -> dict[str, str | None]:
    """What a log line about a verdict knows besides its message."""
    verdict = change.verdict
    seen = verdict.seen if isinstance(verdict.seen, Observation) else None
    return {
        "reason": verdict.decision.reason.value,
        "decision": verdict.decision.kind.value,
        "cluster": verdict.subject.cluster,
        "pool": verdict.subject.pool,
        "image": verdict.subject.image,
        "key": str(seen.wanted.key) if seen else None,
        "run": seen.build.name if seen and seen.build else None,
    }


@contextmanager
def in_force(settings: Settings, process: Process, before: InForce | None = None) -> Iterator[InForce]:
    """Put a configuration in force: open its parts, look at its clusters on schedule and whenever one changes.

    What the one `before` knew last of the same clusters stays known, also when they do not answer now.
    Raises LayerwatchError when it cannot be.
    """
    with ExitStack() as opened:
        watch = opened.enter_context(
            watching(
                settings,
                _progress(process),
                on_request=process.metrics.asked_cluster,
                on_registry_request=_counted(process),
                on_forge_request=lambda sent: process.metrics.asked_forge(sent.forge, sent.status or "unreachable"),
                may_act=process.may_act,
            )
        )
        if before is not None:
            watch.clusters.inherit(before.watch.clusters)
        announcer = Announcer(watch.clusters.apis, process.identity, process.complained)
        opened.callback(announcer.close)
        _forget_others(settings, process)
        stop = threading.Event()
        opened.callback(stop.set)
        refreshers = [
            Refresher(name, _look(watch, process), process.bell.ring, process.clock) for name in watch.clusters.names
        ]
        _follow_clusters(watch, refreshers, stop)
        runs = _follow_runs(watch, process, stop)
        for refresher in (*refreshers, *runs):
            refresher.start()
            opened.callback(refresher.stop)
        current = InForce(watch, process, announcer)
        if watch.clusters.apis:
            load_client()  # before their first round, which waits for nobody who is late
        look = lambda: _round(refreshers, process, current)  # noqa: E731
        opened.enter_context(process.clockwork.looking(settings.schedule, look))
        yield current


def _progress(process: Process) -> Callable[[str], None]:
    """What a build on this machine says: in the log, and a sign that the loop is at work."""

    def say(line: str) -> None:
        process.beat()
        _log.info("%s", line)

    return say


def _counted(process: Process) -> Callable[[Request], None]:
    """Count a request to a registry; what it answered is a good look, also that something is not there."""

    def count(request: Request) -> None:
        process.metrics.asked_registry(request.registry, request.status or "unreachable")
        if request.status in _GOOD_ANSWERS:
            process.metrics.looked(f"registry/{request.registry}", process.now())

    return count


def _forget_others(settings: Settings, process: Process) -> None:
    subjects = [subject_of(target) for target in targets(settings)]
    process.changes.keep(subjects)
    process.metrics.keep(subjects, [cluster.name for cluster in settings.clusters])


def _look(watch: Watch, process: Process) -> Callable[[str], bool]:
    """Ask one cluster, and note when it last gave a good answer."""

    def look(name: str) -> bool:
        watch.clusters.refresh(name)
        known = watch.clusters.known(name)
        if known.last_good_at is not None:
            process.metrics.looked(f"cluster/{name}", known.last_good_at)
        return known.failure is None

    return look


def _round(refreshers: Sequence[Refresher], process: Process, current: InForce) -> None:
    """One look at everything, then a tick over everything; who is late has a tick of its own."""
    late = look_at_all(refreshers)
    for name in sorted(late):
        _log.debug("%s has not answered so far", name, extra={"cluster": name})
    current.has_looked = True
    process.bell.ring(EVERYTHING)


def _follow_clusters(watch: Watch, refreshers: Sequence[Refresher], stop: threading.Event) -> None:
    for refresher in refreshers:
        api = watch.clusters.apis.get(refresher.name)
        if api is not None:
            for resource in (CLUSTER_VERSIONS, MACHINE_CONFIG_POOLS):
                _follow(api, resource, refresher.poke, stop)


def _follow_runs(watch: Watch, process: Process, stop: threading.Event) -> list[Refresher]:
    """A run that changed asks for a tick, once it is quiet; there is nothing else to read."""
    places = {place for image in watch.settings.images if (place := run_place(watch.settings, image))}
    tellers = []
    for place in sorted(places, key=str):
        teller = Refresher(place.cluster, lambda name: True, process.bell.ring, process.clock)
        _follow(watch.clusters.api(place.cluster), PIPELINE_RUNS, teller.poke, stop, namespace=place.namespace)
        tellers.append(teller)
    return tellers


def _follow(
    api: ClusterApi,
    resource: Resource,
    changed: Callable[[], None],
    stop: threading.Event,
    namespace: str | None = None,
) -> None:
    labels = f"{MANAGED_BY_LABEL}={MANAGED_BY}" if resource is PIPELINE_RUNS else ""

    def run() -> None:
        follow(api, resource, changed, stop, namespace=namespace, label_selector=labels)

    threading.Thread(target=run, name=f"watch {api.name} {resource.plural}", daemon=True).start()
