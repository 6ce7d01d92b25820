"""Which release does a cluster run: the ClusterVersion object, as `oc get clusterversion version -o yaml` prints it.

openshift/api config/v1/types_cluster_version.go. What identifies a release is its payload, not its version: a cluster
may move to the multi-architecture payload of the same version. `Available` says nothing about completion and is not
read. This module parses; it asks no cluster.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from layering.cluster.objects import mapping, mappings, moment, text
from layering.errors import InputError, UnavailableError
from layering.reasons import Reason
from layering.reference import ImageReference

_BYTES_MAX = 16 * 1024 * 1024
_VERSION = re.compile(r"[0-9A-Za-z.+_-]{0,128}")  # the field may be empty
# What PyYAML's constructors raise for a scalar under a tag it does not fit: `!!bool x`, `!!int ""`, `!!timestamp x`.
_NOT_AS_TAGGED = (ValueError, LookupError, AttributeError, OverflowError)
_HINT = "write it with: oc get clusterversion version -o yaml > FILE"


class UpdateState(StrEnum):
    """`history[0].state`: Partial while the cluster is on its way."""

    COMPLETED = "Completed"
    PARTIAL = "Partial"


@dataclass(frozen=True, kw_only=True, slots=True)
class AvailableUpdate:
    """A release that the cluster is offered."""

    version: str
    payload: ImageReference


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """One update. Times are None when they are not told; `completed` is also when another update took its place."""

    state: UpdateState
    version: str
    payload: ImageReference
    started: datetime | None
    completed: datetime | None

    @property
    def is_superseded(self) -> bool:
        """Whether another update began before this one was done."""
        return self.state is UpdateState.PARTIAL and self.completed is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterRelease:
    """The release a cluster runs, or is on its way to (`state`).

    `available_updates` is None when it is not known: nobody could be asked, or the answer was not taken. `history` has
    the newest first. Older entries, and offers, that make no sense are left out: the cluster runs what it runs.
    """

    version: str
    payload: ImageReference
    state: UpdateState
    available_updates: tuple[AvailableUpdate, ...] | None = None
    history: tuple[HistoryEntry, ...] = ()


def read_file(path: Path) -> ClusterRelease:
    """Read a ClusterVersion from a file. Raises UnavailableError when it is not there, InputError when it is none."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnavailableError(
            f"the ClusterVersion cannot be read: {error.strerror}",
            where=str(path),
            next_step=_HINT,
            reason=Reason.UNREACHABLE,
        ) from None
    if len(raw) > _BYTES_MAX:
        raise InputError(f"larger than {_BYTES_MAX} bytes", where=str(path), next_step=_HINT)
    try:
        document = yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 a safe loader
    except (yaml.YAMLError, RecursionError, *_NOT_AS_TAGGED) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError("not YAML", where=f"{path}{line}", next_step=_HINT) from None
    return parse_clusterversion(document, str(path))


def parse_clusterversion(document: Any, where: str) -> ClusterRelease:
    """Read a ClusterVersion, alone or in a `kind: List`.

    Raises InputError when it is none or has no history, UnavailableError (StatusNotObserved) when its status is about
    an older spec.
    """
    version = _one(document, where)
    status = version.get("status")
    history = status.get("history") if isinstance(status, dict) else None
    if not isinstance(status, dict) or not isinstance(history, list) or not history:
        raise InputError("the ClusterVersion has no status.history", where=where, next_step=_HINT)
    _check_observed(version, status, where)
    newest = _entry(mapping(history[0]), 0, where)
    return ClusterRelease(
        version=newest.version or _version(status.get("desired"), "status.desired.version", where),
        payload=newest.payload,
        state=newest.state,
        available_updates=_updates(status, where),
        history=(newest, *_older(history, where)),
    )


def _entry(entry: Mapping[str, Any], number: int, where: str) -> HistoryEntry:
    path = f"status.history[{number}]"
    return HistoryEntry(
        state=_state(entry.get("state"), f"{path}.state", where),
        version=_version(entry, f"{path}.version", where),
        payload=_payload(entry.get("image"), f"{path}.image", where),
        started=moment(entry.get("startedTime")),
        completed=moment(entry.get("completionTime")),
    )


def _older(history: Sequence[Any], where: str) -> Iterator[HistoryEntry]:
    """The entries after the newest. One that makes no sense says nothing about what the cluster runs now."""
    for number, entry in enumerate(history[1:], start=1):
        with contextlib.suppress(InputError):
            yield _entry(mapping(entry), number, where)


def _one(document: Any, where: str) -> Mapping[str, Any]:
    """The one ClusterVersion in `document`."""
    items = document.get("items") if isinstance(document, dict) and "items" in document else [document]
    found: list[Mapping[str, Any]] = (
        [item for item in items if _is_clusterversion(item)] if isinstance(items, list) else []
    )
    if len(found) != 1:
        raise InputError(
            "not a ClusterVersion of config.openshift.io/v1" if not found else "several ClusterVersions",
            where=where,
            next_step=_HINT,
        )
    return found[0]


def _is_clusterversion(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("kind") != "ClusterVersion":
        return False
    group = item.get("apiVersion")
    return isinstance(group, str) and group.startswith("config.openshift.io/")


def _check_observed(version: Mapping[str, Any], status: Mapping[str, Any], where: str) -> None:
    metadata = version.get("metadata")
    generation = metadata.get("generation") if isinstance(metadata, dict) else None
    observed = status.get("observedGeneration")
    if isinstance(generation, int) and isinstance(observed, int) and observed < generation:
        raise UnavailableError(
            f"its status is about generation {observed}, and the object is at {generation}",
            where=where,
            next_step="look again in a minute; the cluster-version-operator has not caught up",
            reason=Reason.STATUS_NOT_OBSERVED,
        )


def _updates(status: Mapping[str, Any], where: str) -> tuple[AvailableUpdate, ...] | None:
    """The list, as far as it is an answer: RetrievedUpdates=False leaves an old one standing.

    The operator writes null both when there are none and when nobody could be asked; the condition tells which.
    """
    conditions = {text(entry.get("type")): entry.get("status") for entry in mappings(status.get("conditions"))}
    retrieved, value = conditions.get("RetrievedUpdates"), status.get("availableUpdates")
    if retrieved == "False" or not isinstance(value, list):
        return () if retrieved == "True" and value is None else None
    return tuple(_offers(value, where))


def _offers(entries: Sequence[Any], where: str) -> Iterator[AvailableUpdate]:
    for number, entry in enumerate(entries):
        path = f"status.availableUpdates[{number}]"
        with contextlib.suppress(InputError):
            version = _version(entry, f"{path}.version", where)
            yield AvailableUpdate(
                version=version, payload=_payload(mapping(entry).get("image"), f"{path}.image", where)
            )


def _state(value: Any, path: str, where: str) -> UpdateState:
    for state in UpdateState:
        if isinstance(value, str) and value == state:
            return state
    raise InputError(f"{path} is neither Completed nor Partial", where=where, next_step=_HINT)


def _version(release: Any, path: str, where: str) -> str:
    """The version of a release, or an empty text. It is never made from another type: an unquoted 4.20 is 4.2."""
    value = release.get("version") if isinstance(release, dict) else None
    if value is None:
        return ""
    if not isinstance(value, str) or not _VERSION.fullmatch(value):
        raise InputError(f"{path} is not a version", where=where, next_step=_HINT)
    return value


def _payload(text: Any, path: str, where: str) -> ImageReference:
    if not isinstance(text, str):
        raise InputError(f"{path} is missing", where=where, next_step=_HINT)
    try:
        return ImageReference.parse(text)
    except InputError as error:
        raise InputError(f"{path}: {error.what}", where=where, next_step=_HINT) from None
