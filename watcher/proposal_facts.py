"""What the text of a proposal is made of, from what a tick saw. Values only; nothing is asked."""

from layering.cluster.state import Pool
from layering.evidence import Evidence
from layering.markdown import code
from layering.proposal import Facts, Rollout
from layering.reference import ImageReference
from layering.request import ProposalEntry
from layering.secrets import redact
from watcher.engines.engine import Build, BuildState
from watcher.settings_image import ImageSettings
from watcher.world import Observation

_MADE_NOTHING = (BuildState.FAILED, BuildState.CANCELLED)  # the image is another run's, then


def proposal_facts(
    image: ImageSettings,
    entry: ProposalEntry,
    seen: Observation,
    built: ImageReference,
    evidence: Evidence,
    build: Build | None = None,
) -> Facts:
    """What the proposal's text is made of. `build` is the newest attempt at the key, when it can be told."""
    running, wanted = seen.running, seen.wanted
    build = build if build is not None and build.state not in _MADE_NOTHING else None
    return Facts(
        cluster=entry.cluster,
        pool=entry.pool,
        image=built,
        key=str(wanted.key),
        also=tuple(pool.name for pool in seen.also),
        name=image.name,
        why=_why(image, seen),
        old_image=str(running.image) if running else None,
        version=wanted.version,
        old_version=running.version if running else None,
        base=wanted.base.reference,
        old_base=str(running.base_digest) if running and running.base_digest else None,
        source=redact(image.source.git),
        commit=wanted.commit,
        old_commit=running.revision if running else None,
        evidence=evidence,
        rollouts=tuple(map(_rollout, [seen.pool, *seen.also])) if seen.pool is not None else (),
        build=build.name if build else None,
        build_url=build.url if build else None,
        branch_only=entry.forge == "local",
    )


def _rollout(pool: Pool) -> Rollout:
    return Rollout(pool=pool.name, machines=pool.total, at_once=pool.at_once, paused=pool.paused, zones=pool.zones)


def _why(image: ImageSettings, seen: Observation) -> str:
    running, wanted = seen.running, seen.wanted
    if running is None or running.key is None:
        return "it has none of ours yet"
    if running.base_digest not in {wanted.base.digest, *wanted.base.platforms.values()}:
        also = ", and its source is another commit" if running.revision not in (None, wanted.commit) else ""
        if wanted.base.release and not wanted.update_completed:
            return f"the cluster is on its way to {code(wanted.version)}{also}"
        return f"{'the cluster runs' if wanted.base.release else 'its base is'} {code(wanted.version)} now{also}"
    return "the source of the image changed"
