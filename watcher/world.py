"""What one tick saw: values only, no I/O.

An observation of one image for one pool is either complete or a `Failure` that says what could not be told; there is no
third thing, so nothing can mistake "could not tell" for "nothing new".
"""

from dataclasses import dataclass

from layering.base import Base
from layering.buildkey import BuildKey
from layering.cluster.state import Pool
from layering.errors import LayerwatchError, UnavailableError
from layering.forge.forge import ProposalState
from layering.platform import Platform
from layering.reasons import Reason
from layering.reference import Digest, ImageReference
from watcher.engines.engine import Build


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One image for one pool; an image without proposals has neither cluster nor pool."""

    image: str
    cluster: str | None = None
    pool: str | None = None

    def __str__(self) -> str:
        return f"{self.image} ({self.cluster}/{self.pool})" if self.pool else self.image


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What could not be told or done, and whose turn it is. `temporary`: the next tick may well succeed."""

    reason: Reason
    message: str
    next_step: str
    temporary: bool

    @classmethod
    def of(cls, error: LayerwatchError) -> "Failure":
        """The same facts as the error's."""
        if isinstance(error, CouldNotTell):
            return error.failure
        located = f"{error.where}: {error.what}" if error.where else error.what
        return cls(
            reason=error.reason,
            message=located,
            next_step=error.next_step,
            temporary=isinstance(error, UnavailableError),
        )


class CouldNotTell(LayerwatchError):  # noqa: N818 it tells a failure that is somebody else's
    """A failure that was met earlier, such as a cluster's, stands in the way of what is asked now."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, next_step=failure.next_step, reason=failure.reason)
        self.failure = failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The image that should exist: its base, its source, and the tag under which it is built.

    `update_completed` is False while the cluster is still on its way to the release the base comes from.
    `disagreement` says how the cluster's OS image streams contradict the payload, or nothing.
    """

    base: Base
    version: str
    update_completed: bool
    commit: str
    key: BuildKey
    target: ImageReference
    disagreement: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """An image that git pins on the base branch, or nodes run, and what its annotations say it was built from."""

    image: ImageReference
    key: str | None = None
    base_name: str | None = None
    base_digest: Digest | None = None
    version: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """Everything `decide` may look at. `pool` is None when nothing is known of it: its cluster is a file, or nobody's.

    `also` are other pools of that cluster whose image the same MachineConfig decides: merging reboots them, too.
    `applied` is what the pool's nodes run. `build` is the newest attempt at the wanted key; None when there is none, or
    the image is there.
    """

    subject: Subject
    wanted: Wanted
    platforms: tuple[Platform, ...]
    built: ImageReference | None
    running: Running | None = None
    proposal: ProposalState | None = None
    pool: Pool | None = None
    also: tuple[Pool, ...] = ()
    applied: Running | None = None
    build: Build | None = None
