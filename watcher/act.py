"""Do what was decided: start the build, or make the proposal. Idempotent by build key.

Whatever goes wrong becomes a `Failure`, so that one image in trouble never stops the others. It decides nothing.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from layering.base import Base
from layering.errors import CheckError, LayerwatchError, UnavailableError
from layering.evidence import gather
from layering.findings import Severity, passed
from layering.forge.forge import Change, Forge, Proposal, State
from layering.proposal import Facts, body, group_body, group_title, title
from layering.reasons import Reason
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.request import RebuildRequest, SourceEntry
from watcher.decision import Decision, Kind
from watcher.engines.engine import Build, Engine
from watcher.groups import Member, Shared
from watcher.proposal_facts import proposal_facts
from watcher.settings_image import ImageSettings, ProposalSettings
from watcher.world import Failure, Observation

_log = logging.getLogger("layerwatch.act")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A line to propose. `is_early`: its cluster is still on its way to the release."""

    change: Change
    facts: Facts
    is_early: bool = False


class Actor:
    """Acts on decisions through the engines and the forges it is given.

    `may_act` is asked right before each write: a watcher that has lost its Lease must not make one.
    """

    def __init__(
        self,
        registry: Callable[[ImageSettings], RegistryClient],
        forges: Mapping[str, Forge],
        engines: Mapping[str, Engine],
        now: Callable[[], datetime],
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        self._registry = registry
        self._forges = forges
        self._engines = engines
        self._now = now
        self._may_act = may_act
        self._ended_for: dict[str, str] = {}
        self._not_ended: set[str] = set()

    def act(
        self,
        image: ImageSettings,
        entry: ProposalSettings | None,
        seen: Observation,
        decision: Decision,
        shared: Callable[[ProposalSettings, Observation], Shared],
    ) -> Failure | None:
        """Build or propose, as decided. None when it was done, or is under way.

        `shared` tells what an entry's proposal has of others.
        """
        try:
            if decision.kind is Kind.REBUILD:
                self._build(image, seen)
            if decision.kind is Kind.PROPOSE and entry is not None:
                self._propose(image, entry, seen, shared(entry, seen))
        except LayerwatchError as error:
            return Failure.of(error)
        return None

    def heed(self, entry: ProposalSettings) -> Failure | None:
        """Close the open proposal that a person told us to ignore. None when it was done."""
        try:
            self._check_that_we_may()
            self._forges[entry.forge].heed(entry.target)
        except LayerwatchError as error:
            return Failure.of(error)
        return None

    def end_others(self, image: ImageSettings, seen: Observation) -> None:
        """The wanted image is there: what is still being built for another key is not wanted any more.

        Asked once for each key; what the engine cannot do now is tried again by the next tick. Not when the image is
        proposed already: whoever did that has asked, and a request at each look would be too many. A key that comes
        back while another one is built lets that build end: it pushes an image that nobody uses.
        """
        key = str(seen.wanted.key)
        is_proposed = seen.proposal is not None and seen.proposal.state is State.UNCHANGED
        if self._ended_for.get(image.name) == key or (is_proposed and image.name not in self._not_ended):
            return
        try:
            self._check_that_we_may()
            self._engines[image.build.engine].end_others(image, key)
        except LayerwatchError as error:
            level = logging.DEBUG if isinstance(error, UnavailableError) else logging.WARNING
            _log.log(level, "builds of other keys may still run: %s", error, extra={"image": image.name})
            self._not_ended.add(image.name)
        else:
            self._ended_for[image.name] = key
            self._not_ended.discard(image.name)

    def _build(self, image: ImageSettings, seen: Observation) -> None:
        self._check_that_we_may()
        self._engines[image.build.engine].start(image, rebuild_request(image, seen), seen.build)

    def _propose(self, image: ImageSettings, entry: ProposalSettings, seen: Observation, shared: Shared) -> None:
        """Check the image once more and propose it; an image that does not pass is never proposed.

        Nor does one stop the others of its group: what is wrong with it is told when it is its turn.
        """
        own = self._checked(Member(image=image, entry=entry, seen=seen))
        lines = [own, *(line for line in map(self._line, shared.others) if line is not None)]
        self._check_that_we_may()
        while True:
            try:
                made = self._forges[entry.forge].propose(self._proposal(entry.group, shared, lines))
                break
            except LayerwatchError as error:
                fitting = [line for line in lines if line.change.target.member != error.member]
                if own not in fitting or len(fitting) == len(lines):
                    raise
                lines = fitting
        for warning in made.warnings:
            _log.warning("%s: %s", made.pull_request or made.branch, warning, extra={"image": image.name})

    def _proposal(self, group: str | None, shared: Shared, lines: Sequence[_Line]) -> Proposal:
        """Of these lines, the first one's own."""
        change, facts, manners = lines[0].change, lines[0].facts, shared.manners
        told = sorted(lines, key=lambda line: shared.order.index(line.change.target.member))
        all_facts = [line.facts for line in told]
        on_its_way = any(line.is_early for line in lines)
        return Proposal(
            target=change.target,
            image=change.image,
            key=change.key,
            title=group_title(group, all_facts, manners.title) if group else title(facts, manners.title),
            body=(lambda room, _: group_body(all_facts, room)) if group else partial(body, facts),
            when=self._now(),
            manners=replace(manners, draft=True) if on_its_way else manners,
            others=tuple(line.change for line in lines[1:]),
        )

    def _line(self, other: Member | Change) -> _Line | None:
        """Another's line; the open one as it is when the newer image does not pass, and none when there is none."""
        if isinstance(other, Change):
            return _kept(other)
        try:
            return self._checked(other)
        except LayerwatchError:
            return _kept(other.line) if other.line is not None else None

    def _checked(self, member: Member) -> _Line:
        """One line of a proposal. Raises CheckError for an image that does not pass."""
        image, entry, seen = member.image, member.entry, member.seen
        built = seen.built
        if built is None:
            raise CheckError("there is no image to propose", where=str(seen.subject))
        previous = seen.running.image if seen.running else None
        wanted = seen.wanted
        evidence = gather(self._registry(image), built, wanted.base.reference, image.platforms, previous)
        findings = evidence.findings or ()
        if not passed(findings):
            errors = "; ".join(f"{f.rule}: {f.message}" for f in findings if f.severity is Severity.ERROR)
            raise CheckError(errors, where=str(built), next_step="mend the Containerfile; the image is not proposed")
        facts = proposal_facts(image, entry, seen, built, evidence, self._built_by(image, str(wanted.key)))
        change = Change(target=entry.target, image=built, key=str(wanted.key))
        return _Line(change=change, facts=facts, is_early=not wanted.update_completed)

    def _built_by(self, image: ImageSettings, key: str) -> Build | None:
        """The run to name in a proposal; a proposal does not wait for who knows it."""
        try:
            return self._engines[image.build.engine].find(image, key)
        except LayerwatchError:
            return None

    def _check_that_we_may(self) -> None:
        if not self._may_act():
            raise UnavailableError(
                "this watcher does not hold the Lease any more",
                where="leader election",
                next_step="nothing to do; the one that holds it acts",
                reason=Reason.TIMED_OUT,
            )


def _kept(change: Change) -> _Line:
    """A line that is open already, and of which nothing more is known now."""
    target = change.target
    facts = Facts(cluster=target.cluster, pool=target.pool, image=change.image, key=change.key)
    return _Line(change=change, facts=facts)


def rebuild_request(image: ImageSettings, seen: Observation) -> RebuildRequest:
    """The message to the pipeline. It carries no proposals: builds run other people's code, proposing is ours."""
    wanted = seen.wanted
    return RebuildRequest(
        apiVersion="layerwatch/v1alpha1",
        kind="RebuildRequest",
        image=image.name,
        base=named_base(wanted.base),
        release=wanted.base.release,
        platforms=image.platforms,
        source=SourceEntry(
            git=image.source.git,
            commit=wanted.commit,
            context=image.source.context,
            containerfile=image.source.containerfile,
        ),
        match=image.source.match,
        buildArgs=image.build.args,
        target=wanted.target,
        builder=image.build.builder,
        key=str(wanted.key),
        proposals=(),
    )


def named_base(base: Base) -> ImageReference:
    """The base by digest, with the tag it is followed by, so that the image can say so."""
    followed = ImageReference.parse(base.name)
    return ImageReference(base.reference.repository, followed.tag, base.digest)
