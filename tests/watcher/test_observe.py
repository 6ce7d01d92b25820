"""What a look asks of registries and git: each thing once, and later only what can have changed."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from layering.registry.transport import Request
from tests.scenario import Scenario
from watcher.configuration import load
from watcher.observe import Observer
from watcher.settings import Settings
from watcher.targets import targets
from watcher.watch import watching
from watcher.world import Observation


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
