"""How registries are reached for one image: what the configuration says, and what it leaves to a cluster.

One client for each distinct way, kept for as long as the process lives, so that connections and tokens are used again.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from layering.cluster.api import ClusterApi
from layering.cluster.registries import read_cas, read_mirrors, read_proxy, read_pull_secret
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.registry.transport import Request
from watcher.known import Known
from watcher.settings import Settings
from watcher.settings_fields import FROM_CLUSTER
from watcher.settings_image import ImageSettings
from watcher.world import CouldNotTell, Failure

_REST_SECONDS = 30.0  # a host that does not answer: all its images would wait for it as long as the first one


def registries_of(api: ClusterApi, settings: Settings) -> RegistrySettings:
    """The configuration's settings, with what it leaves to this cluster. Raises what the cluster answers with."""
    access, found = settings.registry_access, settings.registries
    if access.auth_file == FROM_CLUSTER:
        found = replace(found, auth_document=read_pull_secret(api))
    if access.ca_file == FROM_CLUSTER:
        found = replace(found, ca_pem=read_cas(api))
    if access.mirrors == FROM_CLUSTER:
        found = replace(found, mirrors=read_mirrors(api))
    if access.proxy == FROM_CLUSTER:
        found = replace(found, proxy=read_proxy(api))
    return found


class ImageRegistries:
    """How the registries of an image are reached now, and a client for each distinct way. Safe to use from threads."""

    def __init__(
        self,
        settings: Settings,
        known: Callable[[str], Known],
        on_request: Callable[[Request], None] | None = None,
    ) -> None:
        self._settings = settings
        self._known = known
        self._on_request = on_request
        self._clients: list[tuple[RegistrySettings, RegistryClient]] = []
        self._open = ExitStack()
        self._guard = threading.Lock()

    def settings(self, image: ImageSettings) -> RegistrySettings:
        """The configuration's, completed by the cluster where it says so. Raises CouldNotTell."""
        cluster = self._settings.registry_cluster(image)
        if not self._settings.registry_access.asks_cluster or cluster is None:
            return self._settings.registries
        known = self._known(cluster)
        found = known.registries or known.failure
        if isinstance(found, Failure):
            raise CouldNotTell(found)
        return found or self._settings.registries  # a cluster that is a file says nothing of its own

    def client(self, image: ImageSettings) -> RegistryClient:
        """The client of these settings. Replaced ones stay open: others may still be reading through them."""
        wanted = self.settings(image)
        with self._guard:
            for settings, client in self._clients:
                if settings == wanted:
                    return client
            client = self._open.enter_context(
                RegistryClient(wanted, on_request=self._on_request, rest_seconds=_REST_SECONDS)
            )
            self._clients.append((wanted, client))
            return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()
