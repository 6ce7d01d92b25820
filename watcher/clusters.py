"""What is known of every cluster, and since when: the last answer, and the last good one.

Each cluster is asked by itself, so that one that hangs delays no other; asking is bounded by its API's time limit. A
failure never wipes out what was known: it stands beside it, with its age. This module decides nothing.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

from layering.cluster.access import ClusterAccess
from layering.cluster.api import ClusterApi
from layering.cluster.clusterversion import read_file
from layering.cluster.state import ClusterState, Memory, read_state
from layering.errors import InputError, LayerwatchError, UnavailableError
from layering.registry.settings import RegistrySettings
from watcher.known import Known
from watcher.registries import registries_of
from watcher.settings import Settings
from watcher.settings_cluster import Cluster, FileAccess
from watcher.world import Failure


class Clusters:
    """The clusters of one configuration. Safe to use from threads; a context manager."""

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], datetime],
        on_request: Callable[[str, int | str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._now = now
        self._open = ExitStack()
        self._apis: dict[str, ClusterApi] = {}
        self._known = {cluster.name: Known() for cluster in settings.clusters}
        self._memories: Mapping[str, Memory] = {cluster.name: Memory() for cluster in settings.clusters}
        self._guard = threading.Lock()
        for cluster in settings.clusters:
            if cluster.api is not None:
                self._apis[cluster.name] = self._open.enter_context(self._api(cluster.name, cluster.api, on_request))

    def inherit(self, before: "Clusters") -> None:
        """What another configuration knew last of clusters of the same name and access is the last known here, too."""
        access = {cluster.name: cluster.access for cluster in before._settings.clusters}
        for cluster in self._settings.clusters:
            if access.get(cluster.name) == cluster.access:
                known = before.known(cluster.name)
                self._known[cluster.name] = Known(last_good=known.last_good, last_good_at=known.last_good_at)

    def _api(self, name: str, access: ClusterAccess, on_request: Callable[[str, int | str], None] | None) -> ClusterApi:
        counted = (lambda code: on_request(name, code)) if on_request else None
        timeout = self._settings.daemon.api_timeout
        return ClusterApi(access, name=name, timeout_seconds=timeout, on_request=counted)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in the configuration's order."""
        return tuple(self._known)

    @property
    def apis(self) -> Mapping[str, ClusterApi]:
        """Those that have an API."""
        return self._apis

    def api(self, name: str) -> ClusterApi:
        """The API of one cluster. Raises InputError for one that has none."""
        if name not in self._apis:
            raise InputError(f"{name} is no cluster with an API", where="clusters", next_step="give it a kubeconfig")
        return self._apis[name]

    def known(self, name: str) -> Known:
        """What was last learnt of one cluster; it may be old, or nothing."""
        return self._known[name]

    def refresh(self, name: str) -> None:
        """Ask one cluster, and remember what it says. Never raises for what a cluster can cause."""
        cluster = next(cluster for cluster in self._settings.clusters if cluster.name == name)
        answer = self._asked(cluster)
        with self._guard:
            before = self._known[name]
            good = answer.failure is None and isinstance(answer.state, ClusterState)
            self._known[name] = replace(
                answer,
                last_good=answer.state if good else before.last_good,  # type: ignore[arg-type] # good: a state
                last_good_at=answer.looked_at if good else before.last_good_at,
            )

    def refresh_all(self, names: Iterable[str] | None = None) -> None:
        """Ask all of them at once, or those named, and wait for the slowest, which its time limit bounds."""
        wanted = self.names if names is None else tuple(names)
        if wanted:
            with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
                wait([pool.submit(self.refresh, name) for name in wanted])

    def _asked(self, cluster: Cluster) -> Known:
        try:
            state = self._state(cluster)
        except LayerwatchError as error:
            return Known(state=Failure.of(error), looked_at=self._now())
        return Known(state=state, looked_at=self._now(), registries=self._registries(cluster, state))

    def _state(self, cluster: Cluster) -> ClusterState:
        if isinstance(cluster.access, FileAccess):
            return ClusterState(release=read_file(cluster.access.file), streams=None, pools=None)
        return read_state(self._apis[cluster.name], self._memories[cluster.name])

    def _registries(self, cluster: Cluster, state: ClusterState) -> RegistrySettings | Failure | None:
        """How this cluster reaches registries, when the configuration asks; not asked of a cluster that fails."""
        if not self._settings.registry_access.asks_cluster or cluster.name not in self._apis:
            return None
        if isinstance(state.release, UnavailableError):
            return Failure.of(state.release)
        try:
            return registries_of(self._apis[cluster.name].within(), self._settings)
        except LayerwatchError as error:
            return Failure.of(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()
