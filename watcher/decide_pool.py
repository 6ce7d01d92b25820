"""What a pool's own situation says: that it is not ours to touch, or how far it is on its way to a merged image.

Pure, as decide.py is; the same table is its specification.
"""

from dataclasses import replace

from layering.cluster.state import Pool
from layering.machineconfig_merge import Claim, winner
from layering.reasons import Reason
from layering.reference import ImageReference, same_digest
from watcher.decision import Decision, Kind
from watcher.world import Observation


def not_to_be_touched(seen: Observation) -> Decision | None:
    """What makes the whole proposal wrong, whatever git and the registry hold."""
    pool, wanted = seen.pool, seen.wanted
    if wanted.disagreement:
        return Decision(
            kind=Kind.BLOCKED,
            reason=Reason.STREAM_DISAGREEMENT,
            message=wanted.disagreement,
            next_step="follow one of the cluster's streams (base: {cluster, stream}), or the tag that is one of them",
        )
    if pool is None:
        return None
    if pool.layered_by is not None:
        return Decision(
            kind=Kind.BLOCKED,
            reason=Reason.POOL_LAYERED_BY_MACHINE_OS_CONFIG,
            message=f"MachineOSConfig/{pool.layered_by} has the cluster itself layer this pool",
            next_step="delete the MachineOSConfig, or take the pool out of layerwatch's configuration",
        )
    if pool.stream is not None:
        return Decision(
            kind=Kind.BLOCKED,
            reason=Reason.POOL_STREAM_SET,
            message=f"the pool names the OS image stream {pool.stream}; the operator refuses an osImageURL beside it",
            next_step="remove spec.osImageStream from the pool; build FROM that stream instead",
        )
    return _architecture_missing(seen, pool) or _overridden_elsewhere(seen, pool)


def _architecture_missing(seen: Observation, pool: Pool) -> Decision | None:
    built_for = {platform.architecture for platform in seen.platforms}
    lacking = {one.name: set(one.architectures or ()) - built_for for one in (pool, *seen.also)}
    missing = sorted(set().union(*lacking.values()))
    if not missing:
        return None
    named = ", ".join(name for name, architectures in lacking.items() if architectures)
    return Decision(
        kind=Kind.BLOCKED,
        reason=Reason.ARCHITECTURE_MISSING,
        message=f"{named} has {', '.join(missing)} nodes, and the image is built for {', '.join(sorted(built_for))}",
        next_step=f"add {', '.join(f'linux/{name}' for name in missing)} to the image's platforms",
    )


def _overridden_elsewhere(seen: Observation, pool: Pool) -> Decision | None:
    """Another MachineConfig sets osImageURL and would still win once ours says something else."""
    ours = seen.proposal.config if seen.proposal else None
    if ours is None or pool.set_by is None or pool.set_by == ours.name:
        return None
    theirs = Claim(name=pool.set_by, role=pool.set_by_role, image=pool.os_image, line=0)
    stands = winner([replace(ours, image="ours"), theirs], pool.name)
    if stands is None or stands.winner.name == ours.name:
        return None
    return Decision(
        kind=Kind.BLOCKED,
        reason=Reason.OVERRIDDEN_ELSEWHERE,
        message=f"MachineConfig/{theirs.name} sets osImageURL and wins over {ours.name}: {stands.why}",
        next_step=f"name {theirs.name}'s file in the proposal, or take osImageURL out of it",
    )


def rolling_out(pool: Pool, image: ImageReference) -> Decision | None:
    """Git pins the image, and the pool's nodes have to run it as well; None when they do."""
    requested = same_digest(pool.os_image, image)
    if requested and pool.is_rolled_out:
        return None
    if pool.degraded:
        return Decision(
            kind=Kind.BLOCKED,
            reason=Reason.POOL_DEGRADED,
            message=f"{pool.degraded_machines} of {pool.total} nodes are degraded: {pool.message or 'no message'}",
            next_step=f"oc describe machineconfigpool {pool.name}; git revert of the proposal's merge takes it back",
        )
    if not requested:
        return Decision(
            kind=Kind.ROLLING_OUT,
            reason=Reason.MERGED_NOT_APPLIED,
            message=f"git pins the image; {pool.rendered or 'the pool'} does not name it yet",
            next_step="apply the MachineConfig, or see why whatever applies it did not",
        )
    if pool.paused:
        return Decision(
            kind=Kind.HELD,
            reason=Reason.POOL_PAUSED,
            message=f"the pool is paused; {pool.updated_machines} of {pool.total} nodes run the image",
            next_step=f"unpause it when its nodes may reboot: oc patch machineconfigpool {pool.name} "
            '--type merge -p \'{"spec":{"paused":false}}\'',
        )
    return Decision(
        kind=Kind.ROLLING_OUT,
        reason=Reason.POOL_UPDATING,
        message=f"{pool.updated_machines} of {pool.total} nodes run the image",
    )
