"""Which proposals share a pull request, and what they have of each other. Pure: it asks nothing and writes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from layering.forge.forge import Change, ProposalState
from layering.forge.judgement import same_value
from layering.forge.marker import Line
from layering.reference import ImageReference
from watcher.decision import Kind
from watcher.report import Verdict
from watcher.settings_image import ImageSettings, ProposalSettings
from watcher.targets import Target
from watcher.world import Failure, Observation

_PROPOSED = {Kind.PROPOSE, Kind.AWAITING_APPROVAL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One of several that are proposed together: what is configured, and what was seen of it.

    `line` is its line in the open one, to stay as it is when the image turns out not to be one to propose.
    """

    image: ImageSettings
    entry: ProposalSettings
    seen: Observation
    line: Change | None = None


def grouped_with(
    target: Target, seen: Observation | Failure, all_of_them: Iterable[tuple[Target, Verdict]]
) -> Sequence[Member | Change]:
    """The other lines of the pull request that this target shares: those that are proposed, or are to be; and those
    that are open in it and cannot be renewed now, as they are.
    """
    _, entry = target
    if entry is None or entry.group is None or isinstance(seen, Failure) or seen.proposal is None:
        return ()
    found: list[Member | Change] = []
    for (image, other), verdict in all_of_them:
        if other is None or other is entry or not _shares(entry, other):
            continue
        theirs, line = verdict.seen, _open_line(other, seen.proposal, verdict.seen)
        if verdict.decision.kind in _PROPOSED and isinstance(theirs, Observation):
            found.append(Member(image=image, entry=other, seen=theirs, line=line))
        elif line is not None:
            found.append(line)
    return found


def _open_line(entry: ProposalSettings, shared: ProposalState, seen: Observation | Failure) -> Change | None:
    """Its line in the open one, while that is still due."""
    line = shared.members.get(entry.target.member)
    if line is None or not _is_still_due(line, seen):
        return None
    return Change(target=entry.target, image=ImageReference.parse(line.image), key=line.key)


def _is_still_due(line: Line, seen: Observation | Failure) -> bool:
    """Whether git pins what it pinned when the line was written; taken for granted when that cannot be told."""
    return isinstance(seen, Failure) or seen.proposal is None or same_value(line.old, seen.proposal.pinned)


def _shares(entry: ProposalSettings, other: ProposalSettings) -> bool:
    return _shared(entry) == _shared(other)


def _shared(entry: ProposalSettings) -> tuple[str, str, str, str | None]:
    place = entry.target
    return entry.forge, place.repository, place.branch, place.group
