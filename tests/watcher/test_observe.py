"""What a look asks of registries and git: each thing once, and later only what can have changed."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from layering.reasons import Reason
from layering.registry.transport import Request
from tests.scenario import Scenario
from watcher.configuration import load
from watcher.observe import Observer
from watcher.settings import Settings
from watcher.targets import targets
from watcher.watch import watching
from watcher.world import Failure, Observation


def git_commands(trace: Path) -> Counter[str]:
    """The git commands that were started, as git tells in its own trace (GIT_TRACE2_EVENT)."""
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    return Counter(event["name"] for event in events if event["event"] == "cmd_name")


def looked(observer: Observer, settings: Settings) -> Sequence[Observation]:
    seen = observer.look(settings, targets(settings))
    observed = [one for one in seen if isinstance(one, Observation)]
    assert len(observed) == len(seen), seen
    return observed


def test_each_thing_is_asked_for_once(scenario: Scenario, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert scenario.tick()[0] == "AwaitingApproval"
    image = json.loads(scenario.config.read_text())["images"][0]
    scenario.configure(images=[{**image, "name": f"os-{number}", "proposals": []} for number in range(3)])
    settings = load(scenario.config)
    trace, asked = tmp_path / "trace", list[Request]()
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    with watching(settings, on_registry_request=asked.append) as watch:
        watch.clusters.refresh_all()
        observer = watch.observer
        first = looked(observer, settings)
        assert all(one.built is not None for one in first)
        tag = f"/manifests/{first[0].wanted.target.tag}"
        assert len([request for request in asked if request.path.endswith(tag)]) == 1
        assert git_commands(trace)["ls-remote"] == 1
        asked.clear()
        trace.unlink()
        assert looked(observer, settings) == first
        assert asked == []
        assert (git_commands(trace)["ls-remote"], git_commands(trace)["fetch"]) == (1, 0)


def test_a_registry_that_hangs_slows_nobody_else(scenario: Scenario) -> None:
    """Twenty images of a host that says nothing come first; it lets go when another image was asked for, not before."""
    assert scenario.tick()[0] == "AwaitingApproval"
    image = {**json.loads(scenario.config.read_text())["images"][0], "proposals": []}
    asked_elsewhere = threading.Event()
    with hanging(asked_elsewhere) as hung:
        images = [
            {**image, "name": f"hung-{number}", "base": {"image": f"{hung}/a/b:{number}"}} for number in range(20)
        ]
        scenario.extra_registries = {"timeout": "20s"}
        scenario.configure(images=[*images, {**image, "name": "well"}])
        settings = load(scenario.config)
        sent: list[Request] = []

        def hear(request: Request) -> None:
            sent.append(request)
            if request.registry == scenario.registry:
                asked_elsewhere.set()

        with watching(settings, on_registry_request=hear) as watch:
            watch.clusters.refresh_all()
            seen = watch.observer.look(settings, targets(settings))
    assert sent[0].registry == scenario.registry  # what hangs was given up by nobody until then
    assert isinstance(seen[-1], Observation)
    assert {one.reason for one in seen[:-1] if isinstance(one, Failure)} == {Reason.REGISTRY_UNAVAILABLE}
    assert len([one for one in sent if one.registry == hung]) <= 8 * 4  # threads x tries; the other images know by then


@contextmanager
def hanging(until: threading.Event) -> Iterator[str]:
    """A host that takes connections, says nothing, and closes them when `until` is set."""
    taken: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                taken.append(listener.accept()[0])
                if until.is_set():
                    taken.pop().close()

    def let_go() -> None:
        until.wait(60)
        for connection in taken:
            connection.close()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        for work in (accept, let_go):
            threading.Thread(target=work, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        until.set()
        listener.shutdown(socket.SHUT_RDWR)
