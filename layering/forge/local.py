"""Proposals in a git repository on this machine: a branch that a person merges.

All writing is git's plumbing and ends in one transaction that moves the branch and `refs/layerwatch/…`, which remembers
the commit that was last proposed. No working tree, index or HEAD is ever touched. How a proposal stands is read in
localstate.py. See docs/decisions/0007.
"""

import copy
from collections.abc import Sequence

from layering.errors import ConflictError, UnavailableError
from layering.forge.basefile import BaseFiles, edited_text
from layering.forge.forge import Author, Forge, Orphan, Proposal, ProposalState, ProposalTarget, Proposed, State
from layering.forge.localstate import (
    ENDED_BY_PERSON,
    IMAGE_TRAILER,
    KEY_TRAILER,
    RefsOf,
    Seen,
    look,
    proposed_branches,
    read_refs,
    state_of,
)
from layering.gitrepository import Move, signature
from layering.markdown import unfolded
from layering.once import Once
from layering.reasons import Reason
from layering.reference import ImageReference

_BODY_LENGTH_MAX = 60_000
_ATTEMPTS = 5  # each one lost means that somebody else's was written


class LocalForge:
    """The forge that is a repository's path. Safe to use from threads and processes.

    Its commits are by `author`, and only commits by `author` can be its own.
    """

    def __init__(self, author: Author | None = None) -> None:
        self._author = author or Author()
        self._files = BaseFiles()
        self._refs: RefsOf = read_refs

    def close(self) -> None:
        """See Forge. Nothing is kept open."""

    def for_one_look(self, targets: Sequence[ProposalTarget]) -> Forge:
        """See Forge. Targets in one repository are told from the same reading of its refs."""
        one = copy.copy(self)
        one._refs = Once(read_refs)
        return one

    def observe(self, target: ProposalTarget, key: str, image: ImageReference | None) -> ProposalState:
        """See Forge."""
        return state_of(look(target, key, self._author, self._files, self._refs), key, image)

    def propose(self, proposal: Proposal) -> Proposed:
        """See Forge. Who loses a race looks again, and finds the winner's work."""
        target = proposal.target
        for _ in range(_ATTEMPTS):
            seen = look(target, proposal.key, self._author, self._files, read_refs)
            found = state_of(seen, proposal.key, proposal.image)
            if found.reason is Reason.CONFLICT_ON_BASE:
                raise ConflictError(
                    f"the line that {found.branch} changes was changed on {target.branch} by somebody else",
                    where=f"{target.repository}, {target.file}",
                    next_step=f"delete {found.branch} to refuse this image, or undo the other change",
                )
            if found.reason is not None:
                _remember(seen)
                return _as_proposed(found, found.reason, proposal.key)
            if (made := self._write(seen, proposal)) is not None:
                return made
        raise UnavailableError(
            f"{target.proposal_branch} was moved each of the {_ATTEMPTS} times we were about to",
            where=target.repository,
            next_step="run it again",
            reason=Reason.FORGE_UNREACHABLE,
        )

    def heed(self, target: ProposalTarget) -> None:
        """See Forge. Nobody can tell us anything here but by git."""

    def orphans(self, targets: Sequence[ProposalTarget]) -> Sequence[Orphan]:
        """See Forge: branches that hold what we put there."""
        owned = {(target.repository, target.proposal_branch) for target in targets}
        return [
            Orphan(repository=name, branch=branch, pull_request=branch)
            for name in dict.fromkeys(target.repository for target in targets)
            for branch in proposed_branches(name)
            if (name, branch) not in owned
        ]

    def _write(self, seen: Seen, proposal: Proposal) -> Proposed | None:
        """One commit on the current tip. None when somebody else moved a ref since we looked."""
        _leave_working_trees_alone(seen)
        content = edited_text(seen.file.raw, proposal.target, proposal.image).encode("utf-8")
        by = signature(self._author.name, self._author.email, proposal.when)
        commit = seen.repository.add_commit(seen.tip, {proposal.target.file: content}, _message(seen, proposal), by)
        moves = [Move(ref=seen.branch, new=commit, old=seen.head), Move(ref=seen.memory, new=commit, old=seen.known)]
        if not seen.repository.move([*_keep_a_persons_no(seen), *moves]):
            return None
        branch = proposal.target.proposal_branch
        return Proposed(
            state=State.CREATED if seen.head is None else State.UPDATED,
            reason=Reason.PROPOSAL_OPEN,
            branch=branch,
            commit=commit,
            pull_request=branch,
            key=proposal.key,
        )


def _leave_working_trees_alone(seen: Seen) -> None:
    where = seen.repository.checked_out_at(seen.branch)
    if where is not None:
        branch = seen.target.proposal_branch
        raise ConflictError(
            f"{branch} is checked out in {where}; moving it would change files under somebody's hands",
            where=seen.target.repository,
            next_step=f"switch {where} to another branch",
            reason=Reason.FORGE_REFUSED,
        )


def _keep_a_persons_no(seen: Seen) -> list[Move]:
    """What a person said of the remembered proposal, when it was no: the memory is about to hold another one."""
    if seen.last is None or not (key := seen.last.trailer(KEY_TRAILER)):
        return []
    if state_of(seen, key, None).reason not in ENDED_BY_PERSON:
        return []
    ref = seen.ended_ref(key)
    return [Move(ref=ref, new=seen.last.id, old=seen.repository.refs([ref]).get(ref))]


def _remember(seen: Seen) -> None:
    """Remember a branch of ours that git died over before it could; whoever else does so first does the same."""
    if seen.is_ours and seen.head is not None and seen.head != seen.known:
        seen.repository.move([Move(ref=seen.memory, new=seen.head, old=seen.known)])


def _as_proposed(found: ProposalState, reason: Reason, key: str) -> Proposed:
    return Proposed(
        state=found.state,
        reason=reason,
        branch=found.branch,
        commit=found.commit,
        pull_request=found.pull_request,
        key=key,
    )


def _message(seen: Seen, proposal: Proposal) -> str:
    """Title, body, and the trailers that make the commit ours."""
    trailers = f"{KEY_TRAILER}: {proposal.key}\n{IMAGE_TRAILER}: {proposal.image.without_tag()}"
    config = seen.file.config
    text = proposal.body(_BODY_LENGTH_MAX, config.image if config else None)
    return f"{proposal.title}\n\n{unfolded(text).strip()}\n\n{trailers}\n"
