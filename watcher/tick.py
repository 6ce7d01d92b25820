"""One tick: observe, decide, act, and look again until nothing is left to do for now.

Level-triggered: a tick relies on nothing an earlier one saw. Without an actor it only looks and decides, which is what
`check` and `--dry-run` do.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from watcher.act import Actor
from watcher.decide import Kind, Policy, decide, failed
from watcher.observe import Observer, Target, subject_of, targets
from watcher.report import Verdict
from watcher.settings import Settings
from watcher.world import Failure, Observation

_ACTIONS = {Kind.REBUILD, Kind.PROPOSE}
_ACTIONS_PER_TICK = 2  # a build, and the proposal of what it built


def tick(
    settings: Settings,
    observer: Observer,
    actor: Actor | None,
    now: Callable[[], datetime],
    tell: Callable[[Verdict], None],
) -> Sequence[Verdict]:
    """Look at everything, act where something is due, and return the last verdict of each target in order.

    `tell` hears every verdict as it is reached, the ones that were acted on included.
    """
    looked = targets(settings)
    seen = observer.look(settings, looked)
    return [
        _settle(target, first, settings, observer, actor, now, tell) for target, first in zip(looked, seen, strict=True)
    ]


def _settle(
    target: Target,
    seen: Observation | Failure,
    settings: Settings,
    observer: Observer,
    actor: Actor | None,
    now: Callable[[], datetime],
    tell: Callable[[Verdict], None],
) -> Verdict:
    image, entry = target
    verdict = _judge(target, seen, now())
    tell(verdict)
    for _ in range(_ACTIONS_PER_TICK):
        if actor is None or verdict.decision.kind not in _ACTIONS or not isinstance(verdict.seen, Observation):
            break
        failure = actor.act(image, entry, verdict.seen, verdict.decision)
        if failure is not None:
            verdict = Verdict(subject=verdict.subject, seen=verdict.seen, decision=failed(failure))
        else:
            verdict = _judge(target, observer.look(settings, [target])[0], now())
        tell(verdict)
    return verdict


def _judge(target: Target, seen: Observation | Failure, now: datetime) -> Verdict:
    _, entry = target
    policy = Policy(hold_until_completed=entry is None or entry.hold == "completed")
    return Verdict(subject=subject_of(target), seen=seen, decision=decide(seen, policy, now))
