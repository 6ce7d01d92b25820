"""Which labels a pool's selector takes: metav1.LabelSelector as the operator reads it."""

from typing import Any

import pytest

from layering.cluster.nodes import architectures_by_pool, selects, zones_by_pool
from layering.cluster.pools import parse_pool

MARKS = {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, False),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "1", "c": ""}}, False),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["0", "1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Near"}]}, False),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]}, False),
        ({"matchLabels": 1, "matchExpressions": "x"}, False),
    ],
)
def test_selects(selector: dict[str, Any], expected: bool) -> None:
    assert selects(selector, MARKS) is expected


def test_a_pool_that_selects_nothing_in_particular_has_no_nodes() -> None:
    node = {"metadata": {"name": "n", "labels": {"kubernetes.io/arch": "amd64"}}}
    assert architectures_by_pool([node], {"worker": {"spec": {"nodeSelector": {}}}}) == {"worker": ()}


WORKERS = {"worker": {"spec": {"nodeSelector": {"matchLabels": {"role": "worker"}}}}}


def test_zones_come_in_the_order_in_which_they_are_updated() -> None:
    zones = ("eu-1b", "eu-1a", "eu-1b", None)
    nodes = [
        {"metadata": {"labels": {"role": "worker", **({"topology.kubernetes.io/zone": zone} if zone else {})}}}
        for zone in zones
    ]
    others = [{"metadata": {"labels": {"role": "infra", "topology.kubernetes.io/zone": "eu-1a"}}}]
    assert zones_by_pool(nodes + others, WORKERS) == {"worker": (("", 1), ("eu-1a", 1), ("eu-1b", 2))}


@pytest.mark.parametrize(
    ("max_unavailable", "expected"),
    [(None, 1), (3, 3), ("3", 3), (0, 1), ("10%", 2), ("1%", 1), ("100%", 25), ("x%", 1), (-1, 1), ("9" * 5000, 1)],
)
def test_how_many_machines_may_be_away_at_a_time(max_unavailable: Any, expected: int) -> None:
    body = {"spec": {"maxUnavailable": max_unavailable}, "status": {"machineCount": 25}}
    assert parse_pool(body, rendered=None, layered_by=None, architectures=None).at_once == expected
