"""What a cluster is and wants, in one look: its release, its OS image streams, its pools.

Each part may fail by itself, and its error then stands in its place: "could not tell" is a value. A look never lasts
longer than the cluster's time limit. Last known values are not kept here, and nothing is decided.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from layering.cluster.api import ClusterApi
from layering.cluster.clusterversion import ClusterRelease, parse_clusterversion
from layering.cluster.memory import Memory
from layering.cluster.pools import Pool, read_pools
from layering.cluster.resources import CLUSTER_VERSIONS, MACHINE_CONFIG_POOLS, Resource
from layering.cluster.streams import OSImageStreams, read_streams
from layering.errors import ContentError, InputError, LayerwatchError, NotFoundError, RefusedError
from layering.reasons import Reason

__all__ = ["ClusterState", "Memory", "OSImageStreams", "Pool", "read_release", "read_state"]

_NAME = "version"
_NOT_OPENSHIFT_HINT = (
    "if it is plain Kubernetes, let the image follow a tag (base.image); otherwise name another cluster"
)
_NO_USE_ASKING_ON = (Reason.UNREACHABLE, Reason.TIMED_OUT, Reason.UNAUTHORIZED)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterState:
    """What one look found. `streams` is None without such an API, `pools` is None for a cluster that is a file."""

    release: ClusterRelease | LayerwatchError
    streams: OSImageStreams | LayerwatchError | None
    pools: Mapping[str, Pool] | LayerwatchError | None


def read_state(api: ClusterApi, memory: Memory) -> ClusterState:
    """Look at the cluster. Raises nothing that a cluster can cause: it stands in the state."""
    look = api.within()
    release = _part(lambda: read_release(look))
    if isinstance(release, LayerwatchError) and release.reason in _NO_USE_ASKING_ON:
        return ClusterState(release=release, streams=release, pools=release)
    return ClusterState(
        release=release,
        streams=_part(lambda: read_streams(look, memory)),
        pools=_part(lambda: _of_openshift(look, MACHINE_CONFIG_POOLS, lambda: read_pools(look, memory))),
    )


def read_release(api: ClusterApi) -> ClusterRelease:
    """The release of a cluster. Raises ContentError when it makes no sense, NotFoundError (ApiMissing) without one."""
    body = _of_openshift(api, CLUSTER_VERSIONS, lambda: api.get(CLUSTER_VERSIONS, _NAME))
    where = f"{api.name}: {CLUSTER_VERSIONS.kind}/{_NAME}"
    try:
        return parse_clusterversion(body, where)
    except InputError as error:
        raise ContentError(
            error.what, where=where, next_step=f"oc get clusterversion {_NAME} -o yaml shows the object"
        ) from None


def _of_openshift(api: ClusterApi, resource: Resource, ask: Callable[[], T]) -> T:
    """What `ask` gives. Raises NotFoundError (ApiMissing) on plain Kubernetes, which says 403 to who has no rights."""
    try:
        return ask()
    except NotFoundError as error:
        raise _no_openshift(resource, error) from None
    except RefusedError as error:
        if error.reason is Reason.FORBIDDEN and api.served_version(resource.group, resource.plural) is None:
            raise _no_openshift(resource, error) from None
        raise


def _no_openshift(resource: Resource, error: LayerwatchError) -> NotFoundError:
    return NotFoundError(
        f"the cluster has no {resource.kind}, so it is not OpenShift",
        where=error.where,
        next_step=_NOT_OPENSHIFT_HINT,
        reason=Reason.API_MISSING,
    )


def _part(ask: Callable[[], T]) -> T | LayerwatchError:
    try:
        return ask()
    except LayerwatchError as error:
        return error
