"""Which labels a pool's selector takes: metav1.LabelSelector as the operator reads it."""

from typing import Any

import pytest

from layering.cluster.nodes import architectures_by_pool, selects

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
