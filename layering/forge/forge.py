"""What a proposal is, whatever the forge: one branch, one commit, one open request per cluster and pool.

The interface that each forge implements, and its values. State names and reasons are those of the contract of
`open-pull-request`, so that a person reads the same words everywhere.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from layering.machineconfig_merge import Claim
from layering.reasons import Reason
from layering.reference import ImageReference


class State(StrEnum):
    """What became of a proposal. Observing gives `absent` or `outdated` where proposing would write."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    IGNORED = "ignored"
    HUMAN_EDITED = "human-edited"
    ABSENT = "absent"
    OUTDATED = "outdated"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalTarget:
    """Where it goes: a MachineConfig file on a branch of a repository, for one pool of one cluster.

    `name` is the MachineConfig's, when the file has several. `create` allows the file or the key to be made.
    """

    repository: str
    branch: str
    file: str
    cluster: str
    pool: str
    name: str | None = None
    create: bool = False

    @property
    def proposal_branch(self) -> str:
        """The branch of the proposal itself."""
        return f"layerwatch/{self.cluster}/{self.pool}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalState:
    """What a forge holds now. `pinned` is the osImageURL on the base branch, or None; `branch` the proposal's own.

    `reason` is None when there is nothing to tell: nothing was proposed yet, or a newer key is due. `config` is the
    MachineConfig that pins it, None while there is no file.
    """

    state: State
    reason: Reason | None
    pinned: str | None
    branch: str
    commit: str | None = None
    key: str | None = None
    pull_request: str | None = None
    config: Claim | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Author:
    """Who our commits are by."""

    name: str = "layerwatch"
    email: str = "layerwatch@noreply.invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """One proposal to make. `key` is 64 hex digits; `body` is Markdown; `when` dates the commit."""

    target: ProposalTarget
    image: ImageReference
    key: str
    title: str
    body: str
    when: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """What was done, in the contract's words. `commit` is the head of the proposal's branch, None if it is gone."""

    state: State
    reason: Reason
    branch: str
    commit: str | None
    pull_request: str | None
    key: str
    number: int | None = None


class Forge(Protocol):
    """One forge. Its calls raise InputError for a target that cannot be, RefusedError and UnavailableError."""

    def for_one_look(self) -> "Forge":
        """The same forge, for one look at many targets: what they have in common is read once, and then believed."""

    def observe(self, target: ProposalTarget, key: str, image: ImageReference | None) -> ProposalState:
        """Look, and write nothing."""

    def propose(self, proposal: Proposal) -> Proposed:
        """Make the proposal, or find that it is made, refused or a person's. Raises ConflictError (ConflictOnBase)."""
