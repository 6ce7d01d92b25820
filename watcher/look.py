"""What is the same for all images of one look: what clusters told, and what is asked once of branches and tags."""

from collections.abc import Mapping
from dataclasses import dataclass

from layering.cluster.clusterversion import ClusterRelease
from layering.cluster.state import ClusterState, Pool
from layering.errors import InputError, LayerwatchError
from layering.forge.forge import Forge
from layering.machineconfig_merge import Claim
from layering.once import Once
from layering.reasons import Reason
from layering.reference import Digest, ImageReference
from layering.registry.client import RegistryClient
from layering.request import ProposalEntry
from watcher.engines.engine import Build
from watcher.known import Known
from watcher.world import CouldNotTell, Failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What is the same for all images of one look: clusters, and what is asked once of repositories and tags."""

    clusters: Mapping[str, Known]
    forges: Mapping[str, Forge]
    commit: Once[str]
    digest: Once[Digest]
    built: Once[ImageReference | None]
    build: Once[Build | None]

    def pin(self, registry: RegistryClient, reference: ImageReference) -> ImageReference:
        """The reference with its digest; a tag costs one HEAD."""
        if reference.digest is not None:
            return reference
        return ImageReference(reference.repository, reference.tag, self.digest(registry, reference))

    def release(self, cluster: str) -> tuple[ClusterState, ClusterRelease]:
        """What a cluster runs. Raises CouldNotTell, or the error that stands in its place."""
        state = self.clusters[cluster].state
        if isinstance(state, Failure):
            raise CouldNotTell(state)
        if isinstance(state.release, LayerwatchError):
            raise CouldNotTell(Failure.of(state.release))
        return state, state.release

    def pool(self, entry: ProposalEntry) -> Pool | None:
        """The pool that is proposed for; None when its cluster is a file, or none of ours."""
        pools = self._pools(entry.cluster)
        if pools is not None and entry.pool not in pools:
            raise InputError(
                f"the cluster has no MachineConfigPool {entry.pool}",
                where=f"{entry.cluster}: MachineConfigPool/{entry.pool}",
                next_step=f"it has {', '.join(sorted(pools)) or 'none'}; name one of them in proposals[].pool",
                reason=Reason.POOL_MISSING,
            )
        return pools[entry.pool] if pools is not None else None

    def also(self, entry: ProposalEntry, config: Claim | None) -> tuple[Pool, ...]:
        """The other pools whose image the proposal's MachineConfig decides: custom pools take worker's."""
        pools = self._pools(entry.cluster) or {}
        return tuple(
            pool
            for name, pool in pools.items()
            if config is not None
            and name != entry.pool
            and config.name in pool.sources
            and pool.set_by in (None, config.name)
        )

    def _pools(self, cluster: str) -> Mapping[str, Pool] | None:
        known = self.clusters.get(cluster)
        if known is None:
            return None
        if isinstance(known.state, Failure):
            raise CouldNotTell(known.state)
        if isinstance(known.state.pools, LayerwatchError):
            raise CouldNotTell(Failure.of(known.state.pools))
        return known.state.pools
