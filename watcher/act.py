"""Do what was decided: start the build, or make the proposal. Idempotent by build key.

Whatever goes wrong becomes a `Failure`, so that one image in trouble never stops the others. It decides nothing.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from layering.errors import CheckError, LayerwatchError
from layering.evidence import gather
from layering.findings import Severity, passed
from layering.forge.forge import Forge, Proposal
from layering.proposal import body, title
from layering.registry.client import RegistryClient
from layering.request import API_VERSION, ProposalEntry, RebuildRequest, SourceEntry
from watcher.decide import Decision, Kind
from watcher.engines.local import LocalEngine
from watcher.observe import proposal_target
from watcher.settings import ImageSettings
from watcher.world import Failure, Observation


class Actor:
    """Acts on decisions through the engine and the forges it is given."""

    def __init__(
        self,
        registry: RegistryClient,
        forges: Mapping[str, Forge],
        engine: LocalEngine,
        now: Callable[[], datetime],
    ) -> None:
        self._registry = registry
        self._forges = forges
        self._engine = engine
        self._now = now

    def act(
        self, image: ImageSettings, entry: ProposalEntry | None, seen: Observation, decision: Decision
    ) -> Failure | None:
        """Build or propose, as decided. None when it was done."""
        try:
            if decision.kind is Kind.REBUILD:
                failed = self._engine.build(rebuild_request(image, seen))
                return failed.failure if failed else None
            if decision.kind is Kind.PROPOSE and entry is not None:
                self._propose(image, entry, seen)
        except LayerwatchError as error:
            return Failure.of(error)
        return None

    def _propose(self, image: ImageSettings, entry: ProposalEntry, seen: Observation) -> None:
        """Check the image once more and propose it; an image that does not pass is never proposed."""
        built = seen.built
        if built is None:
            raise CheckError("there is no image to propose", where=str(seen.subject))
        previous = seen.running.image if seen.running else None
        evidence = gather(self._registry, image=built, wanted=seen.wanted_facts, previous=previous)
        if not passed(evidence.findings):
            errors = "; ".join(f"{f.rule}: {f.message}" for f in evidence.findings if f.severity is Severity.ERROR)
            raise CheckError(errors, where=str(built), next_step="mend the Containerfile; the image is not proposed")
        self._forges[entry.forge].propose(
            Proposal(
                target=proposal_target(entry),
                image=built,
                key=str(seen.wanted.key),
                title=title(evidence),
                body=body(evidence),
                now=self._now(),
            )
        )


def rebuild_request(image: ImageSettings, seen: Observation) -> RebuildRequest:
    """The message to the pipeline. It carries no proposals: builds run other people's code, proposing is ours."""
    wanted = seen.wanted
    return RebuildRequest(
        apiVersion=API_VERSION,
        kind="RebuildRequest",
        image=image.name,
        base=wanted.base.reference,
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
