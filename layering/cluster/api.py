"""A cluster's API: get, list, create, replace, patch and watch objects, and read a pod's log. There is no delete.

Objects are plain dictionaries, as the API server gives them; what they mean is told by the modules beside this one.
Every call is bounded as a whole by the time limit; errors are ours and name the cluster in `where`.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from layering.cluster.access import ClusterAccess
from layering.cluster.connection import Connector, check_extra
from layering.cluster.exchange import Exchange, Limit, Request
from layering.cluster.failures import ExpiredError, not_kubernetes
from layering.cluster.resources import Resource
from layering.cluster.watchstream import OpenWatches, WatchEvent, events
from layering.errors import NotFoundError
from layering.reasons import Reason

__all__ = ["ClusterApi", "ExpiredError", "Listed", "WatchEvent"]

_METADATA = "application/json;as={kind};v=v1;g=meta.k8s.io,application/json"  # API concepts, "metadata-only fetches"
_LIST_OF_METADATA = _METADATA.format(kind="PartialObjectMetadataList")
_EVENT_OF_METADATA = _METADATA.format(kind="PartialObjectMetadata")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """Objects, and the state of the cluster they were read from: a watch goes on from `resource_version`."""

    items: tuple[dict[str, Any], ...]
    resource_version: str


class ClusterApi:
    """The API of one cluster. Safe to use from threads; a context manager.

    Every method raises InputError for an unusable kubeconfig and what the API server does not accept, RefusedError
    (Unauthorized, Forbidden), NotFoundError (ApiMissing, NotFound), ConflictError, UnavailableError (Unreachable,
    TimedOut, Throttled), ContentError when what answers is no Kubernetes API.
    """

    def __init__(
        self,
        access: ClusterAccess,
        *,
        name: str,
        timeout_seconds: float = 10.0,
        on_request: Callable[[int | str], None] | None = None,
    ) -> None:
        """`name` is what errors call the cluster. `on_request` hears each status, or "timeout", or "unreachable".

        Raises InputError when the extra `cluster` is not installed. Nothing is read or asked yet.
        """
        check_extra()
        self.name = name
        self._timeout_seconds = timeout_seconds
        self._connector = Connector(access, name)
        self._exchange = Exchange(self._connector, on_request)
        self._watches = OpenWatches()
        self._limit: Limit | None = None

    def within(self, seconds: float | None = None) -> Self:
        """The same cluster, all of whose calls together must end `seconds` from now: the time limit of one, if None."""
        bounded = copy.copy(self)
        bounded._limit = Limit(self._timeout_seconds if seconds is None else seconds)
        return bounded

    def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """One object."""
        return self._object(
            "GET", resource.path(namespace=namespace, name=name), self._where(resource, name, namespace)
        )

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        metadata_only: bool = False,
    ) -> Listed:
        """All of them. With `metadata_only` each has its metadata alone: names, labels, annotations."""
        where = self._where(resource, "", namespace)
        answer = self._object(
            "GET",
            resource.path(namespace=namespace),
            where,
            query={"labelSelector": label_selector} if label_selector else {},
            accept=_LIST_OF_METADATA if metadata_only else "application/json",
        )
        items = answer.get("items")
        found = tuple(item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
        return Listed(items=found, resource_version=str(_metadata(answer).get("resourceVersion") or ""))

    def create(self, resource: Resource, body: Mapping[str, Any], *, namespace: str | None = None) -> dict[str, Any]:
        """Make it. Raises ConflictError when it is there already, InputError for a field that its kind has not.

        The server would drop such a field without a word (fieldValidation, Kubernetes API conventions).
        """
        where = self._where(resource, str(_metadata(body).get("name", "")), namespace)
        path, query = resource.path(namespace=namespace), {"fieldValidation": "Strict"}
        return self._object("POST", path, where, query=query, body=body)

    def replace(self, resource: Resource, body: Mapping[str, Any], *, namespace: str | None = None) -> dict[str, Any]:
        """Write over it. Raises ConflictError when it changed since its resourceVersion was read."""
        name = str(_metadata(body).get("name", ""))
        path, where = resource.path(namespace=namespace, name=name), self._where(resource, name, namespace)
        return self._object("PUT", path, where, body=body)

    def patch(
        self, resource: Resource, name: str, body: Mapping[str, Any], *, namespace: str | None = None
    ) -> dict[str, Any]:
        """Change it by a JSON merge patch (RFC 7396): null takes a key away, a list replaces a list."""
        path, where = resource.path(namespace=namespace, name=name), self._where(resource, name, namespace)
        return self._object("PATCH", path, where, body=body, content_type="application/merge-patch+json")

    def pod_log(self, namespace: str, pod: str, container: str, *, tail_lines: int, limit_bytes: int) -> str:
        """The end of one container's log; bytes that are no text are replaced."""
        request = Request(
            method="GET",
            path=f"/api/v1/namespaces/{namespace}/pods/{pod}/log",
            query={"container": container, "tailLines": str(tail_lines), "limitBytes": str(limit_bytes)},
            accept="*/*",
            where=f"{self.name}: the log of {container} in Pod/{pod} in {namespace}",
        )
        return self._exchange.whole(request, self._seconds(request.where)).decode(errors="replace")

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        resource_version: str,
        timeout_seconds: float,
        metadata_only: bool = False,
    ) -> Iterator[WatchEvent]:
        """What changes after `resource_version`, as it happens, BOOKMARKs included; ends after `timeout_seconds`.

        Ends at once when the API is closed. Raises ExpiredError (410) when `resource_version` is forgotten, and
        UnavailableError when the connection breaks or a server stays silent beyond the time.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(max(1, round(timeout_seconds))),
        }
        if label_selector:
            query["labelSelector"] = label_selector
        where = self._where(resource, "", namespace)
        request = Request(
            method="GET",
            path=resource.path(namespace=namespace),
            query=query,
            where=where,
            accept=_EVENT_OF_METADATA if metadata_only else "application/json",
        )
        response = self._exchange.opened(request, Limit(self._timeout_seconds))
        yield from events(response, self._watches, Limit(timeout_seconds + self._timeout_seconds), where)

    def served_version(self, group: str, plural: str) -> str | None:
        """The version of `group` to ask for `plural`: the preferred one if it has it. None: the API is not there."""
        where = f"{self.name}: {plural}.{group}"
        try:
            answer = self._object("GET", f"/apis/{group}", where)
        except NotFoundError:
            return None
        preferred = answer.get("preferredVersion")
        entries = [preferred, *_list(answer.get("versions"))]
        versions = dict.fromkeys(
            entry["version"] for entry in entries if isinstance(entry, dict) and "version" in entry
        )
        return next((version for version in versions if self._serves(group, str(version), plural, where)), None)

    def _serves(self, group: str, version: str, plural: str, where: str) -> bool:
        try:
            answer = self._object("GET", f"/apis/{group}/{version}", where)
        except NotFoundError as error:
            if error.reason is not Reason.API_MISSING:
                raise
            return False
        return any(isinstance(entry, dict) and entry.get("name") == plural for entry in _list(answer.get("resources")))

    def close(self) -> None:
        """End all watches, for good, and close idle connections; other calls go on working."""
        self._watches.end()
        self._connector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _object(
        self,
        method: str,
        path: str,
        where: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        request = Request(
            method=method,
            path=path,
            where=where,
            query=dict(query or {}),
            body=None if body is None else json.dumps(body).encode(),
            content_type=content_type,
            accept=accept,
        )
        raw = self._exchange.whole(request, self._seconds(where))
        try:
            answer = json.loads(raw)
        except (ValueError, RecursionError):
            raise not_kubernetes(where, "it is not JSON") from None
        if not isinstance(answer, dict):
            raise not_kubernetes(where, "it is no object")
        return answer

    def _seconds(self, where: str) -> float:
        return self._timeout_seconds if self._limit is None else min(self._timeout_seconds, self._limit.left(where))

    def _where(self, resource: Resource, name: str, namespace: str | None) -> str:
        one = f"{resource.kind}/{name}" if name else resource.plural
        return f"{self.name}: {one} in {namespace}" if namespace is not None else f"{self.name}: {one}"


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = body.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
