"""`layerwatch explain IMAGE`: why this image was, or was not, rebuilt: the decision, and each fact with its source.

Only what this image needs is asked. With several pools the most urgent one stands for the image; the others are told,
too. It decides nothing and writes nothing.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layering.errors import InputError
from layering.outcome import answer, shown
from layering.request import API_VERSION
from layering.suggestion import did_you_mean
from watcher.configuration import load
from watcher.decision import Kind
from watcher.facts import Fact, image_facts, pool_facts
from watcher.home import run_place
from watcher.known import Known
from watcher.overview import facts_of
from watcher.report import COLOURS, Verdict, place
from watcher.settings import Settings
from watcher.settings_image import FollowedCluster, ImageSettings
from watcher.targets import Target, clusters_of, targets
from watcher.tick import judged
from watcher.watch import Watch, utc_now, watching

_URGENCY = (
    Kind.BLOCKED,
    Kind.UNKNOWN,
    Kind.REBUILD,
    Kind.PROPOSE,
    Kind.BUILDING,
    Kind.AWAITING_APPROVAL,
    Kind.ROLLING_OUT,
    Kind.HELD,
    Kind.UP_TO_DATE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """One image for one pool: what was decided, and on what. `of_pool` are the facts that other pools do not share."""

    verdict: Verdict
    of_image: tuple[Fact, ...]
    of_pool: tuple[Fact, ...]


def explain(config: Path, name: str, *, json_output: bool) -> int:
    """Look at one image, and print why. Exit code 0. Raises InputError when the configuration has no such image."""
    settings = load(config)
    image = _image(settings, name)
    with watching(settings) as watch:
        verdicts = _look(watch, image)
        found = explanations(settings, verdicts, watch.clusters.known)
    answer(as_json(found) if json_output else as_text(found, colour=sys.stdout.isatty()), is_json=json_output)
    return 0


def _image(settings: Settings, name: str) -> ImageSettings:
    known = [image.name for image in settings.images]
    if name not in known:
        hint = did_you_mean(name, known) or f"images has {', '.join(known) or 'none'}"
        raise InputError(f"there is no image {name}", where="images", next_step=hint)
    return settings.images[known.index(name)]


def _look(watch: Watch, image: ImageSettings) -> Sequence[tuple[Target, Verdict]]:
    settings = watch.settings
    wanted = [target for target in targets(settings) if target[0] is image]
    asked = set[str]().union(*(clusters_of(target, settings) for target in wanted))
    if settings.registry_access.asks_cluster and (registries := settings.registry_cluster(image)):
        asked.add(registries)
    watch.clusters.refresh_all(name for name in watch.clusters.names if name in asked)
    seen = watch.observer.look(settings, wanted)
    return [(target, judged(target, each, utc_now())) for target, each in zip(wanted, seen, strict=True)]


def explanations(
    settings: Settings, verdicts: Iterable[tuple[Target, Verdict]], known: Callable[[str], Known]
) -> Sequence[Explanation]:
    """The most urgent first."""
    names = {cluster.name for cluster in settings.clusters}
    found = []
    for target, verdict in verdicts:
        image, entry = target
        followed = known(image.base.cluster) if isinstance(image.base, FollowedCluster) else None
        state = facts_of(known(entry.cluster))[0] if entry and entry.cluster in names else None
        pools = state.pools if state and isinstance(state.pools, Mapping) else {}
        pool = pools.get(entry.pool) if entry else None
        found.append(
            Explanation(
                verdict=verdict,
                of_image=tuple(image_facts(image, verdict.seen, followed, run_place(settings, image))),
                of_pool=tuple(pool_facts(target, verdict.seen, pool)),
            )
        )
    return sorted(found, key=lambda each: _URGENCY.index(each.verdict.decision.kind))


def as_json(found: Sequence[Explanation]) -> str:
    """kind Explanation. The top level is the most urgent pool's; `pools` is there when there are several."""
    first = found[0]
    whole: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "Explanation",
        "image": first.verdict.subject.image,
        **_decided(first),
    }
    if len(found) > 1:
        subjects = [each.verdict.subject for each in found]
        whole["pools"] = [
            {"cluster": subject.cluster, "pool": subject.pool, **_decided(each)}
            for subject, each in zip(subjects, found, strict=True)
        ]
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _decided(explanation: Explanation) -> dict[str, Any]:
    decision = explanation.verdict.decision
    return {
        "decision": decision.kind.value,
        "reason": decision.reason.value,
        "message": decision.message,
        "nextStep": decision.next_step,
        "facts": [
            {"fact": fact.fact, "value": fact.value, "source": fact.source}
            for fact in (*explanation.of_image, *explanation.of_pool)
        ],
    }


def as_text(found: Sequence[Explanation], *, colour: bool = False) -> str:
    """The decisions, then the facts, those that pools share once; each source stands below its fact."""
    shared = list(dict.fromkeys(fact for each in found for fact in each.of_image))
    lines = [line for each in found for line in _decision(each, colour=colour)]
    lines += ["", found[0].verdict.subject.image, *_facts(shared)] if shared else []
    for each in found:
        if each.of_pool:
            lines += ["", place(each.verdict.subject), *_facts(each.of_pool)]
    return "\n".join(lines) + "\n"


def _decision(explanation: Explanation, *, colour: bool) -> list[str]:
    decision, subject = explanation.verdict.decision, explanation.verdict.subject
    word = f"\033[{COLOURS[decision.kind]}m{decision.kind}\033[0m" if colour else str(decision.kind)
    lines = [f"{subject}: {word} {decision.reason}", *(f"    {line}" for line in shown(decision.message).splitlines())]
    return [*lines, f"    next: {shown(decision.next_step)}"] if decision.next_step else lines


def _facts(facts: Sequence[Fact]) -> list[str]:
    width = max(len(fact.fact) for fact in facts)
    lines = []
    for fact in facts:
        value = " ".join(shown(fact.value).split())
        lines += [f"  {fact.fact.ljust(width)}  {value}", f"  {' ' * width}  from {shown(fact.source)}"]
    return lines
