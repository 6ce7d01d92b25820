"""What a proposal is, whatever the forge: one branch, one commit, one open request per cluster and pool.

The interface that each forge implements, and its values. State names and reasons are those of the contract of
`open-pull-request`, so that a person reads the same words everywhere.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from layering.forge.manners import NO_MANNERS, Manners
from layering.forge.marker import Line
from layering.machineconfig_merge import Claim
from layering.reasons import Reason
from layering.reference import ImageReference

OUR_BRANCHES = "layerwatch/"
"""How the names of all branches begin that proposals are made on."""
_SHARED_BRANCHES = f"{OUR_BRANCHES}group/"


def repository_identity(repository: str) -> str:
    """What all spellings of a repository's name on a forge have in common: GitHub, GitLab and Gitea take no notice of
    case. The path of one on this machine is no such name.
    """
    return repository.lower()


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

    `name` is the MachineConfig's, when the file has several. `create` allows the file or the key to be made. Proposals
    with the same `group` into the same branch of a repository share one branch, one commit and one pull request.
    """

    repository: str
    branch: str
    file: str
    cluster: str
    pool: str
    name: str | None = None
    create: bool = False
    group: str | None = None

    @property
    def proposal_branch(self) -> str:
        """The branch of the proposal itself."""
        return f"{_SHARED_BRANCHES}{self.group}" if self.group else f"{OUR_BRANCHES}{self.cluster}/{self.pool}"

    @property
    def member(self) -> str:
        """Whose line it is in a proposal that several share."""
        return f"{self.cluster}/{self.pool}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalState:
    """What a forge holds now. `pinned` is the osImageURL on the base branch, or None; `branch` the proposal's own.

    `reason` is None when there is nothing to tell: nothing was proposed yet, or a newer key is due. `config` is the
    MachineConfig that pins it, None while there is no file. `pull_request` is the page a person opens, or the local
    forge's branch. `members` are the lines of a shared proposal that is open, by `ProposalTarget.member`.
    `is_to_be_ignored`: a person told us to close the open one, whatever its key.
    """

    state: State
    reason: Reason | None
    pinned: str | None
    branch: str
    commit: str | None = None
    key: str | None = None
    pull_request: str | None = None
    config: Claim | None = None
    number: int | None = None
    members: Mapping[str, Line] = field(default_factory=dict)
    is_to_be_ignored: bool = False

    @property
    def own_page(self) -> str | None:
        """`pull_request`, unless that is a shared one that is open without a line of this target. What a person did to
        it is told of it for each that shares it.
        """
        is_without = self.key is None and self.reason in (None, Reason.ALREADY_ON_BASE)
        return None if is_without and self.branch.startswith(_SHARED_BRANCHES) else self.pull_request


@dataclass(frozen=True, kw_only=True, slots=True)
class Author:
    """Who our commits are by."""

    name: str = "layerwatch"
    email: str = "layerwatch@noreply.invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One line of a proposal: this target's MachineConfig is to pin `image`, which was built for `key`."""

    target: ProposalTarget
    image: ImageReference
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """One proposal to make. `key` is 64 hex digits; `body` is Markdown; `when` dates the commit.

    `body` gives the text for at most so many characters, the least important cut; it is told what the line pins now.
    `others` are the further lines of a shared proposal, in other files or other MachineConfigs, all with the same
    group.
    """

    target: ProposalTarget
    image: ImageReference
    key: str
    title: str
    body: Callable[[int, str | None], str]
    when: datetime
    manners: Manners = NO_MANNERS
    others: tuple[Change, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """All lines, the proposal's own first."""
        return (Change(target=self.target, image=self.image, key=self.key), *self.others)

    @property
    def whole_key(self) -> str:
        """The key of the pull request: the build key, or that of all members of a shared one."""
        if self.target.group is None:
            return self.key
        lines = sorted(f"{change.target.member}={change.key}" for change in self.changes)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """What was done, in the contract's words. `commit` is the head of the proposal's branch, None if it is gone.

    State `absent` with TooManyOpen: nothing was written. `warnings` are for people: labels that could not be set.
    """

    state: State
    reason: Reason
    branch: str
    commit: str | None
    pull_request: str | None
    key: str
    number: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """An open proposal of ours that no configured target owns. `pull_request` as in ProposalState."""

    repository: str
    branch: str
    pull_request: str
    number: int | None = None


class Forge(Protocol):
    """One forge. Its calls raise InputError for a target that cannot be, RefusedError and UnavailableError."""

    def for_one_look(self, targets: Sequence[ProposalTarget]) -> "Forge":
        """The same forge, for one look at these: what they have in common is read once, and then believed."""

    def observe(self, target: ProposalTarget, key: str, image: ImageReference | None) -> ProposalState:
        """Look, and write nothing."""

    def propose(self, proposal: Proposal) -> Proposed:
        """Make the proposal, or find that it is made, refused or a person's. Raises ConflictError (ConflictOnBase)."""

    def heed(self, target: ProposalTarget) -> None:
        """Close the open one when it is to be ignored: for that nobody waits for a window, or a newer image."""

    def orphans(self, targets: Sequence[ProposalTarget]) -> "Sequence[Orphan]":
        """Open proposals of ours in the repositories of `targets` that none of these owns. Reads only."""

    def close(self) -> None:
        """Close connections, and take away what was fetched."""
