"""What a cluster can do to those who ask it: killed, frozen, restarted, tokens that run out, answers that are none."""

import copy
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from layering.cluster.access import InCluster, Kubeconfig
from layering.cluster.api import ClusterApi, ExpiredError
from layering.cluster.registries import read_cas, read_mirrors, read_proxy
from layering.cluster.resources import CONFIG_MAPS, NODES, PIPELINE_RUNS, Resource
from layering.cluster.state import Memory, read_state
from layering.cluster.watches import follow, pause_longest_seconds
from layering.errors import InputError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.reasons import Reason
from tests.kubernetes.admin import CRDS
from tests.kubernetes.crds import load_openshift
from tests.kubernetes.server import TestApiServer

WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def server() -> Iterator[TestApiServer]:
    """A server of our own to break. It has no CRDs: plain Kubernetes."""
    with TestApiServer() as server:
        yield server


@pytest.fixture
def api(server: TestApiServer) -> Iterator[ClusterApi]:
    with ClusterApi(Kubeconfig(file=server.kubeconfig), name="prod", timeout_seconds=10) as api:
        yield api


def reason_of(ask: Callable[[], object]) -> Reason | None:
    try:
        ask()
    except LayerwatchError as error:
        return error.reason
    return None


def test_a_server_that_is_killed_is_unreachable_and_one_that_is_back_is_asked_again(
    server: TestApiServer, api: ClusterApi
) -> None:
    api.list(CONFIG_MAPS, namespace="default")
    server.kill()
    assert reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")) is Reason.UNREACHABLE
    server.start_again()
    assert reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")) is None


def test_a_server_that_hangs_is_timed_out(server: TestApiServer, api: ClusterApi) -> None:
    api.list(CONFIG_MAPS, namespace="default")
    hurried = copy.copy(api)  # over the same connection
    hurried._timeout_seconds = 2
    server.freeze()
    try:
        reasons = [
            reason_of(lambda: hurried.list(CONFIG_MAPS, namespace="default")),
            reason_of(lambda: list(hurried.watch(CONFIG_MAPS, resource_version="1", timeout_seconds=30))),
            reason_of(lambda: hurried.create(CONFIG_MAPS, {"metadata": {"name": "x"}}, namespace="default")),
        ]
    finally:
        server.thaw()
    assert reasons == [Reason.TIMED_OUT] * 3
    assert reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")) is None


def test_a_watch_from_before_a_restart_has_expired(server: TestApiServer, api: ClusterApi) -> None:
    version = api.list(CONFIG_MAPS, namespace="default").resource_version
    server.admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace="default")
    server.start_again()
    with pytest.raises(ExpiredError):
        list(api.watch(CONFIG_MAPS, namespace="default", resource_version=version, timeout_seconds=5))


def test_following_survives_a_killed_server_and_what_it_forgot(server: TestApiServer, api: ClusterApi) -> None:
    told, stop = threading.Semaphore(0), threading.Event()
    follower = threading.Thread(
        target=follow, args=(api, CONFIG_MAPS, told.release, stop), kwargs={"namespace": "default"}, daemon=True
    )
    follower.start()
    assert told.acquire(timeout=WAIT_SECONDS)  # what is there already may be news
    server.admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace="default")
    assert told.acquire(timeout=WAIT_SECONDS)
    server.admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace="kube-system")
    server.start_again()  # and what went on between is forgotten: 410
    assert told.acquire(timeout=WAIT_SECONDS)  # something may have been missed
    while told.acquire(timeout=0.5):
        pass
    server.admin.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace="default")
    assert told.acquire(timeout=WAIT_SECONDS)
    stop.set()
    api.close()
    follower.join(timeout=WAIT_SECONDS)
    assert not follower.is_alive()


def test_following_that_is_ended_is_no_trouble_to_tell_of(
    server: TestApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    """As with each new configuration: `stop`, then the API is closed, which ends the watch before its first event."""
    told, stop = threading.Event(), threading.Event()
    with ClusterApi(Kubeconfig(file=server.kubeconfig), name="prod") as api:
        follower = threading.Thread(target=follow, args=(api, CONFIG_MAPS, told.set, stop), daemon=True)
        follower.start()
        assert told.wait(WAIT_SECONDS)
        stop.set()
    follower.join(timeout=WAIT_SECONDS)
    assert not follower.is_alive()
    assert [record.message for record in caplog.records] == []


@pytest.mark.parametrize(
    ("error", "within_seconds"),
    [
        pytest.param(UnavailableError("x", reason=Reason.UNREACHABLE), 10, id="unreachable"),
        pytest.param(RefusedError("x", reason=Reason.UNAUTHORIZED), 10, id="a token that ran out"),
        pytest.param(InputError("x"), 10, id="a kubeconfig that cannot be read"),
        pytest.param(RefusedError("x", reason=Reason.FORBIDDEN), 60, id="missing rights"),
        pytest.param(NotFoundError("x", reason=Reason.API_MISSING), 60, id="plain Kubernetes"),
    ],
)
def test_what_may_mend_by_itself_is_tried_often_enough_to_notice_an_upgrade_in_15_seconds(
    error: LayerwatchError, within_seconds: float
) -> None:
    assert pause_longest_seconds(error) <= within_seconds


def test_following_what_is_not_served_waits_for_it(server: TestApiServer, api: ClusterApi) -> None:
    told, stop = threading.Event(), threading.Event()
    follower = threading.Thread(target=follow, args=(api, PIPELINE_RUNS, told.set, stop), daemon=True)
    follower.start()
    assert not told.wait(0.5)
    stop.set()
    follower.join(timeout=WAIT_SECONDS)
    assert not follower.is_alive()


def test_a_token_that_ran_out_is_unauthorized_until_the_kubeconfig_has_another(
    server: TestApiServer, tmp_path: Path
) -> None:
    file = server.kubeconfig_for(server.expired_token_for("watcher", "default"), tmp_path / "kubeconfig")
    with ClusterApi(Kubeconfig(file=file), name="prod") as api:
        with pytest.raises(RefusedError) as caught:
            api.list(CONFIG_MAPS, namespace="default")
        assert caught.value.reason is Reason.UNAUTHORIZED
        server.kubeconfig_for(server.token_for("watcher", "default"), file)
        assert reason_of(lambda: api.list(CONFIG_MAPS, namespace="default")) is Reason.FORBIDDEN  # it is let in


def test_a_kubeconfig_that_is_broken_for_a_moment_is_read_again_when_it_is_whole(
    server: TestApiServer, tmp_path: Path
) -> None:
    file = server.kubeconfig_for(server.token_for("watcher", "default"), tmp_path / "kubeconfig")
    whole = file.read_text()
    with ClusterApi(Kubeconfig(file=file), name="prod") as api:
        seen = []
        for content in (whole, whole[:40], whole):
            file.write_text(content)
            seen.append(reason_of(lambda: api.list(NODES)))
    assert seen == [Reason.FORBIDDEN, Reason.INPUT_INVALID, Reason.FORBIDDEN]


def test_a_pods_token_is_read_again(server: TestApiServer, tmp_path: Path) -> None:
    old = server.expired_token_for("watcher", "default")
    environment = server.pod_files_for(old, "default", tmp_path)
    access = InCluster(environment=environment)
    with ClusterApi(access, name="prod") as api:
        assert reason_of(lambda: api.list(NODES)) is Reason.UNAUTHORIZED
        (tmp_path / "token").write_text(server.token_for("watcher", "default"))
        assert reason_of(lambda: api.list(NODES)) is Reason.FORBIDDEN
    assert access.namespace == "default"


def test_a_server_that_is_not_the_one_it_should_be_gets_no_token(server: TestApiServer, tmp_path: Path) -> None:
    document = yaml.safe_load(server.kubeconfig.read_text())
    del document["clusters"][0]["cluster"]["certificate-authority"]
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    with ClusterApi(Kubeconfig(file=file), name="prod") as api, pytest.raises(UnavailableError) as caught:
        api.list(NODES)
    assert caught.value.reason is Reason.UNREACHABLE
    assert "certificate is not trusted" in caught.value.what


def test_plain_kubernetes_has_no_release_and_no_pools_and_says_what_to_do(api: ClusterApi) -> None:
    state = read_state(api, Memory())
    assert state.streams is None
    for part in (state.release, state.pools):
        assert isinstance(part, NotFoundError)
        assert part.reason is Reason.API_MISSING
        assert "base.image" in part.next_step
    assert (read_mirrors(api), read_cas(api), read_proxy(api)) == ((), "", None)


def test_plain_kubernetes_is_told_from_missing_rights(server: TestApiServer, tmp_path: Path) -> None:
    """Who may do nothing is answered 403, also for an API that is not there."""
    access = Kubeconfig(file=server.kubeconfig_for(server.token_for("nobody", "default"), tmp_path / "kubeconfig"))
    with ClusterApi(access, name="prod") as nobody:
        state = read_state(nobody, Memory())
    for part in (state.release, state.pools):
        assert isinstance(part, NotFoundError)
        assert part.reason is Reason.API_MISSING


def test_an_api_that_comes_later_is_noticed(server: TestApiServer, api: ClusterApi) -> None:
    memory = Memory()
    assert isinstance(read_state(api, memory).pools, NotFoundError)
    load_openshift(server.admin)
    try:
        state = read_state(api, memory)
        assert state.pools == {}
        assert state.streams is None
    finally:
        server.admin.delete_all(CRDS)


def test_a_look_at_a_server_that_hangs_is_over_after_one_time_limit(server: TestApiServer) -> None:
    codes: list[int | str] = []
    access = Kubeconfig(file=server.kubeconfig)
    with ClusterApi(access, name="prod", timeout_seconds=1, on_request=codes.append) as api:
        server.freeze()
        try:
            state = read_state(api, Memory())
        finally:
            server.thaw()
    for part in (state.release, state.streams, state.pools):
        assert isinstance(part, UnavailableError)
        assert part.reason is Reason.TIMED_OUT
    assert codes == ["timeout"]  # what one part met is not tried for the others


def test_too_many_requests_are_throttled(server: TestApiServer, tmp_path: Path) -> None:
    allow_one_request_at_a_time(server, "busy")
    access = Kubeconfig(file=server.kubeconfig_for(server.token_for("busy", "default"), tmp_path / "kubeconfig"))
    throttled, ends_at = threading.Event(), time.monotonic() + WAIT_SECONDS

    def ask(api: ClusterApi) -> None:
        while not throttled.is_set() and time.monotonic() < ends_at:
            if reason_of(lambda: api.list(NODES)) is Reason.THROTTLED:
                throttled.set()

    # a limit that leaves no room for the second that the server asks for
    with ClusterApi(access, name="prod", timeout_seconds=0.9) as api, ThreadPoolExecutor(max_workers=8) as threads:
        wait([threads.submit(ask, api) for _ in range(8)])
    assert throttled.is_set()


def allow_one_request_at_a_time(server: TestApiServer, account: str) -> None:
    """API priority and fairness: no share of their own for requests of one ServiceAccount, and no queue."""
    level = Resource(
        group="flowcontrol.apiserver.k8s.io",
        version="v1",
        plural="prioritylevelconfigurations",
        kind="PriorityLevelConfiguration",
    )
    limited = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
    metadata = {"name": account}
    server.admin.create(level, {"metadata": metadata, "spec": {"type": "Limited", "limited": limited}})
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    subject = {"kind": "ServiceAccount", "serviceAccount": {"name": account, "namespace": "default"}}
    spec = {
        "priorityLevelConfiguration": metadata,
        "matchingPrecedence": 2,
        "rules": [{"subjects": [subject], "resourceRules": [everything]}],
    }
    schema = replace(level, plural="flowschemas", kind="FlowSchema")
    server.admin.create(schema, {"metadata": metadata, "spec": spec})
