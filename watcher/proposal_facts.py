"""What the text of a proposal is made of, from what a tick saw. Values only; nothing is asked."""

from layering.evidence import Evidence
from layering.markdown import code
from layering.proposal import Facts
from layering.reference import ImageReference
from layering.request import ProposalEntry
from layering.secrets import redact
from watcher.settings_image import ImageSettings
from watcher.world import Observation


def proposal_facts(
    image: ImageSettings, entry: ProposalEntry, seen: Observation, built: ImageReference, evidence: Evidence
) -> Facts:
    """What the proposal's text is made of."""
    running, wanted = seen.running, seen.wanted
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
        evidence=evidence,
    )


def _why(image: ImageSettings, seen: Observation) -> str:
    running, wanted = seen.running, seen.wanted
    if running is None or running.key is None:
        return "it has none of ours yet"
    if running.base_digest not in {wanted.base.digest, *wanted.base.platforms.values()}:
        return f"{'the cluster runs' if wanted.base.release else 'its base is'} {code(wanted.version)} now"
    return "the source of the image changed"
