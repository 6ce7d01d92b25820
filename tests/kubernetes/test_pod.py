"""What the test kubelet makes of a pod's words, and how its containers see the machine."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import pytest

from tests.kubernetes.container import Container, Mount, Spec
from tests.kubernetes.pod_environment import MissingReferenceError, environment, expand, field

_POD = {"metadata": {"name": "p", "annotations": {"tekton.dev/ready": "READY"}, "labels": {"b": "2", "a": "1"}}}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        pytest.param("$(A)/x", "1/x", id="known"),
        pytest.param("$(steps.a.results.b)", "$(steps.a.results.b)", id="not known: left to Tekton's entrypoint"),
        pytest.param("$$(A)", "$(A)", id="escaped"),
        pytest.param("$A ${A}", "$A ${A}", id="the shell's own"),
    ],
)
def test_references(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.annotations['tekton.dev/ready']", "READY"),
        ("metadata.labels", 'a="1"\nb="2"'),
        ("status.podIP", ""),
    ],
)
def test_fields(path: str, value: str) -> None:
    assert field(_POD, path) == value


def test_a_secret_that_is_not_there_is_missed_unless_it_is_optional() -> None:
    reference = {"name": "absent", "key": "k"}
    optional = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {**reference, "optional": True}}}]}
    needed = {"env": [{"name": "A", "valueFrom": {"secretKeyRef": reference}}]}

    assert environment(optional, _POD, lambda plural, name: None) == {}
    with pytest.raises(MissingReferenceError, match="secrets 'absent' not found"):
        environment(needed, _POD, lambda plural, name: None)


def test_a_container_writes_into_its_mounts_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    outside = Path("/etc/layerwatch-was-here")
    words = f"echo volume > /tekton/deep/file; echo outside > {outside}; echo no > /read-only/file; pwd; exit 7"
    mounts = [
        Mount(source=str(tmp_path / "volume"), target="/tekton/deep"),
        Mount(source=str(tmp_path / "volume"), target="/read-only", read_only=True),
    ]
    log = tmp_path / "log"

    assert _container(tmp_path, words, log, mounts).run() == 7

    assert (tmp_path / "volume" / "file").read_text() == "volume\n"
    assert not outside.exists()
    said = log.read_text()
    assert "Read-only file system" in said
    assert said.endswith("/workspace/not/there/before\n")


def test_killing_a_container_kills_what_it_started(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    beat = tmp_path / "volume" / "beat"
    words = "setsid sh -c 'while true; do date +%N > /volume/beat; sleep 0.02; done' & sleep 600"
    container = _container(
        tmp_path, words, tmp_path / "log", [Mount(source=str(tmp_path / "volume"), target="/volume")]
    )
    codes: list[int] = []
    running = Thread(target=lambda: codes.append(container.run()))
    running.start()
    while not beat.exists():
        time.sleep(0.01)

    container.kill()
    running.join()

    assert codes == [137]
    _wait_for_stillness(beat)


def _container(directory: Path, words: str, log: Path, mounts: list[Mount]) -> Container:
    (directory / "scratch").mkdir()
    environment: Mapping[str, str] = {"PATH": os.defpath}
    spec = Spec(
        argv=["sh", "-c", words],
        env=environment,
        working_dir="/workspace/not/there/before",
        mounts=mounts,
        scratch=str(directory / "scratch"),
    )
    return Container(spec, log)


def _wait_for_stillness(file: Path) -> None:
    for _ in range(100):
        before = file.stat().st_mtime_ns
        time.sleep(0.2)
        if file.stat().st_mtime_ns == before:
            return
    pytest.fail("something still writes")
