"""The same job on parts that others wrote: Debian's docker-registry (TLS with a private CA, passwords), buildah, git.

The Containerfile needs buildah: RUN, two stages, an ARG before FROM. The ClusterVersion is wrapped in a List.
"""

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_image
from layering.sample.layers import SampleFile, directory, sample_layer
from tests.parts import require
from tests.scenario import Scenario
from watcher import demo_git

PASSWORD = "correct horse"
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
    """docker-registry with a certificate of its own and htpasswd; its address and how to reach it."""
    serve, openssl, htpasswd = require("docker-registry"), require("openssl"), require("htpasswd")
    home = tmp_path / "registry"
    home.mkdir()
    certificate, key = home / "ca.pem", home / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    line = subprocess.run([htpasswd, "-Bbn", "joe", PASSWORD], check=True, capture_output=True, text=True).stdout
    (home / "htpasswd").write_text(line)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (home / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {home}/data}}}}\n"
        f"http: {{addr: '{address}', secret: x, tls: {{certificate: {certificate}, key: {key}}}}}\n"
        f"auth: {{htpasswd: {{realm: test, path: {home}/htpasswd}}}}\n"
    )
    secret = base64.b64encode(f"joe:{PASSWORD}".encode()).decode()
    (home / "auth.json").write_text(json.dumps({"auths": {address: {"auth": secret}}}))
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([serve, "serve", str(home / "config.yml")], stdout=log, stderr=log)
    try:
        _wait_for(address)
        yield address, RegistrySettings(auth_file=home / "auth.json", ca_file=certificate)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for(address: str) -> None:
    host, _, port = address.rpartition(":")
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    pytest.fail("docker-registry did not start")


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
