"""One tick: observe, decide, act, and look again until nothing is left to do for now.

Level-triggered: a tick relies on nothing an earlier one saw. Without an actor it only looks and decides, which is what
`check` and `--dry-run` do.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import replace
from datetime import datetime

from watcher.act import Actor, Member
from watcher.decide import Policy, decide, failed
from watcher.decision import Kind
from watcher.observe import Observer
from watcher.report import Verdict
from watcher.settings import Settings
from watcher.settings_image import ProposalSettings
from watcher.targets import Target, clusters_of, subject_of, targets
from watcher.world import Failure, Observation

_PROPOSED = {Kind.PROPOSE, Kind.AWAITING_APPROVAL}
_ACTIONS = {Kind.REBUILD, Kind.PROPOSE}
_ACTIONS_PER_TICK = 2  # a build, and the proposal of what it built


def tick(
    settings: Settings,
    observer: Observer,
    actor: Actor | None,
    now: Callable[[], datetime],
    tell: Callable[[Verdict], None],
    only: Set[str] | None = None,
) -> Sequence[Verdict]:
    """Look at everything, act where something is due, and return the last verdict of each target in order.

    `tell` hears every verdict as it is reached, the ones that were acted on included. `only` names clusters: what has
    to do with none of them is left out.
    """

    def judge(target: Target, seen: Observation | Failure) -> Verdict:
        verdict = judged(target, seen, now())
        tell(verdict)
        return verdict

    def look_again(target: Target) -> Verdict:
        return judge(target, observer.look(settings, [target])[0])

    looked = [target for target in targets(settings) if only is None or clusters_of(target, settings) & only]
    first = [judge(target, seen) for target, seen in zip(looked, observer.look(settings, looked), strict=True)]
    if actor is None:
        return first
    settled: list[Verdict] = []
    built: set[str] = set()
    for number, (target, verdict) in enumerate(zip(looked, first, strict=True)):
        if target[0].name in built and verdict.decision.kind is Kind.REBUILD:
            verdict = look_again(target)  # built for an earlier pool, just now
        if verdict.decision.kind is Kind.REBUILD:
            built.add(target[0].name)
        others = _grouped_with(target, zip(looked, [*settled, verdict, *first[number + 1 :]], strict=True))
        settled.append(_settle(target, verdict, actor, look_again, tell, others))
    return settled


def _grouped_with(target: Target, all_of_them: Iterable[tuple[Target, Verdict]]) -> Sequence[Member]:
    """The other lines of the pull request that this target shares: those that are proposed, or are to be."""
    _, entry = target
    if entry is None or entry.group is None:
        return ()
    return [
        Member(image=image, entry=other, seen=verdict.seen)
        for (image, other), verdict in all_of_them
        if other is not None and other is not entry and _shares(entry, other)
        if verdict.decision.kind in _PROPOSED and isinstance(verdict.seen, Observation)
    ]


def _shares(entry: ProposalSettings, other: ProposalSettings) -> bool:
    place, others = entry.target, other.target
    return (entry.forge, place.repository, place.branch, place.group) == (
        other.forge,
        others.repository,
        others.branch,
        others.group,
    )


def _settle(
    target: Target,
    verdict: Verdict,
    actor: Actor,
    look_again: Callable[[Target], Verdict],
    tell: Callable[[Verdict], None],
    others: Sequence[Member],
) -> Verdict:
    """Act until nothing is left to do for this target, and return the last verdict."""
    if isinstance(verdict.seen, Observation) and verdict.seen.built is not None:
        actor.end_others(target[0], verdict.seen)
    for _ in range(_ACTIONS_PER_TICK):
        if verdict.decision.kind not in _ACTIONS or not isinstance(verdict.seen, Observation):
            break
        failure = actor.act(*target, verdict.seen, verdict.decision, others)
        if failure is None:
            verdict = look_again(target)
        else:
            verdict = replace(verdict, decision=failed(failure))
            tell(verdict)
    return verdict


def judged(target: Target, seen: Observation | Failure, now: datetime) -> Verdict:
    """What is decided on one target, as its proposal is configured."""
    _, entry = target
    policy = Policy(hold_until_completed=entry.hold == "completed", windows=entry.open_windows) if entry else Policy()
    return Verdict(subject=subject_of(target), seen=seen, decision=decide(seen, policy, now))
