"""Which mirrors were asked in a step, and which failed: said once each to people, kept for the step's outputs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from layering.reference import ImageReference, Repository
from layering.registry.client import Asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """A place that did not give what it was asked for, and why."""

    source: Repository
    error: str


class MirrorNotes:
    """Hears of every place that a RegistryClient asks (`on_asked`). Thread-safe."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._guard = threading.Lock()
        self._failed: dict[Repository, dict[Tried, None]] = {}
        self._answered: dict[Repository, Repository] = {}

    def __call__(self, asked: Asked) -> None:
        """Note one; a failure that was said already is not said again."""
        name, place = asked.reference.repository, asked.place.repository
        with self._guard:
            if asked.error is None:
                self._answered[name] = place
                return
            failures = self._failed.setdefault(name, {})
            tried = Tried(source=place, error=asked.error.what)
            if tried in failures:
                return
            failures[tried] = None
        self._say(f"{'' if asked.is_source else 'mirror '}{place} for {name}: {tried.error}")

    def tried(self, name: Repository) -> tuple[Tried, ...]:
        """The places that failed for a repository, in their order."""
        return tuple(self._failed.get(name, ()))

    def pulled_from(self, reference: ImageReference) -> ImageReference:
        """The reference at the place that answered last for its repository: itself, unless a mirror did."""
        place = self._answered.get(reference.repository, reference.repository)
        return ImageReference(place, digest=reference.digest, tag=reference.tag)
