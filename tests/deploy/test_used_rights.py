"""The watcher's own code, run as the shipped account: it is refused nothing, and what is granted for nothing is listed.

The API server's audit log is the witness. A call that the shipped roles do not grant fails this test; so does a right
that docs/permissions.md says is used and the story does not use, and the reverse.
"""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from layering.cluster.access import InCluster
from layering.cluster.api import ClusterApi
from layering.cluster.registries import read_cas, read_mirrors, read_proxy, read_pull_secret
from layering.cluster.resources import LEASES, NODES, PIPELINE_RUNS, PODS, TASK_RUNS, Resource
from layering.cluster.state import Memory, read_state
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.releasesignatures.keyring import built_in
from tests.daemon.process import ClusterWorld, eventually, running
from tests.deploy.deployed import Deployed
from tests.deploy.files import NAMESPACE, OVERLAYS, built, granted
from tests.deploy.permissions_page import rows
from tests.kubernetes.rest import Body, RefusedError
from tests.scenario import Scenario

_CLUSTER_ROLES = Resource(group="rbac.authorization.k8s.io", version="v1", plural="clusterroles", kind="ClusterRole")


@pytest.fixture
def world(cluster: Deployed, tmp_path: Path) -> Iterator[ClusterWorld]:
    """A cluster with everything the watcher reads: streams, mirrors, pull secret, authorities, proxy."""
    with RegistryServer() as registry:
        settings = RegistrySettings(insecure=frozenset({registry.address}))
        scenario = Scenario(directory=tmp_path, registry=registry.address, settings=settings).set_up()
        _play(cluster, scenario)
        yield ClusterWorld(
            scenario=scenario,
            server=cluster.server,
            openshift=cluster.openshift,
            namespace=NAMESPACE,
            kubeconfig=cluster.server.kubeconfig,
        )
        cluster.openshift.clear()


def _play(cluster: Deployed, scenario: Scenario) -> None:
    play, authority = cluster.openshift, cluster.server.ca_file.read_text()
    play.cluster_version("4.19.1", str(scenario.payloads["4.19.1"]))
    play.pool("worker", machines=1)
    play.digest_mirrors("mirrors", {"quay.io/openshift-release-dev": ["mirror.example.com/openshift"]})
    play.tag_mirrors("mirrors", {"quay.io/acme": ["mirror.example.com/acme"]})
    play.content_source_policy("mirrors", {"quay.io/old": ["mirror.example.com/old"]})
    play.pull_secret({"auths": {}})
    play.proxy(no_proxy="127.0.0.1", ca=authority)


def test_reading_a_cluster_needs_no_right_that_is_not_granted(cluster: Deployed, world: ClusterWorld) -> None:
    with cluster.listening() as requests, ClusterApi(InCluster(environment=cluster.pod), name="home") as api:
        state = read_state(api, Memory())
        assert not isinstance(state.release, Exception)
        assert not isinstance(state.pools, Exception)
        assert read_pull_secret(api) is not None
        assert "BEGIN CERTIFICATE" in read_cas(api)
        assert len(read_mirrors(api)) == 3
        read_proxy(api)
    assert requests.refused == []
    assert requests.rights <= granted(built(OVERLAYS / "openshift")).keys()


def test_a_call_that_is_not_granted_would_be_noticed(cluster: Deployed, world: ClusterWorld) -> None:
    admin = cluster.server.admin
    rules = admin.read(_CLUSTER_ROLES, "layerwatch")["rules"]
    admin.patch(_CLUSTER_ROLES, "layerwatch", {"rules": [rule for rule in rules if "nodes" not in rule["resources"]]})
    eventually("the right is gone", lambda: not _may_list_nodes(cluster))
    with cluster.listening() as requests, ClusterApi(InCluster(environment=cluster.pod), name="home") as api:
        read_state(api, Memory())
    admin.patch(_CLUSTER_ROLES, "layerwatch", {"rules": rules})
    eventually("the right is back", lambda: _may_list_nodes(cluster))
    assert [asked.strip() for asked in requests.refused] == ["list nodes"]


def _may_list_nodes(cluster: Deployed) -> bool:
    try:
        cluster.account.call("GET", NODES.path())
    except RefusedError:
        return False
    return True


def test_the_daemons_whole_story_needs_what_is_granted_and_nothing_else(cluster: Deployed, world: ClusterWorld) -> None:
    config = _configured(world)
    with cluster.listening() as requests, running(config, "--leader-elect", environment=cluster.pod) as daemon:
        first = eventually("a run for 4.19.1", lambda: world.run_for("4.19.1"))
        world.upgrade("4.19.2")
        eventually("a run for 4.19.2", lambda: world.run_for("4.19.2"))
        eventually("the first is cancelled", lambda: (world.run_for("4.19.1") or {})["spec"].get("status"))
        _end(cluster, first, "Cancelled")
        world.upgrade("4.19.1")
        again = eventually("a second attempt", lambda: [run for run in world.runs() if _attempt(run) == "2"])[0]
        _fail(cluster, again)
        daemon.says(decision="Held", reason="BackOff")
        eventually("an event about the run", lambda: world.events(NAMESPACE))
        eventually("an event that happened again", lambda: [event for event in world.events() if event.get("series")])
        daemon.send(signal.SIGTERM)
        assert daemon.ends() == 0
        assert daemon.said(reason="Forbidden") == []
    assert cluster.server.admin.read(LEASES, "layerwatch", namespace=NAMESPACE)["spec"]["holderIdentity"] == ""
    assert requests.refused == []
    assert sorted(map(str, requests.rights)) == sorted(str(row.right) for row in rows() if row.is_used)


def _attempt(run: Body) -> str:
    return str(run["metadata"]["labels"]["layerwatch/attempt"])


def _configured(world: ClusterWorld) -> Path:
    """As in a pod: the cluster is its own, and what it says of registries is used. It has no signatures."""
    config = world.configure(daemon={"namespace": NAMESPACE})
    document = json.loads(config.read_text())
    document["clusters"] = [{"name": "prod", "access": "in-cluster"}]
    document["registries"] |= dict.fromkeys(("authFile", "caFile", "mirrors", "proxy"), "cluster")
    key = config.with_name("release.key")
    key.write_bytes(built_in().data)
    document["registries"]["releaseSignatures"] = {"policy": "warn", "keys": [str(key)], "stores": ["cluster"]}
    config.write_text(json.dumps(document))
    return config


def _fail(cluster: Deployed, run: Body) -> None:
    """What Tekton and the kubelet leave of a run whose step failed: a TaskRun, a pod, and conditions."""
    admin, name = cluster.server.admin, run["metadata"]["name"]
    pod = {"metadata": {"name": f"{name}-pod"}, "spec": {"containers": [{"name": "step-rebuild", "image": "i"}]}}
    admin.create(PODS, pod, namespace=NAMESPACE)
    labels = {"tekton.dev/pipelineRun": name, "tekton.dev/pipelineTask": "rebuild"}
    task_run = {"metadata": {"name": f"{name}-rebuild", "labels": labels}, "spec": {"taskRef": {"name": "rebuild"}}}
    admin.create(TASK_RUNS, task_run, namespace=NAMESPACE)
    step = {"name": "rebuild", "container": "step-rebuild", "terminated": {"exitCode": 7, "reason": "Error"}}
    status = {**_ended("Failed"), "podName": f"{name}-pod", "steps": [step]}
    admin.patch_status(TASK_RUNS, f"{name}-rebuild", status, namespace=NAMESPACE)
    child = {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": f"{name}-rebuild", "pipelineTaskName": "rebuild"}
    _end(cluster, run, "Failed", childReferences=[child])


def _end(cluster: Deployed, run: Body, reason: str, **status: Any) -> None:
    admin, name = cluster.server.admin, run["metadata"]["name"]
    admin.patch_status(PIPELINE_RUNS, name, {**_ended(reason), **status}, namespace=NAMESPACE)


def _ended(reason: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Succeeded", "status": "False", "reason": reason, "lastTransitionTime": now}
    return {"conditions": [{**condition, "message": "Tasks Completed: 1 (Failed: 1)"}], "completionTime": now}
