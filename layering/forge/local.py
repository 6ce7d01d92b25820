"""Proposals in a git repository on this machine: a branch that a person merges.

All writing is git's plumbing and ends in one transaction that moves two refs: the branch, and `refs/layerwatch/…` that
remembers the commit that was last proposed. No working tree, index or HEAD is ever touched. See docs/decisions/0007.
"""

from dataclasses import dataclass
from pathlib import Path

from layering import git
from layering.errors import ConflictError, InputError, NotFoundError
from layering.forge.forge import Proposal, ProposalState, ProposalTarget, Proposed, State
from layering.machineconfig import new_machineconfig, read_os_image, set_os_image
from layering.reasons import Reason
from layering.reference import ImageReference

KEY_TRAILER = "Layerwatch-Key"
IMAGE_TRAILER = "Layered-Image"
_NOTES = "layerwatch"
_IGNORE = "/layerwatch ignore"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """The refs as they were when we looked; every move of them expects these values."""

    repository: Path
    tip: str
    head: str | None
    remembered: str | None
    text: str | None

    def key_of(self, commit: str) -> str | None:
        return git.trailer(self.repository, commit, KEY_TRAILER)


class LocalForge:
    """The forge that is a repository's path. Safe to use from threads and processes."""

    def observe(self, target: ProposalTarget, key: str, image: ImageReference | None) -> ProposalState:
        """See Forge."""
        return _state(_look(target), target, key, image)

    def propose(self, proposal: Proposal) -> Proposed:
        """See Forge."""
        target, seen = proposal.target, _look(proposal.target)
        found = _state(seen, target, proposal.key, proposal.image)
        if found.reason is Reason.CONFLICT_ON_BASE:
            raise ConflictError(
                f"the line that {found.branch} changes was changed on {target.branch} by somebody else",
                where=f"{target.repository}, {target.file}",
                next_step=f"delete {found.branch} to refuse this image, or undo the other change",
            )
        if found.reason is not None:
            return _as_proposed(found, proposal.key)
        try:
            return _write(seen, proposal)
        except ConflictError:
            return self._after_a_race(proposal)

    def _after_a_race(self, proposal: Proposal) -> Proposed:
        """Somebody moved a ref between our look and our write: take what is there now, or say so."""
        found = self.observe(proposal.target, proposal.key, proposal.image)
        if found.reason is None:
            raise ConflictError(
                f"{found.branch} was moved while we wrote", where=proposal.target.repository, next_step="run it again"
            )
        return _as_proposed(found, proposal.key)


def _look(target: ProposalTarget) -> _Seen:
    repository = Path(target.repository)
    if not git.is_repository(repository):
        raise NotFoundError(
            "not a git repository",
            where=target.repository,
            next_step="name the path of a repository (bare or not) on this machine",
            reason=Reason.FORGE_REFUSED,
        )
    tip = git.head_of(repository, f"refs/heads/{target.branch}")
    if tip is None:
        raise InputError(f"there is no branch {target.branch!r}", where=target.repository)
    raw = git.read_file(repository, tip, target.file)
    # git moves the refs of a transaction one after the other, the branch first: read the other way round, a branch that
    # is not there was deleted, and not about to be made.
    remembered = git.head_of(repository, _memory(target))
    return _Seen(
        repository=repository,
        tip=tip,
        head=git.head_of(repository, f"refs/heads/{target.proposal_branch}"),
        remembered=remembered,
        text=_decoded(raw, target) if raw is not None else None,
    )


def _decoded(raw: bytes, target: ProposalTarget) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("not UTF-8", where=f"{target.repository}, {target.branch}:{target.file}") from None


def _state(seen: _Seen, target: ProposalTarget, key: str, image: ImageReference | None) -> ProposalState:
    """The table in docs/proposals.md, from its first row to its last."""
    pinned = _pinned(seen.text, target)
    if image is not None and _is_same(pinned, image):
        return _told(seen, target, pinned, State.UNCHANGED, Reason.ALREADY_ON_BASE)
    if seen.head is None:
        return _without_a_branch(seen, target, key, pinned)
    if not _is_ours(seen, target):
        return _told(seen, target, pinned, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON)
    if seen.key_of(seen.head) != key:
        return _told(seen, target, pinned, State.OUTDATED, None)
    if _is_refused(seen, seen.head):
        return _told(seen, target, pinned, State.IGNORED, Reason.IGNORED_BY_COMMAND)
    if _was_merged(seen, target, seen.head):
        return _told(seen, target, pinned, State.IGNORED, Reason.REVERTED)
    if _line_moved(seen, target, pinned):
        return _told(seen, target, pinned, State.IGNORED, Reason.CONFLICT_ON_BASE)
    return _told(seen, target, pinned, State.UNCHANGED, Reason.PROPOSAL_OPEN)


def _without_a_branch(seen: _Seen, target: ProposalTarget, key: str, pinned: str | None) -> ProposalState:
    """No branch: never proposed, merged and tidied up, or deleted by a person who meant no."""
    commit = seen.remembered
    if commit is None or seen.key_of(commit) != key:
        return _told(seen, target, pinned, State.ABSENT, None)
    merged = _was_merged(seen, target, commit)
    return _told(seen, target, pinned, State.IGNORED, Reason.REVERTED if merged else Reason.CLOSED_BY_PERSON)


def _told(
    seen: _Seen, target: ProposalTarget, pinned: str | None, state: State, reason: Reason | None
) -> ProposalState:
    is_open = reason in (Reason.PROPOSAL_OPEN, Reason.EDITED_BY_PERSON, Reason.CONFLICT_ON_BASE)
    return ProposalState(
        state=state,
        reason=reason,
        pinned=pinned,
        branch=target.proposal_branch,
        commit=seen.head,
        key=seen.key_of(seen.head) if seen.head else None,
        pull_request=target.proposal_branch if is_open else None,
    )


def _pinned(text: str | None, target: ProposalTarget) -> str | None:
    where = f"{target.branch}:{target.file}"
    return None if text is None else read_os_image(text, name=target.name, pool=target.pool, where=where)


def _is_same(pinned: str | None, image: ImageReference) -> bool:
    """The same image in the same repository, in whatever spelling."""
    if pinned is None:
        return False
    try:
        return ImageReference.parse(pinned).without_tag() == image.without_tag()
    except InputError:
        return False


def _is_ours(seen: _Seen, target: ProposalTarget) -> bool:
    """The branch holds the commit we remember, or one that only we can have made and had no time to remember.

    That is a commit by us that does to its parent's file exactly what its own trailer says, and nothing else.
    """
    if seen.head is None or seen.head == seen.remembered:
        return seen.head is not None
    image = git.trailer(seen.repository, seen.head, IMAGE_TRAILER)
    parents = git.parents(seen.repository, seen.head)
    if image is None or len(parents) != 1 or not git.is_ancestor(seen.repository, parents[0], seen.tip):
        return False
    if git.changed_files(seen.repository, seen.head) != [target.file] or not git.is_all_by_author(
        seen.repository, seen.head
    ):
        return False
    before, after = (git.read_file(seen.repository, commit, target.file) for commit in (parents[0], seen.head))
    try:
        made = _edited_text(before, target, ImageReference.parse_pinned(image))
    except InputError:
        return False
    return after == made.encode("utf-8")


def _was_merged(seen: _Seen, target: ProposalTarget, commit: str) -> bool:
    """Merged as it is, or squashed or picked: then some commit on the base branch brought its image in."""
    if git.is_ancestor(seen.repository, commit, seen.tip):
        return True
    image = git.trailer(seen.repository, commit, IMAGE_TRAILER)
    parents = git.parents(seen.repository, commit)
    return bool(image and parents) and git.ever_had(
        seen.repository, f"{parents[0]}..{seen.tip}", target.file, (image or "").partition("@")[2]
    )


def _is_refused(seen: _Seen, commit: str) -> bool:
    text = git.note(seen.repository, commit, _NOTES) or ""
    return any(line.strip() == _IGNORE for line in text.splitlines())


def _line_moved(seen: _Seen, target: ProposalTarget, pinned: str | None) -> bool:
    """Whether the base branch pins something else than it did when the open proposal was made."""
    if seen.head is None:
        return False
    parents = git.parents(seen.repository, seen.head)
    raw = git.read_file(seen.repository, parents[0], target.file) if parents else None
    return _pinned(_decoded(raw, target) if raw is not None else None, target) != pinned


def _write(seen: _Seen, proposal: Proposal) -> Proposed:
    target, branch = proposal.target, proposal.target.proposal_branch
    if (where := git.checked_out_at(seen.repository, branch)) is not None:
        raise InputError(
            f"{branch} is checked out in {where}; moving it would change files under somebody's hands",
            where=target.repository,
            next_step=f"switch {where} to another branch",
            reason=Reason.FORGE_REFUSED,
        )
    raw = git.read_file(seen.repository, seen.tip, target.file)
    content = _edited_text(raw, target, proposal.image).encode("utf-8")
    author = git.Person(name=proposal.author.name, email=proposal.author.email, when=proposal.when)
    commit = git.commit_file(seen.repository, seen.tip, target.file, content, _message(proposal), author)
    git.move_refs(
        seen.repository,
        [
            (f"refs/heads/{branch}", commit, seen.head or git.NO_OBJECT),
            (_memory(target), commit, seen.remembered or git.NO_OBJECT),
        ],
    )
    return Proposed(
        state=State.CREATED if seen.head is None else State.UPDATED,
        reason=Reason.PROPOSAL_OPEN,
        branch=branch,
        commit=commit,
        pull_request=branch,
        key=proposal.key,
    )


def _edited_text(raw: bytes | None, target: ProposalTarget, image: ImageReference) -> str:
    where = f"{target.branch}:{target.file}"
    if raw is not None:
        edit = set_os_image(
            _decoded(raw, target), image, name=target.name, pool=target.pool, create=target.create, where=where
        )
        return edit.text
    if target.create:
        return new_machineconfig(image, target.name, target.pool)
    raise InputError(
        f"there is no {target.file} on {target.branch}",
        where=target.repository,
        next_step="name the MachineConfig's file, or allow it to be made (create: true, --create)",
    )


def _as_proposed(found: ProposalState, key: str) -> Proposed:
    return Proposed(
        state=found.state,
        reason=found.reason or Reason.PROPOSAL_OPEN,
        branch=found.branch,
        commit=found.commit,
        pull_request=found.pull_request,
        key=key,
    )


def _message(proposal: Proposal) -> str:
    """Title, body, and the trailers that make the commit ours."""
    trailers = f"{KEY_TRAILER}: {proposal.key}\n{IMAGE_TRAILER}: {proposal.image.without_tag()}"
    return f"{proposal.title}\n\n{proposal.body.strip()}\n\n{trailers}\n"


def _memory(target: ProposalTarget) -> str:
    return f"refs/layerwatch/{target.cluster}/{target.pool}"
