"""What pools want, have and are doing: situations played on the real API server, and what is read then."""

from typing import Any

import pytest

from layering.cluster.api import ClusterApi
from layering.cluster.pools import read_pool
from layering.cluster.resources import MACHINE_CONFIGS, NODES
from layering.cluster.state import Memory
from tests.cluster.situations import MINE, OTHER, Play, pool_of, pools_of
from tests.kubernetes.openshift import OpenShiftPlay

RELEASES_OWN = f"registry.example.com/release/os@sha256:{'0' * 64}"

POOLS: dict[str, tuple[Play, dict[str, Any]]] = {
    "the release's own image": ((), {"os_image": RELEASES_OWN, "set_by": None, "overridden": False}),
    "overridden": (
        (lambda play: play.machine_config("99-mine", "worker", MINE),),
        {"os_image": MINE, "set_by": "99-mine", "set_by_role": "worker", "overridden": True},
    ),
    "the last by name": (
        (
            lambda play: play.machine_config("98-a", "worker", OTHER),
            lambda play: play.machine_config("99-b", "worker", MINE),
        ),
        {"os_image": MINE, "set_by": "99-b"},
    ),
    "one that sets none does not count": (
        (
            lambda play: play.machine_config("98-a", "worker", MINE),
            lambda play: play.machine_config("99-b", "worker"),
        ),
        {"os_image": MINE, "set_by": "98-a"},
    ),
    "layered by the cluster": ((lambda play: play.layer_on_cluster("worker"),), {"layered_by": "worker"}),
}


@pytest.mark.parametrize(("change", "expected"), POOLS.values(), ids=POOLS)
def test_a_pools_image(api: ClusterApi, openshift: OpenShiftPlay, change: Play, expected: dict[str, Any]) -> None:
    openshift.pool("worker", machines=1)
    for step in change:
        step(openshift)
    openshift.render("worker")
    pool = pool_of(api)
    assert {name: getattr(pool, name) for name in expected} == expected


def test_a_custom_pools_own_config_wins_over_the_workers_whatever_its_name(
    api: ClusterApi, openshift: OpenShiftPlay
) -> None:
    openshift.pool("worker")
    openshift.pool("infra")
    openshift.machine_config("99-z", "worker", OTHER)
    openshift.machine_config("00-a", "infra", MINE)
    openshift.render("infra")
    pool = pool_of(api, "infra")
    assert (pool.os_image, pool.set_by, pool.set_by_role) == (MINE, "00-a", "infra")


def test_an_override_that_only_the_operator_tells_of_is_one(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.pool("worker")
    openshift.machine_config("99-mine", "worker", MINE)
    openshift.render("worker")
    openshift.admin.delete(MACHINE_CONFIGS, "99-mine")
    pool = pool_of(api)
    assert (pool.os_image, pool.set_by, pool.overridden) == (MINE, None, True)


ROLLOUTS: dict[str, tuple[Play, dict[str, Any]]] = {
    "done": (
        (lambda play: play.render("worker"), lambda play: play.roll_out("worker")),
        {"updated": True, "updating": False, "is_rolled_out": True, "total": 3, "updated_machines": 3, "ready": 3},
    ),
    "not begun": (
        (lambda play: play.render("worker"),),
        {"updated": False, "updating": True, "is_rolled_out": False, "updated_machines": 0},
    ),
    "under way": (
        (lambda play: play.render("worker"), lambda play: play.roll_out("worker", machines=2)),
        {"updated": False, "updating": True, "is_rolled_out": False, "updated_machines": 2, "total": 3},
    ),
    "paused": (
        (lambda play: play.render("worker"), lambda play: play.pause("worker")),
        {"paused": True, "updated": False, "updating": False, "is_rolled_out": False},
    ),
    "degraded": (
        (lambda play: play.render("worker"), lambda play: play.degrade("worker", "no space left")),
        {"degraded": True, "degraded_machines": 1, "message": "no space left"},
    ),
    "degraded, in words that nobody should print": (
        (
            lambda play: play.render("worker"),
            lambda play: play.degrade("worker", "x" * 9000 + " \x1b[2Jpull https://joe:pw@q.io/a token=abc"),
        ),
        {"degraded": True, "message": "… pull https://***@q.io/a token=***"},
    ),
    "not seen yet": (
        (lambda play: play.change_unobserved("worker"),),
        {"observed": False, "updated": True, "is_rolled_out": False},
    ),
}


@pytest.mark.parametrize(("change", "expected"), ROLLOUTS.values(), ids=ROLLOUTS)
def test_a_pools_rollout(api: ClusterApi, openshift: OpenShiftPlay, change: Play, expected: dict[str, Any]) -> None:
    openshift.pool("worker", machines=3)
    openshift.machine_config("99-mine", "worker", MINE)
    for step in change:
        step(openshift)
    pool = pool_of(api)
    assert {name: getattr(pool, name) for name in expected} == expected


def test_a_paused_pool_says_that_it_waits(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.pool("worker", machines=1, paused=True)
    openshift.machine_config("99-mine", "worker", MINE)
    rendered = openshift.render("worker")
    pool = pool_of(api)
    assert pool.message == f"Pool is paused; will not update to {rendered}"
    assert (pool.rendered, pool.rendered == pool.current) == (rendered, False)


def test_nodes_count_for_one_pool_each(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    for name, architectures in {"master": ["amd64"], "worker": ["amd64", "arm64"], "infra": ["s390x"]}.items():
        openshift.pool(name)
        for number, architecture in enumerate(architectures):
            openshift.node(f"{name}-{number}", pool=name, arch=architecture)
    windows = {"node-role.kubernetes.io/worker": "", "kubernetes.io/arch": "x", "kubernetes.io/os": "windows"}
    openshift.admin.create(NODES, {"metadata": {"name": "windows", "labels": windows}})
    assert {name: pool.architectures for name, pool in pools_of(api).items()} == {
        "infra": ("s390x",), "master": ("amd64",), "worker": ("amd64", "arm64"),
    }  # fmt: skip


def test_one_pool_by_itself_is_told_as_among_all(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.pool("worker", machines=1)
    openshift.machine_config("99-mine", "worker", MINE)
    openshift.render("worker")
    alone, among = read_pool(api, "worker", Memory()), pool_of(api)
    assert alone.architectures is None
    assert {name: getattr(alone, name) for name in ("os_image", "set_by", "rendered", "total")} == {
        name: getattr(among, name) for name in ("os_image", "set_by", "rendered", "total")
    }
