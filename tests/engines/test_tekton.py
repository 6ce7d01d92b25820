"""The engine and Tekton itself: its webhook judges the runs, its controller runs them, their steps run here."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from layering.cluster.access import Kubeconfig
from layering.cluster.api import ClusterApi
from layering.cluster.pipelineruns import parse_pipeline_run
from layering.cluster.resources import PIPELINE_RUNS
from layering.errors import InputError, RefusedError, UnavailableError
from layering.reasons import Reason
from tests.engines.clock import Clock
from tests.engines.pipeline import PIPELINE
from tests.engines.runs import KEY, OTHER_KEY, image, request
from tests.kubernetes.admin import ROLE_BINDINGS, ROLES
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.rest import Rest
from tests.kubernetes.server import TestApiServer
from tests.kubernetes.tekton import Tekton
from watcher.engines.engine import Build, BuildState
from watcher.engines.tekton import TektonEngine
from watcher.engines.tekton_runs import Runs
from watcher.settings_image import ImageSettings

_WAIT_SECONDS = 60
SECRET = "pl4ntedS3cret"
ARGUMENTS = {"HOME": "$(params.DO) $(HOME) $$(HOME) $(context.taskRun.name)"}
REQUEST = request(build_args=ARGUMENTS)


class Story:
    """One image in one namespace with the test's Pipeline, and what people do there."""

    def __init__(self, rest: Rest, namespace: str, engine: TektonEngine) -> None:
        self.rest, self.namespace, self.engine = rest, namespace, engine
        self.path = f"/apis/tekton.dev/v1/namespaces/{namespace}/pipelineruns"
        rest.call("POST", f"/apis/tekton.dev/v1/namespaces/{namespace}/pipelines", PIPELINE)
        rest.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "layerwatch-build"}})

    def image(self, do: str = "succeed", **build: Any) -> ImageSettings:
        """An image whose build does something; see the Pipeline."""
        return image(
            **{
                "namespace": self.namespace,
                "pipeline": PIPELINE["metadata"]["name"],
                "params": {"DO": do},
                "workspaces": [{"name": "source", "emptyDir": {}}],
                **build,
            }
        )

    def start(self, wanted: ImageSettings, key: str = KEY) -> Build:
        """As the watcher does: look, and start what is to be started."""
        end = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                return self.engine.start(wanted, request(key=key, build_args=ARGUMENTS), self.engine.find(wanted, key))
            except UnavailableError:  # 429 while the server takes Tekton's changes of its types in
                assert time.monotonic() < end
                time.sleep(0.1)

    def ended(self, wanted: ImageSettings, key: str = KEY) -> Build:
        """Its build, as soon as it is not running any more."""
        return self.until(wanted, lambda build: build.state is not BuildState.RUNNING, key)

    def until(self, wanted: ImageSettings, told: Callable[[Build], bool], key: str = KEY) -> Build:
        end = time.monotonic() + _WAIT_SECONDS
        while (build := self._found(wanted, key)) is None or not told(build):
            assert time.monotonic() < end, build
            time.sleep(0.1)
        return build

    def _found(self, wanted: ImageSettings, key: str) -> Build | None:
        try:
            return self.engine.find(wanted, key)
        except UnavailableError:  # 429 while the server takes Tekton's changes of its types in
            return None

    def pod(self, run: str | None) -> str:
        """The pod of the run's only task, as soon as its step runs."""
        path = f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=tekton.dev/pipelineRun={run}"
        end = time.monotonic() + _WAIT_SECONDS
        while True:
            pods = [pod for pod in self.rest.call("GET", path)["items"] if pod["status"].get("phase") == "Running"]
            if pods:
                return str(pods[0]["metadata"]["name"])
            assert time.monotonic() < end
            time.sleep(0.05)

    def delete_runs(self) -> None:
        self.rest.call("DELETE", self.path)


@pytest.fixture
def tekton_api(tekton_server: TestApiServer) -> Iterator[ClusterApi]:
    with ClusterApi(Kubeconfig(file=tekton_server.kubeconfig), name="home") as opened:
        yield opened


@pytest.fixture
def story(tekton: Tekton, kubelet: Kubelet, tekton_namespace: str, tekton_api: ClusterApi, clock: Clock) -> Story:
    engine = TektonEngine(lambda name: tekton_api, home="home", namespace=tekton_namespace, now=clock)
    return Story(tekton.api, tekton_namespace, engine)


def test_a_run_that_succeeds_says_so_and_leaves_the_image_to_the_registry(story: Story, clock: Clock) -> None:
    wanted = story.image()
    begun = story.start(wanted)
    assert (begun.state, begun.name, begun.attempt) == (BuildState.RUNNING, "worker-os-0a1b2c3d4e5f-1", 1)
    assert story.start(wanted).name == begun.name

    done = story.ended(wanted)
    assert (done.state, done.reason) == (BuildState.SUCCEEDED, Reason.BUILD_RUNNING)
    run = parse_pipeline_run(story.rest.call("GET", f"{story.path}/{done.name}"))
    assert run.results == {"IMAGE_DIGEST": "sha256:" + "1" * 64, "SEEN": sha256(REQUEST.to_json().encode()).hexdigest()}
    assert story.start(wanted) == done

    clock.ahead = timedelta(hours=1)  # and still its image is not in the registry
    assert story.start(wanted).attempt == 2


def test_a_step_that_fails_is_tried_again_and_told_with_its_log(story: Story, clock: Clock) -> None:
    wanted = story.image("fail", attempts=2)
    story.start(wanted)
    first = story.ended(wanted)
    assert (first.state, first.reason, first.attempt) == (BuildState.FAILED, Reason.BACK_OFF, 1)
    assert first.message.startswith(
        "worker-os-0a1b2c3d4e5f-1 failed: step build of task build ended with exit code 7\nthe end of its log:\n"
    )
    assert first.message.endswith("layerwatch-step run: no package matches htopp\n  next: mend the Containerfile")
    assert SECRET not in first.message
    assert first.log is not None
    assert first.log.startswith(f"oc logs -n {story.namespace} worker-os-0a1b2c3d4e5f-1-build-pod -c step-build")
    assert first.retry_at is not None

    clock.ahead = timedelta(minutes=2)
    second = story.start(wanted)
    assert (second.state, second.attempt) == (BuildState.RUNNING, 2)
    last = story.ended(wanted)
    assert (last.state, last.attempt, last.retry_at) == (BuildState.EXHAUSTED, 2, None)
    assert last.next_step.startswith("mend the Containerfile; to start over, delete its runs: ")
    assert story.start(wanted) == last

    story.delete_runs()
    assert story.engine.find(wanted, KEY) is None


def test_a_failed_run_is_read_once_and_by_whoever_may(
    story: Story, tekton_server: TestApiServer, clock: Clock, tmp_path: Path
) -> None:
    wanted = story.image("fail")
    failed = story.start(wanted)
    story.ended(wanted)
    asked: list[int | str] = []

    def told(access: Kubeconfig) -> str:
        """What an engine that knows nothing yet says, asked twice."""
        asked.clear()
        with ClusterApi(access, name="home", on_request=asked.append) as api:
            engine = TektonEngine(lambda name: api, home="home", namespace=story.namespace, now=clock)
            try:
                first, second = engine.find(wanted, KEY), engine.find(wanted, KEY)
            except RefusedError as error:
                return str(error)
        assert first is not None
        assert first == second
        return first.message

    def comes_to_be_told(access: Kubeconfig, text: str) -> None:
        end = time.monotonic() + _WAIT_SECONDS  # a new right is in force a little later
        while text not in (message := told(access)):
            assert time.monotonic() < end, message
            time.sleep(0.1)

    admin = Kubeconfig(file=tekton_server.kubeconfig)
    assert "the end of its log" in told(admin)
    assert len(asked) == 4  # runs, TaskRuns and a log; then runs alone

    token = tekton_server.token_for("somebody", story.namespace)
    limited = Kubeconfig(file=tekton_server.kubeconfig_for(token, tmp_path / "kubeconfig"))
    grant(tekton_server, story.namespace, "somebody", "tekton.dev", "pipelineruns", "taskruns")
    comes_to_be_told(limited, "its log cannot be read: not allowed (403)")
    grant(tekton_server, story.namespace, "nobody", "tekton.dev", "pipelineruns")
    nobody = tekton_server.kubeconfig_for(tekton_server.token_for("nobody", story.namespace), tmp_path / "nobody")
    comes_to_be_told(Kubeconfig(file=nobody), "its tasks cannot be read: not allowed (403)")

    story.rest.call("DELETE", f"/api/v1/namespaces/{story.namespace}/pods/{failed.name}-build-pod")
    comes_to_be_told(admin, "its pod is gone, and its log with it")


def grant(server: TestApiServer, namespace: str, name: str, group: str, *resources: str) -> None:
    rules = [{"apiGroups": [group], "resources": list(resources), "verbs": ["get", "list"]}]
    server.admin.create(ROLES, {"metadata": {"name": name}, "rules": rules}, namespace=namespace)
    binding = {
        "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
    }
    server.admin.create(ROLE_BINDINGS, binding, namespace=namespace)


def test_a_run_out_of_time_is_tried_again(story: Story) -> None:
    wanted = story.image("sleep", timeout="5s")
    story.start(wanted)
    build = story.until(wanted, lambda build: "of task build ended" in build.message)  # a moment after the run
    assert (build.state, build.attempt) == (BuildState.FAILED, 1)
    assert "PipelineRunTimeout" in build.message


@pytest.mark.parametrize("how", ["Cancelled", "CancelledRunFinally", "StoppedRunFinally"])
def test_a_run_that_somebody_cancels_is_left_alone_until_it_is_deleted(story: Story, how: str) -> None:
    wanted = story.image("wait")
    name = story.start(wanted).name
    story.pod(name)
    story.rest.merge(f"{story.path}/{name}", {"spec": {"status": how}})
    build = story.ended(wanted)
    assert (build.state, build.reason) == (BuildState.CANCELLED, Reason.BUILD_CANCELLED)
    assert story.start(wanted) == build

    story.rest.call("DELETE", f"{story.path}/{name}")
    assert story.engine.find(wanted, KEY) is None


def test_an_evicted_pod_is_tried_again(story: Story, kubelet: Kubelet) -> None:
    wanted = story.image("sleep")
    pod = story.pod(story.start(wanted).name)
    kubelet.evict(story.namespace, pod)
    build = story.ended(wanted)
    assert build.state is BuildState.FAILED
    assert "PodEvicted" in build.message


MISCONFIGURED = {
    "no such Pipeline": ({"pipeline": "absent"}, "CouldntGetPipeline"),
    "a param is missing": ({"pipeline": "demanding"}, "ParameterMissing"),
    "a workspace is missing": ({"pipeline": "roomy"}, "InvalidWorkspaceBindings"),
    "no such Task": ({"pipeline": "without-its-task"}, "CouldntGetTask"),
}


@pytest.mark.parametrize(("build", "says"), MISCONFIGURED.values(), ids=MISCONFIGURED)
def test_a_run_that_cannot_work_is_not_tried_again(story: Story, build: dict[str, Any], says: str) -> None:
    spec = PIPELINE["spec"]
    for name, change in {
        "demanding": {"params": [*spec["params"], {"name": "needed"}]},
        "roomy": {"workspaces": [*spec["workspaces"], {"name": "needed"}]},
        "without-its-task": {"tasks": [{"name": "build", "taskRef": {"name": "absent"}}], "results": []},
    }.items():
        if name == build["pipeline"]:
            body = {**PIPELINE, "metadata": {"name": name}, "spec": {**spec, **change}}
            story.rest.call("POST", f"/apis/tekton.dev/v1/namespaces/{story.namespace}/pipelines", body)
    wanted = story.image(**build)
    story.start(wanted)
    told = story.ended(wanted)
    assert (told.state, told.reason) == (BuildState.MISCONFIGURED, Reason.BUILD_MISCONFIGURED)
    assert says in told.message
    assert story.start(wanted) == told


def test_a_superseded_run_is_cancelled_and_built_again_when_it_is_wanted_again(story: Story) -> None:
    wanted = story.image("sleep")
    old = story.start(wanted)
    new = story.start(wanted, OTHER_KEY)
    assert new.state is BuildState.RUNNING
    run = parse_pipeline_run(story.rest.call("GET", f"{story.path}/{old.name}"))
    assert (run.asked_to_end, run.superseded_by) == ("CancelledRunFinally", OTHER_KEY)
    superseded = story.ended(wanted)
    assert (superseded.state, superseded.retry_at) == (BuildState.FAILED, run_finished(story, old))

    again = story.start(wanted)
    assert (again.state, again.attempt) == (BuildState.RUNNING, 2)
    assert story.ended(wanted, OTHER_KEY).state is BuildState.FAILED


def run_finished(story: Story, build: Build) -> Any:
    return parse_pipeline_run(story.rest.call("GET", f"{story.path}/{build.name}")).finished


def test_a_run_that_ended_in_the_meantime_is_not_cancelled(
    story: Story, tekton_api: ClusterApi, tekton_server: TestApiServer
) -> None:
    class LookedBefore(ClusterApi):
        """Lists what there was a moment ago, as a slow reader's answer would be."""

        def list(self, *arguments: Any, **named: Any) -> Any:
            return earlier

    wanted = story.image()
    story.start(wanted)
    earlier = tekton_api.list(PIPELINE_RUNS, namespace=story.namespace)
    story.ended(wanted)
    with LookedBefore(Kubeconfig(file=tekton_server.kubeconfig), name="home") as slow:
        assert Runs(slow, story.namespace).supersede("worker-os", OTHER_KEY) == []


REFUSED: dict[str, dict[str, Any]] = {
    "a workspace bound to nothing": {"workspaces": [{"name": "source"}]},
    "a pod template of another form": {"podTemplate": {"nodeSelector": ["amd64"]}},
}


@pytest.mark.parametrize("build", REFUSED.values(), ids=REFUSED)
def test_what_the_webhook_refuses_is_the_configurations_fault(story: Story, build: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        story.start(story.image(**build))
    assert caught.value.reason is Reason.BUILD_MISCONFIGURED
    assert caught.value.next_step.startswith("mend the image's build")
