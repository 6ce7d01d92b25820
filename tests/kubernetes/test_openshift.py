"""The played operators: what they write is what the server's own CRDs accept, and what the real ones would write."""

import pytest

from layering.cluster.clusterversion import UpdateState, parse_clusterversion
from layering.cluster.resources import CLUSTER_VERSIONS, MACHINE_CONFIG_POOLS, OS_IMAGE_STREAMS
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.rest import Body

_FIRST, _SECOND, _THIRD = (f"registry.example.com/release/release@sha256:{digit * 64}" for digit in "123")
_OS, _LAYERED = (f"registry.example.com/os/os@sha256:{digit * 64}" for digit in "45")


def test_an_upgrade_that_is_superseded_keeps_its_place_in_the_history(openshift: OpenShiftPlay) -> None:
    openshift.cluster_version("4.18.1", _FIRST, updates={"4.18.2": _SECOND})
    openshift.upgrade("4.18.2", _SECOND)
    openshift.upgrade("4.18.3", _THIRD)
    openshift.complete_upgrade()

    release = parse_clusterversion(openshift.admin.read(CLUSTER_VERSIONS, "version"), "here")
    assert (release.version, str(release.payload), release.state) == ("4.18.3", _THIRD, UpdateState.COMPLETED)
    assert [entry.is_superseded for entry in release.history] == [False, True, False]


def test_a_requested_upgrade_is_not_observed_yet(openshift: OpenShiftPlay) -> None:
    openshift.cluster_version("4.18.1", _FIRST)
    openshift.request_upgrade("4.18.2", _SECOND)

    version = openshift.admin.read(CLUSTER_VERSIONS, "version")
    assert version["status"]["observedGeneration"] < version["metadata"]["generation"]


def test_a_pool_takes_the_last_image_of_its_merge_order(openshift: OpenShiftPlay) -> None:
    openshift.pool("infra", machines=3)
    openshift.machine_config("99-late-but-worker", "worker", _OS)
    openshift.machine_config("00-early-but-infra", "infra", _LAYERED)
    openshift.render("infra")

    assert openshift.image_of("infra") == _LAYERED
    sources = openshift.read_pool("infra")["spec"]["configuration"]["source"]
    assert [source["name"] for source in sources] == ["99-late-but-worker", "00-early-but-infra", "00-infra"]


def test_machines_follow_one_after_the_other(openshift: OpenShiftPlay) -> None:
    openshift.pool("worker", machines=3)
    assert _conditions(openshift.read_pool("worker")) == {"Updated"}

    openshift.machine_config("50-layered", "worker", _LAYERED)
    openshift.render("worker")
    openshift.roll_out("worker", machines=2)
    half = openshift.read_pool("worker")
    assert (half["status"]["machineCount"], half["status"]["updatedMachineCount"]) == (3, 2)
    assert _conditions(half) == {"Updating"}

    openshift.roll_out("worker")
    assert _conditions(openshift.read_pool("worker")) == {"Updated"}


def test_a_paused_pool_is_rendered_but_not_rolled_out(openshift: OpenShiftPlay) -> None:
    openshift.pool("worker", machines=1, paused=True)
    openshift.machine_config("50-layered", "worker", _LAYERED)
    openshift.render("worker")

    assert _conditions(openshift.read_pool("worker")) == set()
    with pytest.raises(AssertionError, match="paused"):
        openshift.roll_out("worker")


def test_a_degraded_pool_says_why(openshift: OpenShiftPlay) -> None:
    openshift.pool("worker", machines=1)
    openshift.degrade("worker", "worker-0 has no space left")

    assert _conditions(openshift.read_pool("worker")) == {"Updated", "Degraded", "NodeDegraded"}


def test_a_pool_without_override_runs_its_stream(openshift: OpenShiftPlay) -> None:
    openshift.os_image_stream({"rhel-9": _OS, "rhel-10": _LAYERED}, default="rhel-9")
    openshift.pool("worker")
    openshift.pool("infra", stream="rhel-10")

    assert openshift.image_of("worker") == _OS
    assert openshift.image_of("infra") == _LAYERED


def test_everything_else_that_can_be_played_is_accepted(openshift: OpenShiftPlay) -> None:
    openshift.pool("worker")
    openshift.layer_on_cluster("worker")
    openshift.change_unobserved("worker")
    openshift.digest_mirrors("by-digest", {"quay.io/a": ["mirror.example.com/a"]}, never_contact_source=True)
    openshift.tag_mirrors("by-tag", {"quay.io/b": ["mirror.example.com/b"]})
    openshift.content_source_policy("old", {"quay.io/c": ["mirror.example.com/c"]})
    openshift.pull_secret({"auths": {}})
    openshift.registry_cas({"mirror.example.com..5000": "PEM"})
    openshift.proxy(https="http://proxy.example.com:3128", ca="PEM")
    openshift.apply(
        {
            "metadata": {"name": "50-a", "labels": {"machineconfiguration.openshift.io/role": "worker"}},
            "spec": {"osImageURL": _OS},
        }
    )
    openshift.cluster_version("4.18.1", _FIRST, multi=True)
    openshift.offer_updates(None)

    openshift.clear()

    assert not openshift.admin.list(MACHINE_CONFIG_POOLS)
    assert not openshift.admin.exists(OS_IMAGE_STREAMS, "cluster")


def _conditions(pool: Body) -> set[str]:
    return {condition["type"] for condition in pool["status"]["conditions"] if condition["status"] == "True"}
