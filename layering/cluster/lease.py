"""The Lease by which several watchers agree on one: read it, create it, replace it (coordination.k8s.io/v1).

A replace carries the resourceVersion that was read, so that of two writers one gets a ConflictError. Who may take the
Lease, and when it is lost, is not decided here (watcher/election.py), and nothing here deletes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from layering.cluster.api import ClusterApi
from layering.cluster.resources import LEASES
from layering.errors import NotFoundError
from layering.reasons import Reason

_DEFAULT_DURATION_SECONDS = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseRecord:
    """What a Lease says. An empty `holder` is nobody: it was given back, or never taken.

    `metadata` is the object's own, and goes back with a replace as it came: labels survive, resourceVersion decides.
    Two records are equal when they say the same, whoever else touched the object.
    """

    holder: str
    duration_seconds: int
    acquired: datetime | None
    renewed: datetime | None
    transitions: int
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)


class LeaseLock:
    """One Lease of one cluster. The calls raise what ClusterApi raises."""

    def __init__(self, api: ClusterApi, *, namespace: str, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name

    def __str__(self) -> str:
        return f"{self._api.name}: Lease/{self._name} in {self._namespace}"

    def read(self) -> LeaseRecord | None:
        """What it says now; None when there is none. Nonsense in it counts as not said."""
        try:
            body = self._api.get(LEASES, self._name, namespace=self._namespace)
        except NotFoundError as error:
            if error.reason is Reason.API_MISSING:
                raise
            return None
        return _record(body)

    def create(self, record: LeaseRecord) -> None:
        """Raises ConflictError when somebody was faster."""
        metadata = {"name": self._name, "namespace": self._namespace}
        self._api.create(LEASES, _body(record, metadata), namespace=self._namespace)

    def replace(self, record: LeaseRecord) -> None:
        """Write over the Lease that `record.metadata` came from. Raises ConflictError when it changed since."""
        self._api.replace(LEASES, _body(record, record.metadata), namespace=self._namespace)


def _record(body: Mapping[str, Any]) -> LeaseRecord:
    spec = body.get("spec") or {}
    return LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        duration_seconds=spec.get("leaseDurationSeconds") or _DEFAULT_DURATION_SECONDS,
        acquired=_moment(spec.get("acquireTime")),
        renewed=_moment(spec.get("renewTime")),
        transitions=spec.get("leaseTransitions") or 0,
        metadata=body["metadata"],
    )


def _body(record: LeaseRecord, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"{LEASES.group}/{LEASES.version}",
        "kind": "Lease",
        "metadata": {key: value for key, value in metadata.items() if key != "managedFields"},
        "spec": {
            "holderIdentity": record.holder,
            "leaseDurationSeconds": record.duration_seconds,
            "acquireTime": record.acquired and micro_time(record.acquired),
            "renewTime": record.renewed and micro_time(record.renewed),
            "leaseTransitions": record.transitions,
        },
    }


def micro_time(moment: datetime) -> str:
    """Kubernetes' MicroTime, always with six digits: the API refuses a time without its fraction (400).

    isoformat() leaves the fraction out when it is zero, once in a million.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
