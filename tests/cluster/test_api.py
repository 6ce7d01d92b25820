"""The API of a cluster, call by call, on a real API server: what is given, and what each refusal is called."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layering.cluster.access import Kubeconfig
from layering.cluster.api import ClusterApi
from layering.cluster.resources import (
    CLUSTER_VERSIONS,
    CONFIG_MAPS,
    LEASES,
    MACHINE_CONFIG_POOLS,
    NODES,
    OS_IMAGE_STREAMS,
    PIPELINE_RUNS,
    PODS,
    SECRETS,
    Resource,
)
from layering.errors import ConflictError, InputError, LayerwatchError, NotFoundError, RefusedError
from layering.reasons import Reason
from tests.kubernetes.server import TestApiServer

NOWHERE = Resource(group="nowhere.example.com", version="v1", plural="things", kind="Thing")
UNKNOWN = Resource(group="config.openshift.io", version="v1", plural="things", kind="Thing")


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_what_is_created_is_read_listed_patched_and_replaced(api: ClusterApi, namespace: str) -> None:
    made = api.create(CONFIG_MAPS, config_map("a", x="1", y="2"), namespace=namespace)
    assert api.get(CONFIG_MAPS, "a", namespace=namespace) == made
    patched = api.patch(CONFIG_MAPS, "a", {"data": {"x": None, "z": "ü"}}, namespace=namespace)
    assert patched["data"] == {"y": "2", "z": "ü"}
    api.replace(CONFIG_MAPS, {**patched, "data": {"only": "this"}}, namespace=namespace)
    assert [item["data"] for item in api.list(CONFIG_MAPS, namespace=namespace).items] == [{"only": "this"}]


def test_a_list_is_chosen_by_label_and_can_leave_out_all_but_the_metadata(api: ClusterApi, namespace: str) -> None:
    for name, color in (("a", "red"), ("b", "blue")):
        body = config_map(name, x="1")
        body["metadata"]["labels"] = {"color": color}
        api.create(CONFIG_MAPS, body, namespace=namespace)
    listed = api.list(CONFIG_MAPS, namespace=namespace, label_selector="color=red", metadata_only=True)
    assert [(item["metadata"]["name"], item.get("data")) for item in listed.items] == [("a", None)]
    assert listed.resource_version.isdecimal()


Refused = Callable[[ClusterApi, str], object]
REFUSED: dict[str, tuple[Refused, type[LayerwatchError], Reason, str]] = {
    "no such object": (
        lambda api, ns: api.get(CONFIG_MAPS, "x", namespace=ns), NotFoundError, Reason.NOT_FOUND, "ConfigMap/x in ",
    ),
    "no such group": (lambda api, ns: api.list(NOWHERE), NotFoundError, Reason.API_MISSING, "prod: things"),
    "no such kind": (lambda api, ns: api.get(UNKNOWN, "x"), NotFoundError, Reason.API_MISSING, "prod: Thing/x"),
    "no such version": (
        lambda api, ns: api.get(OS_IMAGE_STREAMS.at("v9"), "x"), NotFoundError, Reason.API_MISSING, "OSImageStream/x",
    ),
    "no such namespace": (
        lambda api, ns: api.create(CONFIG_MAPS, config_map("x"), namespace="absent"),
        NotFoundError, Reason.NOT_FOUND, "in absent",
    ),
    "there already": (
        lambda api, ns: [api.create(CONFIG_MAPS, config_map("x"), namespace=ns) for _ in range(2)],
        ConflictError, Reason.CONFLICT_ON_BASE, "ConfigMap/x",
    ),
    "changed meanwhile": (lambda api, ns: _replaced_twice(api, ns), ConflictError, Reason.CONFLICT_ON_BASE, "x"),
    "of the wrong type": (
        lambda api, ns: api.create(CONFIG_MAPS, {**config_map("x"), "data": {"a": 1}}, namespace=ns),
        InputError, Reason.INPUT_INVALID, "ConfigMap/x",
    ),
    "against the rules": (
        lambda api, ns: api.create(CONFIG_MAPS, config_map("No Name"), namespace=ns),
        InputError, Reason.INPUT_INVALID, "No Name",
    ),
}  # fmt: skip


def _replaced_twice(api: ClusterApi, namespace: str) -> None:
    first = api.create(CONFIG_MAPS, config_map("x"), namespace=namespace)
    for value in ("1", "2"):
        api.replace(CONFIG_MAPS, {**first, "data": {"a": value}}, namespace=namespace)


@pytest.mark.parametrize(("ask", "kind", "reason", "where"), REFUSED.values(), ids=REFUSED)
def test_refusals(
    api: ClusterApi, namespace: str, ask: Refused, kind: type[LayerwatchError], reason: Reason, where: str
) -> None:
    with pytest.raises(kind) as caught:
        ask(api, namespace)
    assert caught.value.reason is reason
    assert where in caught.value.where


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: api.get(CLUSTER_VERSIONS, "version"),
        lambda api: api.list(NODES, metadata_only=True),
        lambda api: api.get(SECRETS, "pull-secret", namespace="openshift-config"),
        lambda api: api.list(NOWHERE),
        lambda api: list(api.watch(MACHINE_CONFIG_POOLS, resource_version="0", timeout_seconds=1)),
        lambda api: api.pod_log("default", "pod", "step", tail_lines=1, limit_bytes=1),
        lambda api: api.create(LEASES, {"metadata": {"name": "x"}}, namespace="default"),
    ],
    ids=["get", "list", "a Secret", "an API that is not even there", "watch", "log", "create"],
)
def test_what_is_not_allowed_is_called_so_with_the_right_that_is_missing(
    api_server: TestApiServer, namespace: str, tmp_path: Path, ask: Callable[[ClusterApi], object]
) -> None:
    token = api_server.token_for("nobody", namespace)
    access = Kubeconfig(file=api_server.kubeconfig_for(token, tmp_path / "kubeconfig"))
    with ClusterApi(access, name="prod") as nobody, pytest.raises(RefusedError) as caught:
        ask(nobody)
    assert caught.value.reason is Reason.FORBIDDEN
    assert f"system:serviceaccount:{namespace}:nobody" in caught.value.what
    assert "cannot" in caught.value.what
    assert "deploy/" in caught.value.next_step
    assert token not in str(caught.value)


def test_which_version_of_an_api_is_served(api: ClusterApi) -> None:
    assert api.served_version("machineconfiguration.openshift.io", "osimagestreams") == "v1"
    assert api.served_version("tekton.dev", PIPELINE_RUNS.plural) == "v1"
    assert api.served_version("config.openshift.io", "things") is None
    assert api.served_version(NOWHERE.group, NOWHERE.plural) is None


def test_each_request_is_counted_with_what_came_of_it(api_server: TestApiServer) -> None:
    codes: list[int | str] = []
    with ClusterApi(Kubeconfig(file=api_server.kubeconfig), name="prod", on_request=codes.append) as api:
        api.list(NODES)
        with pytest.raises(NotFoundError):
            api.get(NODES, "x")
    assert codes == [200, 404]


def test_the_log_of_a_pod_that_never_ran_is_an_error_and_not_an_empty_text(api: ClusterApi, namespace: str) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "step", "image": "x"}]}}
    api.create(PODS, {"apiVersion": "v1", "kind": "Pod", **pod}, namespace=namespace)
    with pytest.raises(LayerwatchError):
        api.pod_log(namespace, "p", "absent", tail_lines=5, limit_bytes=1000)


def test_a_watch_gives_each_change_once_and_ends_in_time(api: ClusterApi, namespace: str) -> None:
    version = api.list(CONFIG_MAPS, namespace=namespace).resource_version
    api.create(CONFIG_MAPS, config_map("a"), namespace=namespace)
    api.patch(CONFIG_MAPS, "a", {"data": {"x": "1"}}, namespace=namespace)
    watch = api.watch(CONFIG_MAPS, namespace=namespace, resource_version=version, timeout_seconds=1)
    assert [event.type for event in watch if event.type != "BOOKMARK"] == ["ADDED", "MODIFIED"]


def test_a_watch_of_metadata_has_nothing_else(api: ClusterApi, namespace: str) -> None:
    version = api.list(CONFIG_MAPS, namespace=namespace, metadata_only=True).resource_version
    api.create(CONFIG_MAPS, config_map("a", secret="x"), namespace=namespace)
    watch = api.watch(CONFIG_MAPS, namespace=namespace, resource_version=version, timeout_seconds=5, metadata_only=True)
    event = next(watch)
    watch.close()  # type: ignore[attr-defined]
    assert (event.object["kind"], event.object.get("data")) == ("PartialObjectMetadata", None)


def test_closing_the_api_ends_a_watch_that_waits(api: ClusterApi, namespace: str) -> None:
    version = api.list(CONFIG_MAPS, namespace=namespace).resource_version
    ended = threading.Event()

    def wait() -> None:
        list(api.watch(CONFIG_MAPS, namespace=namespace, resource_version=version, timeout_seconds=300))
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    assert not ended.wait(0.5)
    api.close()
    assert ended.wait(10)
    assert list(api.watch(CONFIG_MAPS, resource_version=version, timeout_seconds=300)) == []
