"""The engine at a real API server that has Tekton's types: who may what, and two who start the same build at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from layering.cluster.access import Kubeconfig
from layering.cluster.api import ClusterApi
from layering.cluster.pipelineruns import RUN_LABEL
from layering.cluster.resources import PIPELINE_RUNS, TASK_RUNS
from layering.errors import (
    ConflictError,
    InputError,
    LayerwatchError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from layering.reasons import Reason
from tests.engines.clock import Clock
from tests.engines.runs import KEY, OTHER_KEY, condition, image, request
from tests.kubernetes.admin import ROLE_BINDINGS, ROLES
from tests.kubernetes.server import TestApiServer
from watcher.engines.engine import Build
from watcher.engines.tekton import TektonEngine
from watcher.engines.tekton_run import pipeline_run

HERE = image(namespace=None)


@pytest.fixture(scope="module")
def plain_server() -> Iterator[TestApiServer]:
    """Kubernetes without Tekton's types."""
    with TestApiServer() as server:
        yield server


def test_nothing_is_known_of_a_key_without_runs(engine: TektonEngine) -> None:
    assert engine.find(HERE, KEY) is None


def test_two_who_start_the_same_build_at_once_make_one_run(api: ClusterApi, namespace: str, clock: Clock) -> None:
    together = 4
    barrier = Barrier(together)

    def start(_: int) -> Build:
        engine = TektonEngine(lambda name: api, home="home", namespace=namespace, now=clock)
        barrier.wait()
        return engine.start(HERE, request(), None)

    with ThreadPoolExecutor(together) as pool:
        builds = list(pool.map(start, range(together)))
    assert {build.name for build in builds} == {"worker-os-0a1b2c3d4e5f-1"}
    assert len(api.list(PIPELINE_RUNS, namespace=namespace).items) == 1


def test_what_was_sent_is_stored_as_it_was(engine: TektonEngine, api: ClusterApi, namespace: str) -> None:
    build = engine.start(HERE, request(), None)
    stored = api.get(PIPELINE_RUNS, str(build.name), namespace=namespace)
    sent = pipeline_run(request(), HERE.build, 1, namespace, {})  # type: ignore[arg-type] # a TektonBuild
    assert sent["metadata"]["labels"].items() <= stored["metadata"]["labels"].items()
    assert sent["metadata"]["annotations"].items() <= stored["metadata"]["annotations"].items()
    assert stored["spec"]["params"] == sent["spec"]["params"]


@pytest.mark.parametrize("change", [{"labels": {}}, {"annotations": {"layerwatch/build-key": OTHER_KEY}}])
def test_a_name_that_is_taken_by_something_else_is_a_conflict(
    engine: TektonEngine, api: ClusterApi, namespace: str, change: dict[str, Any]
) -> None:
    foreign = pipeline_run(request(), HERE.build, 1, namespace, {})  # type: ignore[arg-type] # a TektonBuild
    foreign["metadata"] |= change
    api.create(PIPELINE_RUNS, foreign, namespace=namespace)
    with pytest.raises(ConflictError) as caught:
        engine.start(HERE, request(), engine.find(HERE, KEY))
    assert caught.value.where == f"home: PipelineRun/worker-os-0a1b2c3d4e5f-1 in {namespace}"
    assert "oc delete pipelinerun" in caught.value.next_step


def test_a_task_that_ends_after_its_run_is_told_when_it_has(
    engine: TektonEngine, api_server: TestApiServer, namespace: str
) -> None:
    """Tekton ends a run that is out of time before its tasks."""
    admin, name = api_server.admin, str(engine.start(HERE, request(), None).name)
    ended = condition("False", "PipelineRunTimeout", "out of time")
    message = f"{name} failed: PipelineRunTimeout: out of time"
    admin.patch_status(PIPELINE_RUNS, name, ended, namespace=namespace)
    task, labels = f"{name}-build", {RUN_LABEL: name, "tekton.dev/pipelineTask": "build"}
    body = {"metadata": {"name": task, "labels": labels}, "spec": {"taskRef": {"name": "build"}}}
    admin.create(TASK_RUNS, body, namespace=namespace)
    assert told(engine) == message
    cancelled = {**condition("False", "TaskRunCancelled", "its run is out of time"), "podName": ""}
    admin.patch_status(TASK_RUNS, task, cancelled, namespace=namespace)
    assert told(engine) == f"{message}: task build: TaskRunCancelled: its run is out of time"


def told(engine: TektonEngine) -> str:
    build = engine.find(HERE, KEY)
    assert build is not None
    return build.message


def test_runs_of_others_are_not_looked_at(engine: TektonEngine, api: ClusterApi, namespace: str) -> None:
    other = pipeline_run(request(name="infra-os"), HERE.build, 1, namespace, {})  # type: ignore[arg-type] # see above
    api.create(PIPELINE_RUNS, other, namespace=namespace)
    assert engine.find(HERE, KEY) is None
    engine.start(HERE, request(key=OTHER_KEY), None)
    assert "status" not in api.get(PIPELINE_RUNS, other["metadata"]["name"], namespace=namespace)["spec"]


Attempt = Callable[[TektonEngine], object]
CALLS: dict[str, tuple[list[str], Attempt]] = {
    "find without list": (["get", "create", "patch"], lambda engine: engine.find(HERE, KEY)),
    "start without create": (["get", "list", "patch"], lambda engine: engine.start(HERE, request(), None)),
}


@pytest.mark.parametrize(("verbs", "call"), CALLS.values(), ids=CALLS)
def test_a_missing_permission_is_told(
    api_server: TestApiServer, namespace: str, clock: Clock, tmp_path: Path, verbs: list[str], call: Attempt
) -> None:
    kubeconfig = with_rights(api_server, namespace, tmp_path / "kubeconfig", verbs)
    with ClusterApi(Kubeconfig(file=kubeconfig), name="home") as api, pytest.raises(RefusedError) as caught:
        call(TektonEngine(lambda name: api, home="home", namespace=namespace, now=clock))
    assert caught.value.reason is Reason.FORBIDDEN
    assert caught.value.next_step


def with_rights(server: TestApiServer, namespace: str, kubeconfig: Path, verbs: list[str]) -> Path:
    rules = [{"apiGroups": ["tekton.dev"], "resources": ["pipelineruns"], "verbs": verbs}]
    server.admin.create(ROLES, {"metadata": {"name": "some"}, "rules": rules}, namespace=namespace)
    binding = {
        "metadata": {"name": "some"},
        "subjects": [{"kind": "ServiceAccount", "name": "somebody", "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"},
    }
    server.admin.create(ROLE_BINDINGS, binding, namespace=namespace)
    return server.kubeconfig_for(server.token_for("somebody", namespace), kubeconfig)


def test_a_namespace_that_is_not_there_is_told(api: ClusterApi, clock: Clock) -> None:
    engine = TektonEngine(lambda name: api, home="home", namespace="layerwatch", now=clock)
    elsewhere = image(namespace="absent")
    assert engine.find(elsewhere, KEY) is None
    with pytest.raises(NotFoundError) as caught:
        engine.start(elsewhere, request(), None)
    assert caught.value.next_step == "make the namespace absent, or name another one in build.namespace"


def test_a_cluster_without_tekton_is_told(plain_server: TestApiServer, clock: Clock) -> None:
    with ClusterApi(Kubeconfig(file=plain_server.kubeconfig), name="home") as api:
        engine = TektonEngine(lambda name: api, home="home", namespace="default", now=clock)
        for _, call in CALLS.values():
            with pytest.raises(LayerwatchError) as caught:
                call(engine)
            assert caught.value.reason is Reason.API_MISSING
            assert caught.value.next_step.startswith("install OpenShift Pipelines")


def test_the_image_says_in_which_cluster(api: ClusterApi, namespace: str, clock: Clock) -> None:
    asked: list[str] = []

    def apis(name: str) -> ClusterApi:
        asked.append(name)
        return api

    engine = TektonEngine(apis, home="home", namespace=namespace, now=clock)
    engine.find(HERE, KEY)
    engine.find(image(namespace=namespace, cluster="builders"), KEY)
    assert asked == ["home", "builders"]


def test_what_is_built_for_another_key_is_ended_once_the_wanted_image_is_there(
    engine: TektonEngine, api: ClusterApi, namespace: str
) -> None:
    build = engine.start(HERE, request(), None)
    engine.end_others(HERE, KEY)
    assert "status" not in api.get(PIPELINE_RUNS, str(build.name), namespace=namespace)["spec"]
    engine.end_others(HERE, OTHER_KEY)
    engine.end_others(HERE, OTHER_KEY)
    ended = api.get(PIPELINE_RUNS, str(build.name), namespace=namespace)
    assert ended["spec"]["status"] == "CancelledRunFinally"


def test_a_cluster_that_did_not_answer_is_not_asked_what_it_builds(
    api: ClusterApi, namespace: str, clock: Clock
) -> None:
    engine = TektonEngine(lambda name: api, home="home", namespace=namespace, now=clock, answers=lambda name: False)
    with pytest.raises(UnavailableError):
        engine.end_others(HERE, KEY)


def test_where_nothing_can_run_nothing_is_ended(plain_server: TestApiServer, clock: Clock) -> None:
    with ClusterApi(Kubeconfig(file=plain_server.kubeconfig), name="plain") as api:
        TektonEngine(lambda name: api, home="plain", namespace="builds", now=clock).end_others(HERE, KEY)


def test_a_key_that_a_workspace_has_not_is_not_dropped_without_a_word(engine: TektonEngine) -> None:
    misspelt = image(namespace=None, workspaces=[{"name": "source", "emptyDir": {}, "nonsense": 1}])
    with pytest.raises(InputError, match="nonsense") as caught:
        engine.start(misspelt, request(), None)
    assert caught.value.reason is Reason.BUILD_MISCONFIGURED
