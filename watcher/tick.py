"""One tick: observe, decide, act, and look again until nothing is left to do for now.

Level-triggered: a tick relies on nothing an earlier one saw. Without an actor it only looks and decides, which is what
`check` and `--dry-run` do.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import partial

from watcher.act import Actor
from watcher.decide import Policy, decide, failed
from watcher.decision import Kind
from watcher.groups import Shared, shared_by
from watcher.observe import Observer
from watcher.report import Verdict
from watcher.settings import Settings
from watcher.settings_image import ProposalSettings
from watcher.targets import Target, clusters_of, subject_of, targets
from watcher.world import Failure, Observation

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

    every = targets(settings)
    numbers = [number for number, at in enumerate(every) if only is None or clusters_of(at, settings) & only]
    looked = [every[number] for number in numbers]
    first = [judge(target, seen) for target, seen in zip(looked, observer.look(settings, looked), strict=True)]
    if actor is None:
        return first
    last = dict(zip(numbers, first, strict=True))
    built: set[str] = set()
    for number in numbers:
        target, verdict = every[number], last[number]
        if target[0].name in built and verdict.decision.kind is Kind.REBUILD:
            last[number] = verdict = look_again(target)  # built for an earlier pool, just now
        if verdict.decision.kind is Kind.REBUILD:
            built.add(target[0].name)
        last[number] = _settle(target, verdict, actor, look_again, tell, partial(shared_by, every, last))
    return [last[number] for number in numbers]


def _settle(
    target: Target,
    verdict: Verdict,
    actor: Actor,
    look_again: Callable[[Target], Verdict],
    tell: Callable[[Verdict], None],
    shared: Callable[[ProposalSettings, Observation], Shared],
) -> Verdict:
    """Act until nothing is left to do for this target, and return the last verdict."""

    def after(failure: Failure | None, before: Verdict) -> Verdict:
        if failure is None:
            return look_again(target)
        verdict = replace(before, decision=failed(failure))
        tell(verdict)
        return verdict

    if isinstance(verdict.seen, Observation) and verdict.seen.built is not None:
        actor.end_others(target[0], verdict.seen)
    if _is_to_be_ignored(verdict) and target[1] is not None:
        verdict = after(actor.heed(target[1]), verdict)
    for _ in range(_ACTIONS_PER_TICK):
        if verdict.decision.kind not in _ACTIONS or not isinstance(verdict.seen, Observation):
            break
        verdict = after(actor.act(*target, verdict.seen, verdict.decision, shared), verdict)
    return verdict


def _is_to_be_ignored(verdict: Verdict) -> bool:
    """Who proposes does what was told itself; all others would not come to it."""
    proposal = verdict.seen.proposal if isinstance(verdict.seen, Observation) else None
    return proposal is not None and proposal.is_to_be_ignored and verdict.decision.kind is not Kind.PROPOSE


def judged(target: Target, seen: Observation | Failure, now: datetime) -> Verdict:
    """What is decided on one target, as its proposal is configured."""
    _, entry = target
    policy = Policy(hold_until_completed=entry.hold == "completed", windows=entry.open_windows) if entry else Policy()
    return Verdict(subject=subject_of(target), seen=seen, decision=decide(seen, policy, now))
