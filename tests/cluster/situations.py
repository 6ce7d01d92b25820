"""What the tables of situations share: a situation is a few steps of the played operators, and what is read then."""

from collections.abc import Callable

from layering.cluster.api import ClusterApi
from layering.cluster.pools import Pool
from layering.cluster.state import Memory, read_state
from layering.errors import LayerwatchError
from tests.kubernetes.openshift import OpenShiftPlay

Play = tuple[Callable[[OpenShiftPlay], object], ...]
MINE = f"registry.example.com/acme/os@sha256:{'a' * 64}"
OTHER = f"registry.example.com/acme/os@sha256:{'b' * 64}"


def pools_of(api: ClusterApi) -> dict[str, Pool]:
    pools = read_state(api, Memory()).pools
    assert not isinstance(pools, LayerwatchError | None)
    return dict(pools)


def pool_of(api: ClusterApi, name: str = "worker") -> Pool:
    return pools_of(api)[name]
