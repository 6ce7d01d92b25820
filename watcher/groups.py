"""Which proposals share a pull request, and what they have of each other. Pure: it asks nothing and writes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from layering.forge.forge import Change, ProposalState, repository_identity
from layering.forge.judgement import same_value
from layering.forge.manners import Manners
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """What goes into one proposal beside the line that is acted for: further lines, and the manners of all entries.

    A Change stays as it is. `order` has the members as the text tells of them, whoever proposes.
    """

    others: Sequence[Member | Change]
    manners: Manners
    order: Sequence[str]


def shared_by(
    every: Sequence[Target], verdicts: Mapping[int, Verdict], entry: ProposalSettings, seen: Observation
) -> Shared:
    """What an entry's proposal has of others in its group; of an entry by itself, its own manners.

    `every` has all targets of the configuration, in its order; `verdicts` those of the ones that were looked at.
    """
    if entry.group is None:
        return Shared(others=(), manners=entry.manners, order=(entry.target.member,))
    own = _pull_request_of(entry)
    group = [
        (image, other, verdicts.get(number))
        for number, (image, other) in enumerate(every)
        if other is not None and _pull_request_of(other) == own
    ]
    others = (_line_of(image, other, verdict, seen.proposal) for image, other, verdict in group if other is not entry)
    return Shared(
        others=tuple(line for line in others if line is not None),
        manners=together([other.manners for _, other, _ in group]),
        order=[other.target.member for _, other, _ in group],
    )


def together(all_of_them: Sequence[Manners]) -> Manners:
    """The manners of one proposal for all who share it, the first entry's first: what each of them asks for, the first
    milestone and title that are there, and a draft when any says so.
    """
    return Manners(
        labels=_union(manners.labels for manners in all_of_them),
        reviewers=_union(manners.reviewers for manners in all_of_them),
        assignees=_union(manners.assignees for manners in all_of_them),
        milestone=_first(manners.milestone for manners in all_of_them),
        draft=any(manners.draft for manners in all_of_them),
        title=_first(manners.title for manners in all_of_them),
    )


def _union(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(lists)))


def _first(texts: Iterable[str | None]) -> str | None:
    return next((text for text in texts if text is not None), None)


def _line_of(
    image: ImageSettings, entry: ProposalSettings, verdict: Verdict | None, shared: ProposalState | None
) -> Member | Change | None:
    """What is proposed, or is to be; what is open in the shared one and cannot be renewed now, as it is."""
    seen = verdict.seen if verdict is not None else None
    line = _open_line(entry, shared, seen) if shared is not None else None
    if verdict is not None and verdict.decision.kind in _PROPOSED and isinstance(seen, Observation):
        return Member(image=image, entry=entry, seen=seen, line=line)
    return line


def _open_line(entry: ProposalSettings, shared: ProposalState, seen: Observation | Failure | None) -> Change | None:
    """Its line in the open one, while that is still due."""
    line = shared.members.get(entry.target.member)
    if line is None or not _is_still_due(line, seen):
        return None
    return Change(target=entry.target, image=ImageReference.parse(line.image), key=line.key)


def _is_still_due(line: Line, seen: Observation | Failure | None) -> bool:
    """Whether git pins what it pinned when the line was written; taken for granted when that cannot be told."""
    return not isinstance(seen, Observation) or seen.proposal is None or same_value(line.old, seen.proposal.pinned)


def _pull_request_of(entry: ProposalSettings) -> tuple[str, str, str, str | None]:
    target = entry.target
    return entry.forge, repository_identity(target.repository), target.branch, target.group
