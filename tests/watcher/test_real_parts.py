"""The same job on parts that others wrote: Debian's docker-registry (TLS with a private CA, passwords), buildah, git.

The Containerfile needs buildah: RUN, two stages, an ARG before FROM. The ClusterVersion is wrapped in a List.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_image
from layering.sample.layers import SampleFile, directory, sample_layer
from tests.docker_registry import PASSWORD, docker_registry
from tests.parts import require
from tests.scenario import Scenario
from watcher import demo_git

CONTAINERFILE = """\
# tools first, then the OS
ARG TOOLS
ARG BASE=quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:...
FROM ${TOOLS} AS tools
RUN echo made > /made
FROM ${BASE} AS os
COPY --from=tools /made /etc/made
COPY --from=tools /bin /tools
RUN ["/tools/busybox", "sh", "-c", "echo ran > /etc/ran"]
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[tuple[str, RegistrySettings]]:
    """Its address and how to reach it."""
    home = tmp_path / "registry"
    home.mkdir()
    with docker_registry(home) as running:
        yield running


@pytest.fixture
def scenario(tmp_path: Path, registry: tuple[str, RegistrySettings]) -> Scenario:
    require("buildah")
    address, settings = registry
    busybox = Path(require("busybox")).read_bytes()
    with RegistryClient(settings) as client:
        files = [
            directory("bin"),
            SampleFile(path="bin/busybox", content=busybox, mode=0o755),
            SampleFile(path="bin/sh", link="busybox"),
        ]
        tools = push_image(client, Repository(address, "tools").tagged("1"), [sample_layer(files)], {})
    extra = {"authFile": str(settings.auth_file), "caFile": str(settings.ca_file)}
    made = Scenario(directory=tmp_path, registry=address, settings=settings, extra_registries=extra)
    made.set_up(CONTAINERFILE)
    source = {"git": "os-images.git", "context": "worker", "containerfile": "worker/Containerfile"}
    made.configure(source={**source, "match": ["arg:BASE"]}, build={"args": {"TOOLS": str(tools)}})
    return made


def wrap_in_list(scenario: Scenario) -> None:
    file = scenario.directory / "clusterversion.yaml"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [json.loads(file.read_text())]}))


def test_check_run_and_again_on_real_parts(scenario: Scenario) -> None:
    wrap_in_list(scenario)
    assert scenario.layerwatch("check", "-c", str(scenario.config)).returncode == 10
    done = scenario.layerwatch("run", "-c", str(scenario.config), "--once")
    assert done.returncode == 0, done.stderr
    assert "built by buildah" in done.stderr
    assert PASSWORD not in done.stderr + done.stdout
    refs = demo_git.refs(scenario.forge)
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    assert demo_git.refs(scenario.forge) == refs
    scenario.merge()
    assert scenario.layerwatch("check", "-c", str(scenario.config)).returncode == 0
    scenario.at("4.19.2")
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    assert len(scenario.tags()) == 2


@pytest.mark.parametrize("flags", [["--once"], []], ids=["once", "daemon"])
def test_a_build_that_is_told_to_end_leaves_nothing_in_buildahs_storage(scenario: Scenario, flags: list[str]) -> None:
    """SIGTERM in the middle of a RUN: nothing runs on, no working container stays, and the next tick builds it."""
    waiting = 'RUN ["/tools/busybox", "sh", "-c", "if [ -e /etc/slow ]; then /tools/busybox sleep 4242; fi"]\n'
    slow = CONTAINERFILE + "COPY motd /etc/slow\n" + waiting
    scenario.commit_source({"worker/Containerfile": slow})
    log = scenario.directory / "log"
    argv = [sys.executable, "-m", "watcher.cli", "run", "-c", str(scenario.config), *flags]
    with log.open("wb") as stream:
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=stream)
    _until(lambda: _running("sleep 4242"), log)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15) == (143 if flags else 0), log.read_text()
    _until(lambda: not _running("sleep 4242"), log)
    _until(lambda: scenario.registry not in _containers(), log)
    scenario.commit_source({"worker/Containerfile": CONTAINERFILE})
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")


def _until(holds: Callable[[], bool], log: Path) -> None:
    for _ in range(3600):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail(log.read_text())


def _running(words: str) -> bool:
    """Whether a process has these words at the end of its command line."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if entry.read_bytes().replace(b"\0", b" ").strip().endswith(words.encode()):
                return True
    return False


def _containers() -> str:
    """The images of buildah's working containers."""
    command = [require("buildah"), "containers", "--all", "--format", "{{.ImageName}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_what_we_pushed_copies_clean_and_holds_what_the_containerfile_says(scenario: Scenario, tmp_path: Path) -> None:
    skopeo, umoci = require("skopeo"), require("umoci")
    scenario.tick()
    image = f"docker://{scenario.target}:{scenario.tags()[0]}"
    assert scenario.settings.ca_file is not None
    certificates = tmp_path / "certs"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(scenario.settings.ca_file.read_bytes())
    flags = [f"--src-cert-dir={certificates}", f"--authfile={scenario.settings.auth_file}"]
    subprocess.run(
        [skopeo, "copy", "--quiet", *flags, image, f"oci:{tmp_path}/copy:it"], check=True, capture_output=True
    )
    unpack = ["unpack", "--image", f"{tmp_path}/copy:it", str(tmp_path / "bundle")]
    if os.geteuid() != 0:
        unpack.insert(1, "--rootless")
    subprocess.run([umoci, *unpack], check=True, capture_output=True)
    root = tmp_path / "bundle" / "rootfs"
    assert (root / "etc/made").read_text() == "made\n"
    assert (root / "etc/ran").read_text() == "ran\n"
    assert (root / "usr/bin/kubelet").is_file()
