"""Objects that no operator writes and the API server lets through: what makes no sense in them reads as absent."""

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from layering.cluster.nodes import architectures_by_pool
from layering.cluster.pools import parse_pool
from layering.cluster.streams import parse_streams
from layering.errors import ContentError

KEYS = [
    "metadata", "spec", "status", "name", "labels", "conditions", "type", "message", "configuration", "source",
    "osImageStream", "nodeSelector", "matchLabels", "matchExpressions", "operator", "key", "values", "availableStreams",
    "osImage", "machineCount", "observedGeneration", "generation", "paused", "kubernetes.io/arch", "kubernetes.io/os",
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "True", "Updated", "In", "x"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), JSON)


@given(OBJECTS)
def test_a_pool(body: dict[str, Any]) -> None:
    pool = parse_pool(body, rendered=None, layered_by=None, architectures=None)
    assert isinstance(pool.name, str)
    assert isinstance(pool.message, str)
    assert isinstance(pool.total + pool.ready, int)


@given(st.lists(OBJECTS, max_size=3), OBJECTS)
def test_nodes(nodes: list[dict[str, Any]], pool: dict[str, Any]) -> None:
    assert set(architectures_by_pool(nodes, {"worker": pool, "infra": pool})) == {"worker", "infra"}


@given(OBJECTS)
def test_streams(body: dict[str, Any]) -> None:
    with contextlib.suppress(ContentError):
        parse_streams(body, "prod: OSImageStream/cluster")
