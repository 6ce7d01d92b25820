"""The test API server itself: what the tests of the product rely on."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from layering.cluster.resources import (
    CLUSTER_VERSIONS,
    CONFIG_MAPS,
    IMAGE_DIGEST_MIRROR_SETS,
    MACHINE_CONFIG_POOLS,
    OS_IMAGE_STREAMS,
    PIPELINE_RUNS,
    Resource,
)
from tests.kubernetes.admin import NAMESPACES, ROLE_BINDINGS, ROLES, Admin
from tests.kubernetes.rest import Body, RefusedError
from tests.kubernetes.server import TestApiServer

_CHECKOUT = Path(__file__).parents[2]
_WAIT_SECONDS = 60
_POLL_SECONDS = 0.02
_FROZEN_SECONDS = 1


def test_it_is_ready_and_says_its_version(api_server: TestApiServer) -> None:
    assert api_server.admin.call("GET", "/version")["gitVersion"].startswith("v1.")


@pytest.mark.parametrize(
    ("resource", "name", "spec"),
    [
        pytest.param(CLUSTER_VERSIONS, "version", {"clusterID": 7}, id="a ClusterVersion whose ID is a number"),
        pytest.param(MACHINE_CONFIG_POOLS, "worker", {"paused": "yes"}, id="a pool that is paused in words"),
        pytest.param(MACHINE_CONFIG_POOLS, "worker", {"pausd": True}, id="a pool with a field nobody knows"),
        pytest.param(OS_IMAGE_STREAMS, "other", {"defaultStream": "rhel-9"}, id="an OSImageStream that is not cluster"),
        pytest.param(
            IMAGE_DIGEST_MIRROR_SETS,
            "mirrors",
            {"imageDigestMirrors": [{"source": "https://quay.io"}]},
            id="a mirror with a scheme",
        ),
    ],
)
def test_the_kinds_of_openshift_refuse_what_they_refuse(
    api_server: TestApiServer, resource: Resource, name: str, spec: Body
) -> None:
    with pytest.raises(RefusedError) as refused:
        api_server.admin.create(resource, {"metadata": {"name": name}, "spec": spec})
    assert refused.value.code in {400, 422}  # 400 for a field nobody knows, 422 for all else


def test_a_pipeline_run_is_accepted_without_tekton(api_server: TestApiServer, namespace: str) -> None:
    body = {"metadata": {"name": "run"}, "spec": {"pipelineRef": {"name": "any"}}}
    api_server.admin.create(PIPELINE_RUNS, body, namespace=namespace)

    (run,) = api_server.admin.list(PIPELINE_RUNS, namespace=namespace)
    assert run["spec"]["pipelineRef"] == {"name": "any"}


@pytest.fixture
def someone(api_server: TestApiServer, namespace: str, tmp_path: Path) -> Iterator[Admin]:
    """A ServiceAccount without any right."""
    client = Admin(api_server.kubeconfig_for(api_server.token_for("someone", namespace), tmp_path / "kubeconfig"))
    yield client
    client.close()


def test_a_service_account_may_do_what_it_is_bound_to(
    api_server: TestApiServer, namespace: str, someone: Admin
) -> None:
    with pytest.raises(RefusedError, match="403"):
        someone.list(CONFIG_MAPS, namespace=namespace)

    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    api_server.admin.create(ROLES, {"metadata": {"name": "lists"}, "rules": rules}, namespace=namespace)
    binding = {
        "metadata": {"name": "lists"},
        "roleRef": {"apiGroup": ROLES.group, "kind": ROLES.kind, "name": "lists"},
        "subjects": [{"kind": "ServiceAccount", "name": "someone", "namespace": namespace}],
    }
    api_server.admin.create(ROLE_BINDINGS, binding, namespace=namespace)

    _eventually(lambda: _code(lambda: someone.list(CONFIG_MAPS, namespace=namespace)) == 200)
    assert _code(lambda: someone.read(CONFIG_MAPS, "any", namespace=namespace)) == 403


def test_a_token_that_ran_out_is_refused(api_server: TestApiServer, namespace: str, tmp_path: Path) -> None:
    expired = Admin(api_server.kubeconfig_for(api_server.expired_token_for("late", namespace), tmp_path / "kubeconfig"))

    assert _code(lambda: expired.list(CONFIG_MAPS, namespace=namespace)) == 401
    expired.close()


def test_killed_and_started_again_it_has_its_objects_its_port_and_no_past(
    api_server: TestApiServer, namespace: str
) -> None:
    url, old = api_server.url, _resource_version(api_server, namespace)
    api_server.admin.create(CONFIG_MAPS, {"metadata": {"name": "newer"}}, namespace=namespace)
    api_server.compact_history()
    api_server.kill()
    with pytest.raises(requests.ConnectionError):
        api_server.admin.list(NAMESPACES)

    api_server.start_again()

    assert api_server.url == url
    assert api_server.admin.exists(CONFIG_MAPS, "newer", namespace=namespace)
    exact = f"{CONFIG_MAPS.path(namespace=namespace)}?resourceVersion={old}&resourceVersionMatch=Exact"
    assert _code(lambda: api_server.admin.call("GET", exact)) == 410
    ((kind, status),) = api_server.admin.watch(CONFIG_MAPS.path(namespace=namespace), old, seconds=5)
    assert (kind, status["code"]) == ("ERROR", 410)


def test_frozen_it_takes_connections_and_answers_nobody(api_server: TestApiServer) -> None:
    api_server.freeze()
    try:
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{api_server.url}/readyz", verify=str(api_server.ca_file), timeout=_FROZEN_SECONDS)
    finally:
        api_server.thaw()

    assert api_server.admin.list(NAMESPACES)


def test_with_controllers_a_deleted_namespace_vanishes() -> None:
    """And flags are taken, and several servers run at once."""
    with TestApiServer(flags=["--profiling=false"], controllers=True) as server:
        server.admin.create(NAMESPACES, {"metadata": {"name": "short-lived"}})
        server.admin.delete(NAMESPACES, "short-lived")

        _eventually(lambda: not server.admin.exists(NAMESPACES, "short-lived"))
        assert _code(lambda: server.admin.call("GET", "/debug/pprof/")) == 404


_STARTS_ONE_AND_WAITS = """
import sys, time
from tests.kubernetes.server import TestApiServer
server = TestApiServer().start()
print(server.api_process.pid, server.etcd_process.pid, server.directory, flush=True)
time.sleep(600)
"""


def test_killed_tests_leave_no_server_behind(api_server: TestApiServer) -> None:
    argv = [sys.executable, "-c", _STARTS_ONE_AND_WAITS]
    with subprocess.Popen(argv, cwd=_CHECKOUT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        *pids, directory = tests.stdout.readline().split()
        tests.send_signal(signal.SIGKILL)

    _eventually(lambda: not any(_is_running(int(pid)) for pid in pids))
    subprocess.run(["rm", "-r", "--", directory], check=True)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _resource_version(server: TestApiServer, namespace: str) -> str:
    return str(server.admin.call("GET", CONFIG_MAPS.path(namespace=namespace))["metadata"]["resourceVersion"])


def _code(call: Callable[[], object]) -> int:
    """The HTTP status of the answer."""
    try:
        call()
    except RefusedError as error:
        return error.code
    return 200


def _eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(_POLL_SECONDS)
