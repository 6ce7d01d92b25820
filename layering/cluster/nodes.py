"""Which pool each node belongs to, and so which architectures a pool has, and in which zones its nodes are.

openshift/machine-config-operator pkg/helpers (`GetPrimaryPoolForNode`): a node of the master pool is the master's, then
comes the arbiter's, then a custom pool, and what is left is the worker's. Only labels are looked at.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from layering.cluster.objects import labels, mapping, mappings, text, texts

_ARCHITECTURE_LABEL = "kubernetes.io/arch"
_OS_LABEL = "kubernetes.io/os"
_ZONE_LABEL = "topology.kubernetes.io/zone"
_FIRST = ("master", "arbiter")
_LAST = "worker"


def architectures_by_pool(
    nodes: Iterable[Mapping[str, Any]], pools: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, tuple[str, ...]]:
    """For each pool the architectures of its nodes, sorted; a pool without nodes has none.

    `nodes` need their metadata only, `pools` are MachineConfigPools by name.
    """
    found: dict[str, set[str]] = {name: set() for name in pools}
    for pool, marks in _pooled(nodes, pools):
        if marks.get(_OS_LABEL, "linux") == "linux" and _ARCHITECTURE_LABEL in marks:
            found[pool].add(marks[_ARCHITECTURE_LABEL])
    return {name: tuple(sorted(architectures)) for name, architectures in found.items()}


Zones = tuple[tuple[str, int], ...]


def zones_by_pool(nodes: Iterable[Mapping[str, Any]], pools: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Zones]:
    """For each pool its zones by name, each with how many nodes it has: the order in which the operator updates them.

    OpenShift documentation, "About the Machine Config Operator": zone after zone by name, in each the oldest node
    first. A node without the label counts for the zone with the empty name, which is the first.
    """
    found: dict[str, Counter[str]] = {name: Counter() for name in pools}
    for pool, marks in _pooled(nodes, pools):
        found[pool][marks.get(_ZONE_LABEL, "")] += 1
    return {name: tuple(sorted(zones.items())) for name, zones in found.items()}


def _pooled(
    nodes: Iterable[Mapping[str, Any]], pools: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Each node's pool and labels; nodes of no pool are left out."""
    selectors = {name: mapping(mapping(body.get("spec")).get("nodeSelector")) for name, body in pools.items()}
    for node in nodes:
        marks = labels(node)
        pool = _pool_of(marks, selectors)
        if pool is not None:
            yield pool, marks


def _pool_of(marks: Mapping[str, str], selectors: Mapping[str, Mapping[str, Any]]) -> str | None:
    selecting = {name for name, selector in selectors.items() if selects(selector, marks)}
    for name in _FIRST:
        if name in selecting:
            return name
    custom = sorted(selecting - {_LAST})
    return custom[0] if custom else (_LAST if _LAST in selecting else None)


def selects(selector: Mapping[str, Any], marks: Mapping[str, str]) -> bool:
    """Whether a metav1.LabelSelector selects these labels. An empty one selects nothing, as the operator has it."""
    wanted = mapping(selector.get("matchLabels"))
    expressions = mappings(selector.get("matchExpressions"))
    if not wanted and not expressions:
        return False
    return all(marks.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, marks) for expression in expressions
    )


_OPERATORS: Mapping[str, Callable[[str | None, tuple[str, ...]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, values: value is not None,
    "DoesNotExist": lambda value, values: value is None,
}


def _holds(expression: Mapping[str, Any], marks: Mapping[str, str]) -> bool:
    operator = _OPERATORS.get(text(expression.get("operator")))
    value = marks.get(text(expression.get("key")))
    return operator is not None and operator(value, texts(expression.get("values")))
