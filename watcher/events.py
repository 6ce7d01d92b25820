"""Tells people where they look: Kubernetes Events on a pool when its decision changes, and on a run that failed.

Events are a courtesy. They are posted by a thread per cluster, so that a cluster that hangs delays nothing; one that
does not let us post them costs one line in the log; and when too many wait, the oldest are dropped. No decision and no
other part of the daemon depends on them.
"""

import hashlib
import logging
import queue
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from layering.cluster.api import ClusterApi
from layering.cluster.events import ClusterEvent, Regarding, count_again, post
from layering.cluster.resources import MACHINE_CONFIG_POOLS, PIPELINE_RUNS, Resource
from layering.errors import LayerwatchError, RefusedError
from layering.reasons import Reason
from watcher.changes import BuildResult, Change
from watcher.decision import Kind
from watcher.home import RunPlace
from watcher.report import Verdict
from watcher.world import Observation

_log = logging.getLogger("layerwatch.events")
_WAITING_MOST = 200
_WARNINGS = {Kind.BLOCKED, Kind.UNKNOWN}
_REASONS = {
    BuildResult.FAILED: Reason.BUILD_FAILED,
    BuildResult.MISCONFIGURED: Reason.BUILD_MISCONFIGURED,
    BuildResult.CANCELLED: Reason.BUILD_CANCELLED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """An event that is due in one cluster. `is_new`: this process saw the change happen."""

    cluster: str
    event: ClusterEvent
    is_new: bool


def announcements(change: Change, run_place: RunPlace | None, now: datetime) -> list[Announcement]:
    """What a change has people told. Pure; the first verdict of a process is told, too, but as nothing new."""
    told = []
    subject = change.verdict.subject
    if change.is_other_decision and subject.cluster and subject.pool:
        event = _about_pool(change.verdict, subject.pool, now)
        told.append(Announcement(cluster=subject.cluster, event=event, is_new=not change.is_first))
    if change.result in _REASONS and change.failed is not None and change.failed.name and run_place is not None:
        event = ClusterEvent(
            name=f"{change.failed.name}.{_digest(change.result)}",
            regarding=_regarding(PIPELINE_RUNS, "PipelineRun", change.failed.name, run_place.namespace),
            reason=_REASONS[change.result].value,
            action="Build",
            note=_sentence(change.failed.message, change.failed.next_step),
            is_warning=True,
            when=now,
        )
        told.append(Announcement(cluster=run_place.cluster, event=event, is_new=True))
    return told


def _about_pool(verdict: Verdict, pool: str, now: datetime) -> ClusterEvent:
    """Its name says what was decided about which build: the same decision is the same event, whoever reaches it."""
    decision, seen = verdict.decision, verdict.seen
    key = str(seen.wanted.key) if isinstance(seen, Observation) else ""
    return ClusterEvent(
        name=f"{pool}.{_digest(verdict.subject.image, decision.kind, decision.reason, key)}",
        regarding=_regarding(MACHINE_CONFIG_POOLS, "MachineConfigPool", pool),
        reason=decision.reason.value,
        action=decision.kind.value,
        note=f"{verdict.subject.image}: {decision.kind.value}: {_sentence(decision.message, decision.next_step)}",
        is_warning=decision.kind in _WARNINGS,
        when=now,
    )


def _regarding(resource: Resource, kind: str, name: str, namespace: str = "") -> Regarding:
    return Regarding(api_version=f"{resource.group}/{resource.version}", kind=kind, name=name, namespace=namespace)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _sentence(message: str, next_step: str) -> str:
    text = " ".join(message.split())
    return f"{text}; next: {next_step}" if next_step else text


class Announcer:
    """Posts what is due, each cluster by its own thread. Only clusters in `apis` can be told anything."""

    def __init__(self, apis: Mapping[str, ClusterApi], instance: str, complained: set[str]) -> None:
        """`complained`: the clusters whose refusal is in the log already; it outlives this object."""
        self._boxes = {name: _Box(api, instance, complained) for name, api in apis.items()}

    def announce(self, due: list[Announcement]) -> None:
        """Hand them over; never waits."""
        for announcement in due:
            box = self._boxes.get(announcement.cluster)
            if box is not None:
                box.put(announcement)

    def close(self) -> None:
        """Post no more; what waits is dropped."""
        for box in self._boxes.values():
            box.close()


class _Box:
    """What waits to be posted in one cluster, and the thread that does it, which begins with the first one."""

    def __init__(self, api: ClusterApi, instance: str, complained: set[str]) -> None:
        self._api = api
        self._instance = instance
        self._complained = complained
        self._waiting: queue.Queue[Announcement | None] = queue.Queue(_WAITING_MOST)
        self._times: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def put(self, announcement: Announcement) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"events {self._api.name}", daemon=True)
            self._thread.start()
        self._force(announcement)

    def close(self) -> None:
        self._is_closed = True
        self._force(None)

    def _force(self, item: Announcement | None) -> None:
        """Put it last; what is first makes room when there is none."""
        while True:
            try:
                self._waiting.put_nowait(item)
            except queue.Full:
                with suppress(queue.Empty):  # the thread was faster
                    self._waiting.get_nowait()
            else:
                return

    def _run(self) -> None:
        while (announcement := self._waiting.get()) is not None and not self._is_closed:
            try:
                self._post(announcement)
            except LayerwatchError as error:
                self._complain(error)
            except Exception:  # noqa: BLE001 logged with its traceback; the next event may well go out
                _log.exception("a defect of layerwatch while posting an event", extra={"cluster": self._api.name})

    def _post(self, announcement: Announcement) -> None:
        """Make the event; if it is there, count it once more when this process saw it happen again."""
        event = replace(announcement.event, regarding=self._with_uid(announcement.event.regarding))
        if post(self._api, event, instance=self._instance):
            self._times[event.name] = 1
        elif announcement.is_new:
            self._times[event.name] = self._times.get(event.name, 1) + 1
            count_again(self._api, event, self._times[event.name])

    def _with_uid(self, regarding: Regarding) -> Regarding:
        """With the uid, without which `kubectl describe` does not show the event beside its object."""
        resource = MACHINE_CONFIG_POOLS if regarding.kind == "MachineConfigPool" else PIPELINE_RUNS
        try:
            found = self._api.get(resource, regarding.name, namespace=regarding.namespace or None)
        except RefusedError:
            return regarding  # it is gone, or not ours to read: the event still says its name
        return replace(regarding, uid=found["metadata"]["uid"])

    def _complain(self, error: LayerwatchError) -> None:
        """Of a refusal once in the life of the process; of anything else each time."""
        known = {"cluster": self._api.name, "reason": error.reason}
        if error.reason is not Reason.FORBIDDEN:
            _log.warning("an event was not posted: %s", error, extra=known)
        elif self._api.name not in self._complained:
            self._complained.add(self._api.name)
            _log.warning("no events are posted: %s", error, extra=known)
