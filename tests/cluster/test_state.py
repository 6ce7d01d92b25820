"""What is read of a cluster: tables of situations, played on the real API server with OpenShift's own types."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layering.cluster.access import Kubeconfig
from layering.cluster.api import ClusterApi
from layering.cluster.clusterversion import ClusterRelease, UpdateState
from layering.cluster.resources import (
    CLUSTER_VERSIONS,
    MACHINE_CONFIG_POOLS,
    MACHINE_CONFIGS,
)
from layering.cluster.state import ClusterState, Memory, OSImageStreams, read_state
from layering.cluster.streams import parse_streams
from layering.errors import LayerwatchError
from layering.reasons import Reason
from tests.cluster.situations import MINE, Play, pool_of
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer

OLD = f"quay.io/openshift-release-dev/ocp-release@sha256:{'1' * 64}"
NEW = f"quay.io/openshift-release-dev/ocp-release@sha256:{'2' * 64}"
MULTI = f"quay.io/openshift-release-dev/ocp-release@sha256:{'3' * 64}"
RHEL_9 = f"registry.example.com/release/os@sha256:{'9' * 64}"
RHEL_10 = f"registry.example.com/release/os-10@sha256:{'c' * 64}"


def release_of(state: ClusterState) -> ClusterRelease:
    assert isinstance(state.release, ClusterRelease)
    return state.release


RELEASES: dict[str, tuple[Play, tuple[str, str, UpdateState]]] = {
    "installed": ((), ("4.18.1", OLD, UpdateState.COMPLETED)),
    "on its way": ((lambda play: play.upgrade("4.18.2", NEW),), ("4.18.2", NEW, UpdateState.PARTIAL)),
    "arrived": (
        (lambda play: play.upgrade("4.18.2", NEW), lambda play: play.complete_upgrade()),
        ("4.18.2", NEW, UpdateState.COMPLETED),
    ),
    "to the multi-architecture payload of the same version": (
        (lambda play: play.upgrade("4.18.1", MULTI),), ("4.18.1", MULTI, UpdateState.PARTIAL),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), RELEASES.values(), ids=RELEASES)
def test_the_release(
    api: ClusterApi, openshift: OpenShiftPlay, change: Play, expected: tuple[str, str, UpdateState]
) -> None:
    openshift.cluster_version("4.18.1", OLD)
    for step in change:
        step(openshift)
    release = release_of(read_state(api, Memory()))
    assert (release.version, str(release.payload), release.state) == expected


def test_an_update_that_another_takes_the_place_of_is_superseded(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    openshift.cluster_version("4.18.1", OLD)
    openshift.upgrade("4.18.2", NEW)
    openshift.upgrade("4.18.3", MULTI)
    history = release_of(read_state(api, Memory())).history
    assert [(entry.version, entry.is_superseded) for entry in history] == [
        ("4.18.3", False), ("4.18.2", True), ("4.18.1", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("offered", "versions"),
    [({"4.18.2": NEW}, ["4.18.2"]), ({}, []), (None, None)],
    ids=["one", "none", "nobody could be asked"],
)
def test_the_updates_it_is_offered(
    api: ClusterApi, openshift: OpenShiftPlay, offered: dict[str, str] | None, versions: list[str] | None
) -> None:
    openshift.cluster_version("4.18.1", OLD)
    openshift.offer_updates(offered)
    release = release_of(read_state(api, Memory()))
    assert (release.available_updates is not None) is (versions is not None)
    assert (None if release.available_updates is None else [u.version for u in release.available_updates]) == versions


def test_an_update_that_the_operator_has_not_seen_is_not_observed_and_the_pools_are_told_all_the_same(
    api: ClusterApi, openshift: OpenShiftPlay
) -> None:
    openshift.cluster_version("4.18.1", OLD)
    openshift.pool("worker")
    openshift.request_upgrade("4.18.2", NEW)
    state = read_state(api, Memory())
    assert isinstance(state.release, LayerwatchError)
    assert state.release.reason is Reason.STATUS_NOT_OBSERVED
    assert not isinstance(state.pools, LayerwatchError | None)
    assert list(state.pools) == ["worker"]


def test_the_streams(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    memory = Memory()
    assert read_state(api, memory).streams is None  # the API is there, and no such object
    openshift.os_image_stream({"rhel-9": RHEL_9, "rhel-10": RHEL_10}, default="rhel-9")
    openshift.pool("worker", stream="rhel-10")
    state = read_state(api, memory)
    assert isinstance(state.streams, OSImageStreams)
    assert state.streams.default == "rhel-9"
    assert {name: str(image) for name, image in state.streams.images.items()} == {"rhel-9": RHEL_9, "rhel-10": RHEL_10}
    pool = pool_of(api)
    assert (pool.stream, pool.os_image, pool.overridden) == ("rhel-10", RHEL_10, False)


class _Counted:
    """What one look asks, by path."""

    def __init__(self, server: TestApiServer) -> None:
        self.codes: list[int | str] = []
        self.api = ClusterApi(Kubeconfig(file=server.kubeconfig), name="prod", on_request=self.codes.append)


@pytest.fixture
def counted(api_server: TestApiServer) -> Iterator[_Counted]:
    counted = _Counted(api_server)
    yield counted
    counted.api.close()


def test_an_idle_look_asks_five_times_and_reads_no_machineconfig(counted: _Counted, openshift: OpenShiftPlay) -> None:
    openshift.cluster_version("4.18.1", OLD)
    openshift.os_image_stream({"rhel-9": RHEL_9}, default="rhel-9")
    openshift.machine_config("99-mine", "worker", MINE)
    for name in ("worker", "infra"):
        openshift.pool(name, machines=1)
    memory = Memory()
    first = read_state(counted.api, memory)
    counted.codes.clear()
    assert read_state(counted.api, memory) == first
    assert counted.codes == [200] * 5


def test_a_new_rendering_is_noticed_and_the_old_one_forgotten(counted: _Counted, openshift: OpenShiftPlay) -> None:
    openshift.pool("worker")
    memory = Memory()
    read_state(counted.api, memory)
    openshift.machine_config("99-mine", "worker", MINE)
    openshift.render("worker")
    pools = read_state(counted.api, memory).pools
    assert not isinstance(pools, LayerwatchError | None)
    assert pools["worker"].os_image == MINE
    assert len(memory.rendered) == 1


def test_missing_rights_are_told_part_by_part(
    api_server: TestApiServer, openshift: OpenShiftPlay, namespace: str, tmp_path: Path
) -> None:
    openshift.cluster_version("4.18.1", OLD)
    openshift.pool("worker", machines=1)
    rights = [(CLUSTER_VERSIONS, "get"), (MACHINE_CONFIG_POOLS, "list"), (MACHINE_CONFIGS, "get")]
    token = api_server.token_for("watcher", namespace)
    _grant(api_server, namespace, rights)
    with ClusterApi(Kubeconfig(file=api_server.kubeconfig_for(token, tmp_path / "kubeconfig")), name="prod") as api:
        state = read_state(api, Memory())
        assert isinstance(state.release, ClusterRelease)
        assert isinstance(state.pools, LayerwatchError)
        assert state.pools.reason is Reason.FORBIDDEN
        assert 'cannot list resource "machineosconfigs"' in state.pools.what
        assert state.streams is not None
        assert "osimagestreams" in str(state.streams)


def _grant(server: TestApiServer, namespace: str, rights: list[tuple[Any, str]]) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": namespace}}
    rules = [{"apiGroups": [one.group], "resources": [one.plural], "verbs": [verb]} for one, verb in rights]
    server.admin.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {**role, "rules": rules})
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace},
        "subjects": [{"kind": "ServiceAccount", "name": "watcher", "namespace": namespace}],
    }
    server.admin.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)


def test_a_payload_that_is_none_is_a_fault_of_the_object_and_not_of_the_configuration(
    api: ClusterApi, openshift: OpenShiftPlay
) -> None:
    openshift.cluster_version("4.18.1", "quay.io/A@x")
    release = read_state(api, Memory()).release
    assert isinstance(release, LayerwatchError)
    assert release.reason is Reason.CONTENT_INVALID
    assert release.where == "prod: ClusterVersion/version"


def test_an_image_of_a_stream_must_be_pinned_and_the_api_sees_to_it(api: ClusterApi, openshift: OpenShiftPlay) -> None:
    with pytest.raises(LayerwatchError) as caught:
        parse_streams({"status": {"availableStreams": [{"name": "x", "osImage": "quay.io/x:latest"}]}}, "prod: x")
    assert caught.value.reason is Reason.CONTENT_INVALID
    assert parse_streams({"status": {"availableStreams": [1, None]}}, "prod: x").images == {}
