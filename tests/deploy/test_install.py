"""docs/install.md, followed word by word from a cluster without anything of ours to a proposal that is merged.

Every file is written and every command run as it stands on the page, at a real API server; reader.py says what is
played.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from layering.cluster.resources import CONFIG_MAPS, MACHINE_CONFIGS, Resource
from layering.git import run_git
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.daemon.process import eventually
from tests.deploy.guide import Commands, WriteFile, steps
from tests.deploy.reader import Reader
from tests.kubernetes.admin import NAMESPACES
from tests.kubernetes.crds import load_monitoring, load_openshift, load_tekton
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer
from tests.scenario import CONTAINERFILE, MACHINE_CONFIG, Scenario
from watcher import demo_git

_CLAIMS = Resource(group="", version="v1", plural="persistentvolumeclaims", kind="PersistentVolumeClaim")


@pytest.fixture
def server() -> Iterator[TestApiServer]:
    with TestApiServer(controllers=True) as server:
        for load in (load_openshift, load_tekton, load_monitoring):
            load(server.admin)
        yield server


@pytest.fixture
def reader(server: TestApiServer, tmp_path: Path) -> Iterator[Reader]:
    """A cluster on 4.19.1, the two git repositories, and a registry over plain http."""
    world, home = tmp_path / "world", tmp_path / "reader"
    world.mkdir()
    home.mkdir()
    with RegistryServer() as registry:
        settings = RegistrySettings(insecure=frozenset({registry.address}))
        payload = Scenario(directory=world, registry=registry.address, settings=settings).push("4.19.1")
        source = {"worker/Containerfile": CONTAINERFILE, "worker/motd": "hello\n"}
        demo_git.make_repository(world / "os-images.git", source, "the source")
        pool = {"clusters/prod/99-worker-osimageurl.yaml": MACHINE_CONFIG}
        demo_git.make_repository(world / "cluster-config.git", pool, "the cluster")
        openshift = OpenShiftPlay(server.admin)
        openshift.cluster_version("4.19.1", str(payload))
        openshift.pool("worker", machines=1)
        openshift.pull_secret({"auths": {}})
        openshift.release_signatures("release-verification", {}, labelled=False)
        openshift.registry_cas({"mirror.example.com": server.ca_file.read_text()}, name="user-ca-bundle")
        named = {
            "https://git.example.com/acme": str(world),
            "registry.example.com": registry.address,
            "every: 1m": "every: 2s",
            "registries: {": f"registries: {{insecure: ['{registry.address}'], ",
        }
        reader = Reader(directory=home, server=server, named=named)
        reader.set_up()
        yield reader


def test_the_page_leads_from_nothing_to_a_merged_proposal(reader: Reader, server: TestApiServer) -> None:
    proposals = reader.directory / "pod/var/lib/layerwatch/git/cluster-config.git"
    with ExitStack() as running:
        for step in steps():
            if isinstance(step, WriteFile):
                reader.write(step.name, step.text)
                continue
            if "rollout status" in step.text:
                done = reader.run(step.text.partition("oc rollout")[0])
                assert done.returncode == 0, done.stderr
                running.enter_context(reader.pod())
            if "oc wait pipelinerun" in step.text:
                reader.build()
            if "oc delete" in step.text:
                _take_leave(reader, server)
            _follow(reader, step)
            if "oc wait pipelinerun" in step.text:
                eventually("a proposal", lambda: "layerwatch/prod/worker" in run_git(proposals, ["branch"]))
    assert not server.admin.exists(NAMESPACES, "layerwatch")


def _follow(reader: Reader, step: Commands) -> None:
    done = reader.run(step.text)
    assert done.returncode in step.codes, f"{step.text}\n{done.stdout}\n{done.stderr}"


def _take_leave(reader: Reader, server: TestApiServer) -> None:
    """What was proposed is applied. The claim's own controller is not there to let it go."""
    applied = server.admin.read(MACHINE_CONFIGS, "99-worker-osimageurl")["spec"]["osImageURL"]
    assert applied.startswith(f"{reader.named['registry.example.com']}/acme/worker-os@sha256:")
    assert server.admin.exists(CONFIG_MAPS, "layerwatch-config", namespace="layerwatch")
    server.admin.patch(_CLAIMS, "layerwatch-git", {"metadata": {"finalizers": None}}, namespace="layerwatch")
