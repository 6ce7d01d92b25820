"""How releases are verified for one image: the configuration's keys, in stores that may be the image's own cluster.

One verifier for each distinct way, kept for as long as the configuration is in force: what it verified once is known.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from layering.cluster.api import ClusterApi
from layering.cluster.signatures import ClusterStore
from layering.reference import ImageReference
from layering.registry.deadline import Deadline
from layering.registry.settings import RegistrySettings
from layering.releasesignatures.stores import Store, Stores, default_places
from layering.releasesignatures.verification import ReleaseVerifier
from watcher.settings import Settings
from watcher.settings_fields import FROM_CLUSTER
from watcher.settings_image import ImageSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class _Way:
    """How signatures are reached, and which cluster's own count."""

    registries: RegistrySettings
    cluster: str | None


class ReleaseVerifiers:
    """A verifier for each distinct way. Safe to use from threads; a context manager.

    Raises InputError for a file of keys that is none. `say` hears of releases that are used although they are not
    verified.
    """

    def __init__(
        self,
        settings: Settings,
        registries: Callable[[ImageSettings], RegistrySettings],
        apis: Mapping[str, ClusterApi],
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._rules = settings.registry_access.release_signatures.rules()
        self._registries = registries
        self._apis = apis
        self._say = say
        self._known: list[tuple[_Way, ReleaseVerifier]] = []
        self._open = ExitStack()
        self._guard = threading.Lock()

    def __call__(self, image: ImageSettings) -> ReleaseVerifier:
        """The one for an image. Raises CouldNotTell when its cluster does not say how registries are reached."""
        way = _Way(registries=self._registries(image), cluster=self._store_of(image))
        with self._guard:
            for known, verifier in self._known:
                if known == way:
                    return verifier
            stores = self._open.enter_context(Stores(way.registries))
            verifier = ReleaseVerifier(
                self._rules,
                lambda release: self._stores(release, stores, way),
                self._say,
                deadline=lambda: Deadline.after(way.registries.timeout_seconds),
            )
            self._known.append((way, verifier))
            return verifier

    def _store_of(self, image: ImageSettings) -> str | None:
        """The cluster whose signatures count; None when none's do, so that all clusters share what was verified."""
        asks_cluster = FROM_CLUSTER in self._settings.registry_access.release_signatures.stores
        return self._settings.registry_cluster(image) if asks_cluster else None

    def _stores(self, release: ImageReference, opened: Stores, way: _Way) -> Sequence[Store]:
        """A cluster that is a file holds no signatures."""
        places = self._settings.registry_access.release_signatures.stores or default_places(release)
        api = self._apis.get(way.cluster or "")
        held = [ClusterStore(api)] if api is not None else []
        return [store for place in places for store in (held if place == FROM_CLUSTER else [opened.open(place)])]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()
