"""How a proposal on a forge stands, and what is due: a pure function of pull requests, git's refs and the base's file.

docs/pull-requests.md is the table; `judge` goes through it from its first row to its last. Nothing is asked here but
what `Seen` was given to ask lazily, and nothing is written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from layering.errors import InputError
from layering.forge.basefile import BaseFile
from layering.forge.forge import ProposalTarget, State
from layering.forge.marker import Line, Marker, is_withdrawn
from layering.forge.pullrequest import PullRequest, PullState
from layering.reasons import Reason
from layering.reference import Digest, ImageReference


class Due(StrEnum):
    """What is to be written."""

    NOTHING = "nothing"
    COMMIT = "commit"  # one commit on the current tip, and the pull request for it
    FINISH = "finish"  # the commit is there; the pull request, its text or its manners are not
    SINGLE = "single"  # one pull request stays open, the others of ours are closed


@dataclass(frozen=True, kw_only=True, slots=True)
class OurCommit:
    """A commit that only we can have made: the whole key of its trailer, and what the line was before it.

    `title`: what the pull request was or was to be called with it. `shared`: it may have lines of other targets, and
    which key is whose only a marker tells.
    """

    key: str
    image: str
    old: str | None
    title: str = ""
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of one target. `tip` is the base branch's commit, `head` the proposal's branch's, None: not there.

    `pulls` gives those of the branch, newest first, whoever opened them: some forges let accounts that may only read
    open one of a branch of the repository itself; they may be asked for as far as they are read. `opened` gives those
    that are open; most looks need no others.
    `by_a_pusher` tells of one whether its account may push: on another's word nothing is written, and nothing refused.
    `file` gives the target's file at `tip`; `made_by_us` tells whether a commit is the only one above the base branch
    and can only be ours, and what it says then; `keys_in` the keys that the trailers of a commit name, by
    `ProposalTarget.member`, when its author is ours.
    """

    target: ProposalTarget
    tip: str
    head: str | None
    opened: Callable[[], Sequence[PullRequest]]
    pulls: Callable[[], Iterable[PullRequest]]
    file: Callable[[], BaseFile]
    made_by_us: Callable[[str], OurCommit | None]
    by_a_pusher: Callable[[PullRequest], bool] = lambda pull: pull.opener is None
    keys_in: Callable[[str], Mapping[str, str]] = lambda commit: {}

    @cached_property
    def open(self) -> PullRequest | None:
        """The open pull request of the branch, when the branch is there. One into another branch counts when there is
        none into ours and it was retargeted; else it is somebody's own affair.
        """
        if len(self.into_ours) > 1:
            return next(filter(self.by_a_pusher, self.into_ours), self.into_ours[0])
        elsewhere = (pull for pull in self._opened if pull.base != self.target.branch and self._was_retargeted(pull))
        return self.into_ours[0] if self.into_ours else next(elsewhere, None)

    def _was_retargeted(self, pull: PullRequest) -> bool:
        """Whether one into another branch is ours: by its marker, or, without one, when none of ours came before it."""
        if Marker.parse(pull.body) is None:
            earlier = (other for other in self.pulls() if other.number < pull.number)
            if any(other.base == self.target.branch and Marker.parse(other.body) is not None for other in earlier):
                return False
        return self.by_a_pusher(pull)

    @cached_property
    def into_ours(self) -> Sequence[PullRequest]:
        """Those that are open into the target's branch: at most one, unless a forge was asked twice at once."""
        return [pull for pull in self._opened if pull.base == self.target.branch]

    @cached_property
    def _opened(self) -> Sequence[PullRequest]:
        return self.opened() if self.head else ()

    @cached_property
    def marker(self) -> Marker | None:
        """The open one's marker, when it is about the commit that the branch holds."""
        marker = Marker.parse(self.open.body) if self.open else None
        return marker if marker is not None and marker.commit == self.head else None

    @cached_property
    def ours(self) -> OurCommit | None:
        """The branch's commit, when no marker tells of it and yet only we can have made it."""
        return self.made_by_us(self.head) if self.head else None

    @cached_property
    def is_ours(self) -> bool:
        """Whether the branch may be moved by us: a marker tells of its commit, or only we can have made that."""
        if self.open is not None and self.open.base != self.target.branch:
            return False
        if self.open is not None and self.marker is not None and self.by_a_pusher(self.open):
            return True
        return self.is_told or self.ours is not None or self._is_merged

    @cached_property
    def is_told(self) -> bool:
        """Whether a marker tells of the branch's commit."""
        markers = ((pull, Marker.parse(pull.body)) for pull in self.pulls())
        told = (pull for pull, marker in markers if marker is not None and marker.commit == self.head)
        return any(map(self.by_a_pusher, told))

    @property
    def _is_merged(self) -> bool:
        """Whether the branch holds a commit of ours that was merged, and was left behind."""
        merged = (pull for pull in self.pulls() if pull.state is PullState.MERGED and pull.head_commit == self.head)
        return self.head is not None and any(map(self.by_a_pusher, merged)) and bool(self.keys_in(self.head))

    @cached_property
    def doubles(self) -> Sequence[PullRequest]:
        """What stands in the place of ours: one that somebody opened who may not push; and ours beside the newest.
        Gitea opens several for one branch when it is asked at the same time.
        """
        return [
            pull
            for pull in self.into_ours
            if not self.by_a_pusher(pull) or (pull is not self.open and Marker.parse(pull.body) is not None)
        ]

    @cached_property
    def pinned(self) -> str | None:
        """The osImageURL on the base branch."""
        config = self.file().config
        return config.image if config else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """How it stands. `reason` is None when there is nothing to tell yet; `pull` is the one this is about.

    `line` is what the marker says of the target's line, when that is the wanted key's.
    """

    state: State
    reason: Reason | None
    due: Due
    pull: PullRequest | None = None
    line: Line | None = None


def at_a_glance(seen: Seen, key: str, image: ImageReference | None) -> Judgement | None:
    """That nothing is to be done, which most looks find: as it should be, refused, or a person's. None when there is
    more to it. `seen` may know less than there is; its `pulls` are none where they may not be taken for all.
    """
    if (settled := _settled(seen, key, image)) is not None:
        return settled
    if seen.open is None:
        return _ended(seen, key)
    is_suspect = seen.marker is None or seen.open.base != seen.target.branch
    return _edited(seen.open) if is_suspect and seen.open in seen.pulls() and not seen.is_ours else None


def judge(seen: Seen, key: str, image: ImageReference | None) -> Judgement:
    """The proposal of `key`; `image` is what it pins, when that is known. Total: everything seen has one answer."""
    if (settled := _settled(seen, key, image)) is not None:
        return settled
    if seen.open is not None:
        return _open(seen, seen.open, key, image)
    if (ended := _ended(seen, key)) is not None:
        return ended
    if seen.head is not None and not seen.is_ours:
        return _edited(None)
    begun = not seen.is_told and seen.ours is not None and seen.ours.key == key
    return Judgement(state=State.ABSENT, reason=None, due=Due.FINISH if begun else Due.COMMIT)


def _settled(seen: Seen, key: str, image: ImageReference | None) -> Judgement | None:
    """That it is as it should be: nothing is asked for it but what is open."""
    if _is_as_we_left_it(seen, key, image):
        return Judgement(
            state=State.UNCHANGED, reason=Reason.PROPOSAL_OPEN, due=Due.NOTHING, pull=seen.open, line=_line(seen)
        )
    if image is not None and digest_of(seen.pinned) == image.pinned:
        return Judgement(state=State.UNCHANGED, reason=Reason.ALREADY_ON_BASE, due=Due.NOTHING, pull=seen.open)
    return None


def _is_as_we_left_it(seen: Seen, key: str, image: ImageReference | None) -> bool:
    """Open with this key, and nothing to do: most looks end here, and nothing more is asked or read for it.

    Whoever opened it: nothing is written on its word. What the base pins is read when the marker is not about its tip.
    """
    if seen.open is None or seen.open.base != seen.target.branch or len(seen.into_ours) > 1:
        return False
    line = _line(seen) if seen.marker is not None and not seen.marker.todo else None
    if seen.marker is None or line is None or line.key != key:
        return False
    pinned = line.old if seen.marker.base == seen.tip else seen.pinned
    is_the_image = image is None or (digest_of(line.image) == image.pinned and digest_of(pinned) != image.pinned)
    return same_value(line.old, pinned) and is_the_image


def digest_of(pull_spec: str | None) -> Digest | None:
    """Which image it is, however it is spelt."""
    try:
        return ImageReference.parse(pull_spec).digest if pull_spec else None
    except InputError:
        return None


def _open(seen: Seen, pull: PullRequest, key: str, image: ImageReference | None) -> Judgement:
    if not seen.is_ours:
        return _edited(pull)
    if seen.doubles:
        return Judgement(state=State.OUTDATED, reason=None, due=Due.SINGLE, pull=pull)
    is_of_key = _key_of(seen) == key
    if (seen.marker is None or not is_of_key) and (ended := _ended(seen, key)) is not None:
        return ended
    if not is_of_key:
        return Judgement(state=State.OUTDATED, reason=None, due=Due.COMMIT, pull=pull)
    line = _line(seen)
    if line is not None and not same_value(line.old, seen.pinned):
        return Judgement(state=State.IGNORED, reason=Reason.CONFLICT_ON_BASE, due=Due.NOTHING, pull=pull, line=line)
    if line is not None and image is not None and digest_of(line.image) != image.pinned:
        return Judgement(state=State.OUTDATED, reason=None, due=Due.COMMIT, pull=pull, line=line)
    if seen.marker is None or seen.marker.todo:
        return Judgement(state=State.OUTDATED, reason=None, due=Due.FINISH, pull=pull, line=line)
    return Judgement(state=State.UNCHANGED, reason=Reason.PROPOSAL_OPEN, due=Due.NOTHING, pull=pull, line=line)


def _key_of(seen: Seen) -> str | None:
    """The key that the branch holds, for this target."""
    if seen.marker is not None:
        line = seen.marker.line_of(seen.target.member)
        return line.key if line else None
    return seen.ours.key if seen.ours and not seen.ours.shared else None


def _line(seen: Seen) -> Line | None:
    if seen.marker is not None:
        return seen.marker.line_of(seen.target.member)
    ours = seen.ours
    return Line(key=ours.key, image=ours.image, old=ours.old) if ours else None


def _ended(seen: Seen, key: str) -> Judgement | None:
    """The newest pull request of this key that is open no more; None when there is none."""
    for pull in seen.pulls():
        marker = Marker.parse(pull.body)
        line = marker.line_of(seen.target.member) if marker else None
        is_open = pull.state is PullState.OPEN and seen.head is not None
        if is_open or _ended_key(seen, pull, marker) != key or not seen.by_a_pusher(pull):
            continue
        if line is not None and digest_of(seen.pinned) is not None and digest_of(seen.pinned) == digest_of(line.image):
            state, reason = State.UNCHANGED, Reason.ALREADY_ON_BASE
        elif pull.state is PullState.MERGED:
            state, reason = State.IGNORED, Reason.REVERTED
        else:
            is_command = marker is not None and marker.ignored
            state, reason = State.IGNORED, Reason.IGNORED_BY_COMMAND if is_command else Reason.CLOSED_BY_PERSON
        return Judgement(state=state, reason=reason, due=Due.NOTHING, pull=pull, line=line)
    return None


def _ended_key(seen: Seen, pull: PullRequest, marker: Marker | None) -> str | None:
    """The key that it was about, for this target: of a body that a person wrote anew, the trailers of its commit tell.

    What we closed ourselves refuses nothing.
    """
    if marker is not None:
        line = marker.line_of(seen.target.member)
        return line.key if line else None
    has_ended = pull.state is not PullState.OPEN or seen.head is None
    is_told = pull.base == seen.target.branch and not is_withdrawn(pull.body)
    return seen.keys_in(pull.head_commit).get(seen.target.member) if has_ended and is_told else None


def same_value(old: str | None, now: str | None) -> bool:
    """Whether the base branch pins what it pinned: the same image however spelt, or the same text."""
    digest = digest_of(old)
    return old == now or (digest is not None and digest == digest_of(now))


def _edited(pull: PullRequest | None) -> Judgement:
    return Judgement(state=State.HUMAN_EDITED, reason=Reason.EDITED_BY_PERSON, due=Due.NOTHING, pull=pull)
