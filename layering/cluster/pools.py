"""What a cluster's MachineConfigPools want, have, and are doing.

openshift/api machineconfiguration/v1 types.go; openshift/machine-config-operator pkg/controller/node/status.go. The API
server checks nothing across fields, so what does not fit reads as absent. Nothing is decided here.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from layering.cluster.api import ClusterApi
from layering.cluster.machineconfigs import MachineConfigs, Rendered
from layering.cluster.memory import Memory
from layering.cluster.nodes import Zones, architectures_by_pool, zones_by_pool
from layering.cluster.objects import conditions, is_observed, mapping, mappings, name_of, number, text
from layering.cluster.resources import MACHINE_CONFIG_POOLS, MACHINE_OS_CONFIGS, NODES
from layering.errors import NotFoundError, RefusedError
from layering.excerpt import excerpt
from layering.reasons import Reason

_DIGITS_MAX = 9
_DEGRADED = ("NodeDegraded", "RenderDegraded", "ImageBuildDegraded", "Degraded")  # those that explain, first


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """One MachineConfigPool.

    `os_image` is the osImageURL of its rendered MachineConfig, `current_image` that of the one its nodes have, `set_by`
    the MachineConfig that sets it, None for the release's own, and `set_by_role` that one's pool label; `overridden`
    says that it is not the release's own. `layered_by` is the MachineOSConfig with which the cluster layers the pool
    itself. `stream` is the OS image stream that the pool names. `rendered` is the configuration it wants, `current` the
    one its nodes have, `sources` what the wanted one was made from. `observed`: the status is about the spec as it
    stands. The four numbers count machines. `architectures` as in Go (`amd64`); None: not known. `message` says why it
    is degraded, or what holds it up, cut and without what could be a secret: it is the nodes' own words. `zones` has
    the zones of its nodes by name, each with how many; empty when not known. `max_unavailable`: a number, or `10%`.
    """

    name: str
    os_image: str | None
    current_image: str | None
    set_by: str | None
    set_by_role: str | None
    overridden: bool
    layered_by: str | None
    stream: str | None
    paused: bool
    updating: bool
    degraded: bool
    updated: bool
    observed: bool
    rendered: str
    current: str
    sources: tuple[str, ...]
    total: int
    updated_machines: int
    ready: int
    degraded_machines: int
    architectures: tuple[str, ...] | None
    message: str
    zones: Zones = ()
    max_unavailable: str = "1"

    @property
    def at_once(self) -> int:
        """How many machines the operator takes away at a time: of a percentage the whole ones, and at least one.

        openshift/machine-config-operator pkg/controller/node (`maxUnavailable`).
        """
        share = self.max_unavailable.removesuffix("%")
        if not share.isascii() or not share.isdigit() or len(share) > _DIGITS_MAX:
            return 1
        return max(1, self.total * int(share) // 100 if self.max_unavailable.endswith("%") else int(share))

    @property
    def is_rolled_out(self) -> bool:
        """Whether every machine has the wanted configuration, as far as the operator has told by now."""
        return self.updated and self.observed and self.current == self.rendered and self.updated_machines == self.total


def read_pools(api: ClusterApi, memory: Memory) -> Mapping[str, Pool]:
    """All pools by name. Raises what ClusterApi raises; nodes that must not be listed leave architectures unknown."""
    bodies = {name_of(body): body for body in api.list(MACHINE_CONFIG_POOLS).items}
    layered_by = _layered_by(api)
    nodes = _nodes(api)
    architectures = architectures_by_pool(nodes, bodies) if nodes is not None else None
    zones = zones_by_pool(nodes or (), bodies)
    known = {name: _rendering(name, body) for name, body in bodies.items()}
    configs = MachineConfigs(api)
    found = {name: _rendered(configs, memory, rendered, name) for name, rendered in known.items()}
    current = {name: _current_image(configs, memory, body, found[name]) for name, body in bodies.items()}
    _forget_others(memory, known, {_current(body) for body in bodies.values()})
    return {
        name: parse_pool(
            body,
            rendered=found[name],
            current_image=current[name],
            layered_by=layered_by.get(name),
            architectures=architectures.get(name, ()) if architectures is not None else None,
            zones=zones[name],
        )
        for name, body in bodies.items()
    }


def read_pool(api: ClusterApi, name: str, memory: Memory) -> Pool:
    """One pool, without asking for nodes. Raises what ClusterApi raises."""
    body = api.get(MACHINE_CONFIG_POOLS, name)
    rendered = _rendered(MachineConfigs(api), memory, _rendering(name, body), name)
    return parse_pool(body, rendered=rendered, layered_by=_layered_by(api).get(name), architectures=None)


_Rendering = tuple[str, tuple[str, ...]]


def _rendering(name: str, body: Mapping[str, Any]) -> _Rendering:
    """The name of the rendered MachineConfig that the pool wants, and the names of what it was made from."""
    configuration = mapping(mapping(body.get("spec")).get("configuration"))
    sources = tuple(text(source.get("name")) for source in mappings(configuration.get("source")))
    return text(configuration.get("name")), sources


def _rendered(configs: MachineConfigs, memory: Memory, rendering: _Rendering, pool: str) -> Rendered | None:
    name, sources = rendering
    if not name:
        return None
    known = memory.rendered.get(rendering)
    if known is None:
        known = configs.rendered(name, sources, pool)
        if known is not None:
            memory.rendered[rendering] = known
    return known


def _current(body: Mapping[str, Any]) -> str:
    """The name of the rendered MachineConfig that all nodes have."""
    return text(mapping(mapping(body.get("status")).get("configuration")).get("name"))


def _current_image(
    configs: MachineConfigs, memory: Memory, body: Mapping[str, Any], rendered: Rendered | None
) -> str | None:
    """What the nodes run for certain. Asked for only while it is not what they are told to run."""
    name, (wanted, _) = _current(body), _rendering(name_of(body), body)
    if name == wanted:
        return rendered.os_image if rendered else None
    if name and name not in memory.images:
        memory.images[name] = configs.os_image(name)
    return memory.images.get(name)


def _forget_others(memory: Memory, known: Mapping[str, _Rendering], current: Set[str]) -> None:
    for rendering in set(memory.rendered) - set(known.values()):
        del memory.rendered[rendering]
    for name in set(memory.images) - current:
        del memory.images[name]


def _layered_by(api: ClusterApi) -> Mapping[str, str]:
    """The MachineOSConfig of each pool that has one; none on a cluster that cannot layer."""
    try:
        bodies = api.list(MACHINE_OS_CONFIGS).items
    except NotFoundError as error:
        if error.reason is not Reason.API_MISSING:
            raise
        return {}
    pools = {name_of(body): mapping(mapping(body.get("spec")).get("machineConfigPool")) for body in bodies}
    return {text(pool.get("name")): name for name, pool in pools.items()}


def _nodes(api: ClusterApi) -> Sequence[Mapping[str, Any]] | None:
    """The metadata of all nodes; None when they must not be listed."""
    try:
        return api.list(NODES, metadata_only=True).items
    except RefusedError as error:
        if error.reason is not Reason.FORBIDDEN:
            raise
        return None


def parse_pool(
    body: Mapping[str, Any],
    *,
    rendered: Rendered | None,
    layered_by: str | None,
    architectures: tuple[str, ...] | None,
    current_image: str | None = None,
    zones: Zones = (),
) -> Pool:
    """Read a MachineConfigPool, with what is not in it: its image, who layers it, its nodes' architectures."""
    name, (wanted, sources) = name_of(body), _rendering(name_of(body), body)
    spec, status, said = mapping(body.get("spec")), mapping(body.get("status")), conditions(body)
    return Pool(
        name=name,
        os_image=rendered.os_image if rendered else None,
        current_image=current_image,
        set_by=rendered.set_by if rendered else None,
        set_by_role=rendered.set_by_role if rendered else None,
        overridden=rendered.overridden if rendered else False,
        layered_by=layered_by,
        stream=text(mapping(spec.get("osImageStream")).get("name")) or None,
        paused=spec.get("paused") is True,
        updating=_holds(said, "Updating"),
        degraded=any(_holds(said, kind) for kind in _DEGRADED),
        updated=_holds(said, "Updated"),
        observed=is_observed(body),
        rendered=wanted,
        current=_current(body),
        sources=sources,
        total=number(status.get("machineCount")),
        updated_machines=number(status.get("updatedMachineCount")),
        ready=number(status.get("readyMachineCount")),
        degraded_machines=number(status.get("degradedMachineCount")),
        architectures=architectures,
        message=excerpt(_message(said)),
        zones=zones,
        max_unavailable=_share(spec.get("maxUnavailable")),
    )


def _share(value: Any) -> str:
    """An IntOrString; 1 when it is not set."""
    return text(value) or str(number(value) or 1)


def _holds(said: Mapping[str, tuple[bool, str]], kind: str) -> bool:
    return said.get(kind, (False, ""))[0]


def _message(said: Mapping[str, tuple[bool, str]]) -> str:
    """Why it is degraded; else, while it is not updated, what Updating says: of a paused pool that it waits."""
    for kind in _DEGRADED:
        if _holds(said, kind) and said[kind][1]:
            return said[kind][1]
    return "" if _holds(said, "Updated") else said.get("Updating", (False, ""))[1]
