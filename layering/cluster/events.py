"""Kubernetes Events, as events.k8s.io/v1 has them: make one, and count one again that is still there.

The API server forgets them after an hour by itself; nothing here reads or deletes one. Which events there are is not
decided here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from layering.cluster.api import ClusterApi
from layering.cluster.lease import micro_time
from layering.cluster.resources import EVENTS
from layering.errors import ConflictError

REPORTER = "layerwatch"
_NOTE_LENGTH_MAX = 1024  # the API refuses a longer one
_REASON_LENGTH_MAX = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Regarding:
    """What an event is about. `namespace` is empty for an object of the cluster; its events lie in `default`."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""

    @property
    def events_namespace(self) -> str:
        """Where its events lie."""
        return self.namespace or "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterEvent:
    """One event. Of two with the same `name` there is only one: so the name says what happened, not when."""

    name: str
    regarding: Regarding
    reason: str
    action: str
    note: str
    is_warning: bool
    when: datetime


def post(api: ClusterApi, event: ClusterEvent, *, instance: str) -> bool:
    """Make the event. False when it is there already. `instance` is the process. Raises what ClusterApi raises."""
    namespace = event.regarding.events_namespace
    try:
        api.create(EVENTS, _body(event, namespace, instance), namespace=namespace)
    except ConflictError:
        return False
    return True


def count_again(api: ClusterApi, event: ClusterEvent, times: int) -> None:
    """Say of an event that is there that it happened for the nth time now. Raises what ClusterApi raises."""
    series = {"count": max(times, 2), "lastObservedTime": micro_time(event.when)}
    api.patch(EVENTS, event.name, {"series": series}, namespace=event.regarding.events_namespace)


def _body(event: ClusterEvent, namespace: str, instance: str) -> dict[str, Any]:
    about = event.regarding
    regarding = {"apiVersion": about.api_version, "kind": about.kind, "name": about.name}
    if about.namespace:
        regarding["namespace"] = about.namespace
    if about.uid:
        regarding["uid"] = about.uid
    return {
        "apiVersion": f"{EVENTS.group}/{EVENTS.version}",
        "kind": "Event",
        "metadata": {"name": event.name, "namespace": namespace},
        "regarding": regarding,
        "type": "Warning" if event.is_warning else "Normal",
        "reason": event.reason[:_REASON_LENGTH_MAX],
        "action": event.action,
        "note": _shortened(event.note),
        "eventTime": micro_time(event.when),
        "reportingController": REPORTER,
        "reportingInstance": instance[-128:],
    }


def _shortened(note: str) -> str:
    data = note.encode()
    if len(data) <= _NOTE_LENGTH_MAX:
        return note
    return data[: _NOTE_LENGTH_MAX - 3].decode(errors="ignore") + "…"
