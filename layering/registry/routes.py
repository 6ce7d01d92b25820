"""Reading through mirrors: each place in its turn, until one has what was asked for.

A place that fails is remembered for a minute and asked last meanwhile, so that a dead mirror costs its time once. One
error tells of every place that was asked. What is asked of a place, and how, is the client's; writes never come here.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from layering.errors import ContentError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.reference import ImageReference, Repository
from layering.registry.deadline import Deadline
from layering.registry.mirrorrule import MirrorRule, Place, addresses, standing

_AVOIDED_SECONDS = 60.0
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One place that was asked for a reference for which there are mirrors; `error` is None where it answered."""

    reference: ImageReference
    place: ImageReference
    is_source: bool
    error: LayerwatchError | None


class Routes:
    """The rules, and what was learnt of the places. Thread-safe: it holds nothing but hints."""

    def __init__(
        self,
        rules: Sequence[MirrorRule],
        on_asked: Callable[[Asked], None] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._on_asked = on_asked
        self._clock = clock
        self._avoided: dict[str, float] = {}
        self._answered: dict[Repository, Repository] = {}
        self._written: set[Repository] = set()

    def read(
        self,
        reference: ImageReference,
        attempt: Callable[[Place, Deadline], _T],
        deadline: Deadline,
        *,
        content: bool = False,
    ) -> _T:
        """What `attempt` gives at the first place that has it. Each place gets an equal share of the time.

        `content` as in `addresses`. Without a rule it is `attempt` at the source, with its errors as they are.
        """
        places = self.places(reference, content=content)
        if len(places) == 1 and places[0].is_source:
            return attempt(places[0], deadline)
        failures: list[tuple[Place, LayerwatchError]] = []
        for number, place in enumerate(places):
            try:
                result = attempt(place, deadline.share(len(places) - number))
            except (RefusedError, UnavailableError, ContentError) as error:
                failures.append((place, error))
                self._failed(reference, place, error)
            else:
                self._answered[reference.repository] = place.reference.repository
                self._tell(reference, place, None)
                return result
        raise nowhere(reference, failures)

    def places(self, reference: ImageReference, *, content: bool = False) -> tuple[Place, ...]:
        """The places to ask, in order. Raises RefusedError when the rules leave none."""
        if not self._rules or reference.repository in self._written:
            return (Place(reference=reference, insecure=self.writable(reference.repository), is_source=True),)
        places = addresses(reference, self._rules, content=content)
        if not places:
            raise _blocked(reference)
        known = self._answered.get(reference.repository) if content else None
        now = self._clock()
        return tuple(
            sorted(
                places,
                key=lambda place: (
                    self._avoided.get(place.reference.repository.domain, now) > now,
                    known is not None and place.reference.repository != known,
                ),
            )
        )

    def writable(self, repository: Repository) -> bool:
        """Whether the place to write to is called insecure. Raises RefusedError when the rules block it."""
        blocked, insecure = standing(repository.tagged("latest"), self._rules)
        if blocked:
            raise _blocked(repository)
        return insecure

    def written(self, repository: Repository) -> None:
        """What was written is read back where it was written, not at a mirror that may not have it yet."""
        self._written.add(repository)

    def distrust(self, place: Place) -> None:
        """Ask a place last for a while."""
        self._avoided[place.reference.repository.domain] = self._clock() + _AVOIDED_SECONDS

    def _failed(self, reference: ImageReference, place: Place, error: LayerwatchError) -> None:
        if isinstance(error, UnavailableError | ContentError):
            self.distrust(place)
        self._tell(reference, place, error)

    def _tell(self, reference: ImageReference, place: Place, error: LayerwatchError | None) -> None:
        if self._on_asked is not None:
            self._on_asked(Asked(reference=reference, place=place.reference, is_source=place.is_source, error=error))


def nowhere(reference: ImageReference, failures: Sequence[tuple[Place, LayerwatchError]]) -> LayerwatchError:
    """One error for all places: that it is not there only if each says so, false content before anything else."""
    for kind in (ContentError, UnavailableError):
        if telling := [error for _, error in failures if isinstance(error, kind)]:
            return _told(kind, reference, failures, telling[-1])
    if all(isinstance(error, NotFoundError) for _, error in failures):
        return _told(NotFoundError, reference, failures, failures[-1][1])
    refused = [error for _, error in failures if not isinstance(error, NotFoundError)]
    return _told(RefusedError, reference, failures, refused[-1])


def _told(
    kind: type[LayerwatchError],
    reference: ImageReference,
    failures: Sequence[tuple[Place, LayerwatchError]],
    telling: LayerwatchError,
) -> LayerwatchError:
    said = (
        f"{'' if place.is_source else 'mirror '}{place.reference.repository}: {error.what}" for place, error in failures
    )
    what = f"no place has it that was asked: {'; '.join(said)}"
    return kind(what, where=str(reference), next_step=telling.next_step, reason=telling.reason)


def _blocked(name: ImageReference | Repository) -> RefusedError:
    return RefusedError(
        "it is blocked, and no mirror may be asked instead",
        where=str(name),
        next_step="see `blocked` in registries.conf, or NeverContactSource in the cluster's mirror sets",
    )
