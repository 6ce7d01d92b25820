"""How a proposal in a git repository stands: what the branch, the memory, the base branch and the notes say together.

Reads only. docs/pull-requests.md is the table; `state_of` goes through it from its first row to its last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from layering.errors import InputError, NotFoundError
from layering.forge.basefile import BaseFile, BaseFiles, claim_in, edited_text
from layering.forge.forge import Author, ProposalState, ProposalTarget, State
from layering.gitrepository import Commit, GitRepository
from layering.machineconfig_merge import Claim
from layering.reasons import Reason
from layering.reference import Digest, ImageReference

KEY_TRAILER = "Layerwatch-Key"
IMAGE_TRAILER = "Layered-Image"
ENDED_BY_PERSON = frozenset({Reason.CLOSED_BY_PERSON, Reason.IGNORED_BY_COMMAND, Reason.REVERTED})
_OURS = ("refs/heads/layerwatch", "refs/layerwatch", "refs/layerwatch-refused")
_NOTES = "layerwatch"
_IGNORE = "/layerwatch ignore"

RefsOf = Callable[[GitRepository, str], Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The refs as they were when we looked; every move of them expects these values.

    `tip` is the base branch's, `head` the proposal's own, `known` what the memory holds, `ended` the commit of an
    earlier proposal of the wanted key that a person refused. `file` is the MachineConfig's on the base branch.
    """

    repository: GitRepository
    target: ProposalTarget
    author: Author
    tip: str
    head: str | None
    known: str | None
    ended: str | None
    file: BaseFile

    @property
    def branch(self) -> str:
        """The full name of the proposal's branch."""
        return f"refs/heads/{self.target.proposal_branch}"

    @property
    def memory(self) -> str:
        """The ref that remembers what was last proposed."""
        return f"refs/layerwatch/{self.target.cluster}/{self.target.pool}"

    def ended_ref(self, key: str) -> str:
        """The ref that keeps a refused proposal when the memory has moved on."""
        return _ended_ref(self.target, key)

    @property
    def pinned(self) -> str | None:
        """The osImageURL on the base branch."""
        return self.config.image if self.config else None

    @property
    def config(self) -> Claim | None:
        """The MachineConfig that is to be changed, as the base branch has it."""
        return self.file.config

    @cached_property
    def last(self) -> Commit | None:
        """The commit that was last proposed."""
        return self.repository.commit(self.known) if self.known else None

    @cached_property
    def top(self) -> Commit | None:
        """The commit at the head of the branch."""
        if self.head == self.known:
            return self.last
        return self.repository.commit(self.head) if self.head else None

    @cached_property
    def is_ours(self) -> bool:
        """The branch holds the commit we remember, or one that only we can have made and had no time to remember."""
        return self.top is not None and (self.head == self.known or _only_we_can_have_made(self, self.top))


def read_refs(repository: GitRepository, base: str) -> Mapping[str, str]:
    """What the base branch holds, and all refs that are ours, of every target in the repository."""
    return repository.refs([base, *_OURS])


def look(target: ProposalTarget, key: str, author: Author, files: BaseFiles, refs_of: RefsOf) -> Seen:
    """Read the refs, and the file unless `files` has it. Raises NotFoundError, InputError, RefusedError."""
    repository = GitRepository(path=Path(target.repository))
    if not repository.is_there():
        raise NotFoundError(
            "not a git repository",
            where=target.repository,
            next_step="name the path of a repository (bare or not) on this machine",
            reason=Reason.FORGE_REFUSED,
        )
    base, branch = f"refs/heads/{target.branch}", f"refs/heads/{target.proposal_branch}"
    memory, ended = f"refs/layerwatch/{target.cluster}/{target.pool}", _ended_ref(target, key)
    refs = refs_of(repository, base)
    late = refs
    if refs.get(branch) != refs.get(memory):
        # git moves the refs of a transaction one after the other, the memory last: once that is read, a branch that is
        # not there was deleted, and not about to be made.
        late = repository.refs([branch, ended])
    if base not in refs:
        raise InputError(
            f"there is no branch {target.branch!r}",
            where=target.repository,
            next_step="name the branch that proposals are merged into, or push it there",
        )
    if base == branch:
        raise InputError(f"{target.branch!r} is the proposal's own branch", where=target.repository)
    return Seen(
        repository=repository,
        target=target,
        author=author,
        tip=refs[base],
        head=late.get(branch),
        known=refs.get(memory),
        ended=late.get(ended),
        file=files.read(repository, refs[base], target),
    )


def proposed_branches(path: str) -> Sequence[str]:
    """The proposals' branches of a repository that hold what we put there; none when it is no repository."""
    repository = GitRepository(path=Path(path))
    refs = repository.refs(_OURS) if repository.is_there() else {}
    return [
        ref.removeprefix("refs/heads/")
        for ref, commit in refs.items()
        if ref.startswith("refs/heads/") and refs.get(f"refs/{ref.removeprefix('refs/heads/')}") == commit
    ]


def state_of(seen: Seen, key: str, image: ImageReference | None) -> ProposalState:
    """The state of the proposal of `key`; `image` is what it pins, when that is known."""
    if image is not None and _digest(seen.pinned) == image.pinned:
        return _told(seen, State.UNCHANGED, Reason.ALREADY_ON_BASE)
    if seen.top is not None and not seen.is_ours:
        return _told(seen, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON)
    if seen.top is not None and _key(seen.top) == key:
        return _state_of_open(seen, seen.top)
    if (ended := _ended(seen, key)) is not None:
        return _state_of_ended(seen, ended)
    return _told(seen, State.OUTDATED if seen.top is not None else State.ABSENT, None)


def _state_of_open(seen: Seen, commit: Commit) -> ProposalState:
    """The branch is there, is ours and has the wanted key."""
    if _is_on_base(seen, commit):
        return _told(seen, State.UNCHANGED, Reason.ALREADY_ON_BASE)
    if _is_refused(seen, commit):
        return _told(seen, State.IGNORED, Reason.IGNORED_BY_COMMAND)
    if _was_merged(seen, commit):
        return _told(seen, State.IGNORED, Reason.REVERTED)
    before = seen.repository.file(commit.parents[0], seen.target.file) if commit.parents else None
    claim = claim_in(before, seen.target)
    if (claim.image if claim else None) != seen.pinned:
        return _told(seen, State.IGNORED, Reason.CONFLICT_ON_BASE)
    return _told(seen, State.UNCHANGED, Reason.PROPOSAL_OPEN)


def _ended(seen: Seen, key: str) -> Commit | None:
    """The proposal of `key` that has no branch any more: the remembered one, or one that was refused before it."""
    if seen.top is None and seen.last is not None and _key(seen.last) == key:
        return seen.last
    return seen.repository.commit(seen.ended) if seen.ended else None


def _state_of_ended(seen: Seen, commit: Commit) -> ProposalState:
    """There is no branch with the wanted key, but there was one."""
    if _is_on_base(seen, commit):
        return _told(seen, State.UNCHANGED, Reason.ALREADY_ON_BASE)
    if _was_merged(seen, commit):
        return _told(seen, State.IGNORED, Reason.REVERTED)
    refused = _is_refused(seen, commit)
    return _told(seen, State.IGNORED, Reason.IGNORED_BY_COMMAND if refused else Reason.CLOSED_BY_PERSON)


def _only_we_can_have_made(seen: Seen, commit: Commit) -> bool:
    """By us, not touched since, and it does to its parent's file what its own trailer says, and nothing else."""
    ours = (seen.author.name, seen.author.email)
    if commit.author != commit.committer or (commit.author.name, commit.author.email) != ours:
        return False
    if len(commit.parents) != 1 or not seen.repository.is_ancestor(commit.parents[0], seen.tip):
        return False
    if seen.repository.changed_files(commit.id) != [seen.target.file]:
        return False
    before, after = (seen.repository.file(at, seen.target.file) for at in (commit.parents[0], commit.id))
    try:
        image = ImageReference.parse_pinned(commit.trailer(IMAGE_TRAILER) or "")
        return after == edited_text(before, seen.target, image).encode("utf-8")
    except InputError:
        return False


def _is_on_base(seen: Seen, commit: Commit) -> bool:
    """The base branch pins what the commit proposed."""
    proposed = _digest(commit.trailer(IMAGE_TRAILER))
    return proposed is not None and _digest(seen.pinned) == proposed


def _was_merged(seen: Seen, commit: Commit) -> bool:
    """Merged as it is, or squashed or picked: then some commit on the base branch brought its image in."""
    if seen.repository.is_ancestor(commit.id, seen.tip):
        return True
    digest = _digest(commit.trailer(IMAGE_TRAILER))
    if digest is None or not commit.parents:
        return False
    return seen.repository.ever_had(f"{commit.parents[0]}..{seen.tip}", seen.target.file, str(digest))


def _is_refused(seen: Seen, commit: Commit) -> bool:
    return any(line.strip() == _IGNORE for line in seen.repository.note(commit.id, _NOTES).splitlines())


def _key(commit: Commit) -> str | None:
    return commit.trailer(KEY_TRAILER)


def _told(seen: Seen, state: State, reason: Reason | None) -> ProposalState:
    is_open = reason in (Reason.PROPOSAL_OPEN, Reason.EDITED_BY_PERSON, Reason.CONFLICT_ON_BASE)
    return ProposalState(
        state=state,
        reason=reason,
        pinned=seen.pinned,
        branch=seen.target.proposal_branch,
        commit=seen.head,
        key=_key(seen.top) if seen.top else None,
        pull_request=seen.target.proposal_branch if is_open else None,
        config=seen.config,
    )


def _ended_ref(target: ProposalTarget, key: str) -> str:
    return f"refs/layerwatch-refused/{target.cluster}/{target.pool}/{key}"


def _digest(pull_spec: str | None) -> Digest | None:
    """Which image it is, however it is spelt: the repository only says where it is (as machineconfig.py has it)."""
    try:
        return ImageReference.parse(pull_spec).digest if pull_spec else None
    except InputError:
        return None
