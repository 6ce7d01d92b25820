"""A configuration that changes under a running daemon: in force soon, a broken one never."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import Daemon, eventually, running
from tests.scenario import Scenario
from tests.signatures.gpg import Gpg, claim
from tests.signatures.releases import name, store


@pytest.fixture
def mounted(scenario: Scenario) -> Path:
    """The configuration as a kubelet mounts it from a ConfigMap; its schedule is an hour."""
    document = json.loads(scenario.config.read_text())
    scenario.config.unlink()
    swap(scenario.config, {**document, "schedule": {"every": "1h"}})
    scenario.config.symlink_to("..data/layerwatch.yaml")
    return scenario.config


def swap(config: Path, document: Any) -> None:
    """What the kubelet does when the ConfigMap changed: a new directory, and one link renamed over another."""
    base = config.parent
    directory = base / f"..{len(list(base.iterdir()))}"
    directory.mkdir()
    (directory / config.name).write_text(document if isinstance(document, str) else json.dumps(document))
    link = base / "..data_tmp"
    link.symlink_to(directory.name)
    link.replace(base / "..data")


def decisions(daemon: Daemon) -> dict[tuple[str, ...], float]:
    return daemon.metrics().get("layerwatch_decision", {})


def reloaded(daemon: Daemon) -> float:
    return daemon.metrics()["layerwatch_config_last_reload_successful"][()]


def test_a_swapped_configuration_is_in_force_and_a_broken_one_is_not(mounted: Path, scenario: Scenario) -> None:
    document = json.loads(mounted.read_text())
    image = document["images"][0]
    absolute = {**image, "source": {**image["source"], "git": str(scenario.source)}, "proposals": []}
    with running(mounted, "--dry-run") as daemon:
        daemon.says(image="worker-os", decision="Rebuild")
        assert reloaded(daemon) == 1.0

        swap(mounted, {**document, "images": [{"name": "worker-os"}]})
        line = daemon.says(reason="ConfigInvalid")
        assert "images[0].base" in line["message"]
        assert reloaded(daemon) == 0.0

        swap(mounted, {**document, "images": [{**absolute, "name": "second"}]})
        daemon.says(image="second", decision="Rebuild")
        assert reloaded(daemon) == 1.0
        eventually("the first is gone", lambda: {image for image, *_ in decisions(daemon)} == {"second"})


def test_where_programs_read_the_log_a_broken_beginning_is_a_line_of_it(scenario: Scenario) -> None:
    scenario.config.write_text("images: 3")
    with running(scenario.config) as daemon:
        assert daemon.ends() == 2
        assert [line["level"] for line in daemon.lines] == ["ERROR"]


def test_sighup_reads_it_again_at_once(scenario: Scenario) -> None:
    with running(scenario.config, "--dry-run") as daemon:
        daemon.says(image="worker-os")
        daemon.send(signal.SIGHUP)
        daemon.says(message="reading the configuration again: asked to")
        daemon.send(signal.SIGTERM)
        assert daemon.ends() == 0


def test_a_file_that_it_names_counts_too(scenario: Scenario) -> None:
    auth = scenario.directory / "auth.json"
    auth.write_text('{"auths": {}}')
    scenario.extra_registries = {"authFile": "auth.json"}
    scenario.configure()
    with running(scenario.config, "--dry-run") as daemon:
        daemon.says(image="worker-os")
        auth.write_text('{"auths": {"example.com": {"auth": "dXNlcjpzZWNyZXQtd29yZA=="}}}')
        line = daemon.says(message="reading the configuration again: ")
        assert line["message"].endswith("auth.json")
        assert "secret-word" not in daemon.log.read_text()


def test_a_key_that_is_changed_is_the_one_that_counts_and_one_that_is_none_never(scenario: Scenario, gpg: Gpg) -> None:
    payload = scenario.payloads["4.19.1"].pinned
    store(scenario.directory / "signatures", [gpg.sign(claim(payload, name("4.19.1")), "Alice")], digest=payload)
    key = scenario.directory / "release.key"
    key.write_bytes(gpg.public("Bob"))
    scenario.extra_registries = {"releaseSignatures": {"keys": ["release.key"], "stores": ["signatures"]}}
    scenario.configure()
    with running(scenario.config, "--dry-run") as daemon:
        daemon.says(decision="Blocked", reason="ReleaseUnverified")
        key.write_text("no key")
        assert "release.key" in daemon.says(reason="ConfigInvalid")["message"]
        key.write_bytes(gpg.public("Alice"))
        daemon.says(decision="Rebuild")
