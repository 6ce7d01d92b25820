"""What one tick saw: values only, no I/O.

An observation of one image for one pool is either complete or a `Failure` that says what could not be told; there is no
third thing, so nothing can mistake "could not tell" for "nothing new".
"""

from dataclasses import dataclass
from datetime import datetime

from layering.base import Base
from layering.buildkey import BuildKey
from layering.errors import LayerwatchError, UnavailableError
from layering.forge.forge import ProposalState
from layering.reasons import Reason
from layering.reference import Digest, ImageReference


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
        located = f"{error.where}: {error.what}" if error.where else error.what
        return cls(
            reason=error.reason,
            message=located,
            next_step=error.next_step,
            temporary=isinstance(error, UnavailableError),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """The image that should exist: its base, its source, and the tag under which it is built.

    `update_completed` is False while the cluster is still on its way to the release the base comes from.
    """

    base: Base
    version: str
    update_completed: bool
    commit: str
    key: BuildKey
    target: ImageReference


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """The image git pins on the base branch, and what its annotations say it was built from."""

    image: ImageReference
    key: str | None = None
    base_name: str | None = None
    base_digest: Digest | None = None
    version: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedBuild:
    """A build of the wanted key that this process tried in vain; it is not tried again before `retry_at`."""

    failure: Failure
    attempts: int
    retry_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """Everything `decide` may look at."""

    subject: Subject
    wanted: Wanted
    built: ImageReference | None
    running: Running | None = None
    proposal: ProposalState | None = None
    failed_build: FailedBuild | None = None
