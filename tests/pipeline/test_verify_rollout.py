"""`verify-rollout`: a pool's way to an image, played on the real API server, and what becomes of each way."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from time import sleep as pause

import pytest

from layering.cluster.access import InCluster, Kubeconfig
from layering.errors import ExitCode, InputError, LayerwatchError, UnavailableError
from layering.reasons import Reason
from layering.reference import ImageReference
from pipeline.cli import main
from pipeline.steps.verify_rollout import Inputs, Outputs, State, add_arguments, read_inputs, run
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer

MINE = f"registry.example.com/acme/os@sha256:{'a' * 64}"
MIRRORED = f"mirror.example.com/acme/os@sha256:{'a' * 64}"
OTHER = f"registry.example.com/acme/os@sha256:{'b' * 64}"


class Time:
    """A clock that only sleeping moves; every sleep does the next thing that happens in the cluster."""

    def __init__(self, *happens: Callable[[], object]) -> None:
        self.now = 0.0
        self._happens = list(happens)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self._happens:
            self._happens.pop(0)()


_STARTING_TRIES = 30


@pytest.fixture
def verified(api_server: TestApiServer) -> Callable[..., Outputs]:
    def verified(*happens: Callable[[], object], image: str = MINE, seconds: float = 0.0) -> Outputs:
        inputs = Inputs(
            pool="worker",
            image=ImageReference.parse_pinned(image),
            timeout_seconds=seconds,
            access=Kubeconfig(file=api_server.kubeconfig),
        )
        for _ in range(_STARTING_TRIES):  # a server that fills its caches says 429 to a list now and then
            time = Time(*happens)
            try:
                return run(inputs, lambda note: None, time.clock, time.sleep)
            except UnavailableError as error:
                if error.reason is not Reason.THROTTLED:
                    raise
                pause(1)
        pytest.fail("the API server never filled its caches")

    return verified


@pytest.fixture
def pool(openshift: OpenShiftPlay) -> OpenShiftPlay:
    """A pool of three machines whose configuration names our image, and which none of them has yet."""
    openshift.pool("worker", machines=3)
    openshift.machine_config("99-mine", "worker", MINE)
    openshift.render("worker")
    return openshift


Play = tuple[Callable[[OpenShiftPlay], object], ...]
STATES: dict[str, tuple[Play, str, State, tuple[int, int, int], ExitCode]] = {
    "rolled out": ((lambda play: play.roll_out("worker"),), MINE, State.ROLLED_OUT, (3, 3, 0), ExitCode.DONE),
    "under another name of the same image": (
        (lambda play: play.roll_out("worker"),), MIRRORED, State.ROLLED_OUT, (3, 3, 0), ExitCode.DONE,
    ),
    "none has it yet": ((), MINE, State.UPDATING, (0, 3, 0), ExitCode.UNAVAILABLE),
    "two have it": (
        (lambda play: play.roll_out("worker", machines=2),), MINE, State.UPDATING, (2, 3, 0), ExitCode.UNAVAILABLE,
    ),
    "not observed yet": (
        (lambda play: play.roll_out("worker"), lambda play: play.change_unobserved("worker")),
        MINE, State.UPDATING, (3, 3, 0), ExitCode.UNAVAILABLE,
    ),
    "paused": ((lambda play: play.pause("worker"),), MINE, State.PAUSED, (0, 3, 0), ExitCode.UNAVAILABLE),
    "paused, with nothing pending": (
        (lambda play: play.roll_out("worker"), lambda play: play.pause("worker")),
        MINE, State.ROLLED_OUT, (3, 3, 0), ExitCode.DONE,
    ),
    "degraded": (
        (lambda play: play.degrade("worker", "full"),), MINE, State.DEGRADED, (0, 3, 1), ExitCode.CHECK_SAID_NO,
    ),
    "another image": ((), OTHER, State.NOT_REQUESTED, (0, 3, 0), ExitCode.UNAVAILABLE),
    "another image, and degraded": (
        (lambda play: play.degrade("worker", "x"),), OTHER, State.NOT_REQUESTED, (0, 3, 1), ExitCode.UNAVAILABLE,
    ),
    "merged, and not rendered yet": (
        (lambda play: play.machine_config("99-mine", "worker", OTHER),),
        OTHER, State.NOT_REQUESTED, (0, 3, 0), ExitCode.UNAVAILABLE,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "image", "state", "numbers", "code"), STATES.values(), ids=STATES)
def test_one_look(
    pool: OpenShiftPlay,
    verified: Callable[..., Outputs],
    change: Play,
    image: str,
    state: State,
    numbers: tuple[int, int, int],
    code: ExitCode,
) -> None:
    for step in change:
        step(pool)
    found = verified(image=image)
    assert (found.state, (found.updated, found.total, found.degraded), found.exit_code) == (state, numbers, code)
    assert found.message


def test_it_waits_through_merge_and_rollout(pool: OpenShiftPlay, verified: Callable[..., Outputs]) -> None:
    found = verified(
        lambda: pool.machine_config("99-mine", "worker", OTHER),
        lambda: pool.render("worker"),
        lambda: pool.roll_out("worker", machines=1),
        lambda: pool.roll_out("worker"),
        image=OTHER,
        seconds=3600,
    )
    assert (found.state, found.updated) == (State.ROLLED_OUT, 3)


@pytest.mark.parametrize(
    ("happens", "state"),
    [
        (lambda play: play.degrade("worker", "timed out"), State.DEGRADED),
        (lambda play: play.pause("worker"), State.PAUSED),
    ],
    ids=["degraded", "paused"],
)
def test_what_a_person_must_end_is_not_waited_for(
    pool: OpenShiftPlay, verified: Callable[..., Outputs], happens: Callable[[OpenShiftPlay], object], state: State
) -> None:
    rolled_out_later = [lambda: None] * 3
    assert verified(lambda: happens(pool), *rolled_out_later, seconds=3600).state is state


def test_it_looks_once_more_when_the_time_is_over(pool: OpenShiftPlay, verified: Callable[..., Outputs]) -> None:
    found = verified(lambda: None, lambda: pool.roll_out("worker"), seconds=15)
    assert found.state is State.ROLLED_OUT
    assert verified(seconds=15, image=OTHER).state is State.NOT_REQUESTED


def ask(file: Path, *words: str) -> int:
    image = ("--image", MINE)
    return main(["verify-rollout", "--kubeconfig", str(file), "--pool", "worker", *image, *words])


def test_the_command(
    api_server: TestApiServer, pool: OpenShiftPlay, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pool.roll_out("worker")
    results = tmp_path / "results"
    results.mkdir()
    assert ask(api_server.kubeconfig, "--timeout-seconds", "0", "--results-dir", str(results)) == ExitCode.DONE
    printed = json.loads(capsys.readouterr().out)
    message = "3 of 3 machines have it"
    assert printed == {"state": "RolledOut", "updated": 3, "total": 3, "degraded": 0, "message": message}
    assert (results / "state").read_text() == "RolledOut"


def test_a_pool_that_is_not_there_is_a_wrong_word(api_server: TestApiServer, openshift: OpenShiftPlay) -> None:
    assert ask(api_server.kubeconfig) == ExitCode.BAD_INPUT


def test_refused(api_server: TestApiServer, namespace: str, tmp_path: Path) -> None:
    good = api_server.token_for("nobody", namespace)
    bad = api_server.expired_token_for("nobody", namespace)
    for token in (good, bad):
        assert ask(api_server.kubeconfig_for(token, tmp_path / "kubeconfig")) == ExitCode.REFUSED


def test_a_cluster_that_is_not_there_is_tried_until_the_time_is_over(tmp_path: Path) -> None:
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}
    contexts = [{"name": "x", "context": {"cluster": "c"}}]
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps({"clusters": [cluster], "contexts": contexts, "current-context": "x"}))
    assert ask(file) == ExitCode.UNAVAILABLE
    inputs = Inputs(
        pool="worker",
        image=ImageReference.parse_pinned(MINE),
        timeout_seconds=25,
        access=Kubeconfig(file=file),
    )
    said: list[str] = []
    time = Time()
    with pytest.raises(LayerwatchError) as caught:
        run(inputs, said.append, time.clock, time.sleep)
    assert caught.value.reason is Reason.UNREACHABLE
    assert len(said) == 3
    assert time.now == 25


FAULTS: dict[str, tuple[list[str], str]] = {
    "an image by tag": (["--image", "quay.io/acme/os:1"], "not pinned"),
    "a negative time": (["--timeout-seconds", "-1"], "0 or more"),
    "no time": (["--timeout-seconds", "nan"], "0 or more"),
    "no pool": (["--pool", ""], "is empty"),  # as from a variable that is not set; the API would list all of them
    "a context of nothing": (["--context", "x"], "kubeconfig"),
}


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--pool", "worker", "--image", MINE, *words])


@pytest.mark.parametrize(("words", "what"), FAULTS.values(), ids=FAULTS)
def test_what_needs_no_cluster_is_refused_without_one(words: list[str], what: str) -> None:
    with pytest.raises(InputError, match=what):
        read_inputs(parsed(words))


def test_without_a_kubeconfig_it_is_a_pod_of_the_cluster() -> None:
    assert read_inputs(parsed([])).access == InCluster()
