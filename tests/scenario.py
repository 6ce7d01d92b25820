"""A world for tests of the whole job: a registry, releases, a source, a cluster's configuration, a layerwatch.yaml.

Everything is real but small: our own registry server or the one a test brings, git repositories on disk, payloads and
base images from layering/sample. The clock of a cluster is turned by `upgrade`.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layering.git import run_git
from layering.platform import Platform
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image, push_release
from watcher import demo_git

AMD64 = Platform("linux", "amd64")
FILE = "clusters/prod/99-worker.yaml"
BRANCH = "layerwatch/prod/worker"
MACHINE_CONFIG = """\
# the workers' operating system
apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfig
metadata:
  name: 99-worker-osimageurl
  labels:
    machineconfiguration.openshift.io/role: worker
spec:
  osImageURL: ''   # ours
"""
CONTAINERFILE = """\
FROM quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:...
COPY motd /etc/motd
"""


@dataclass
class Scenario:
    """One world in one directory. `payloads` and `os_images` have the releases that were pushed."""

    directory: Path
    registry: str
    settings: RegistrySettings
    payloads: dict[str, ImageReference] = field(default_factory=dict)
    os_images: dict[str, ImageReference] = field(default_factory=dict)
    extra_registries: Mapping[str, Any] = field(default_factory=dict)
    target_path: str = "acme/worker-os"

    @property
    def config(self) -> Path:
        return self.directory / "layerwatch.yaml"

    @property
    def source(self) -> Path:
        return self.directory / "os-images.git"

    @property
    def forge(self) -> Path:
        return self.directory / "cluster-config.git"

    @property
    def target(self) -> Repository:
        return Repository(self.registry, self.target_path)

    def target_named(self, path: str) -> Repository:
        """From now on the image goes to this repository."""
        self.target_path = path
        return self.target

    def set_up(self, containerfile: str = CONTAINERFILE, machine_config: str = MACHINE_CONFIG) -> "Scenario":
        demo_git.make_repository(
            self.source, {"worker/Containerfile": containerfile, "worker/motd": "hello\n"}, "the source"
        )
        demo_git.make_repository(self.forge, {FILE: machine_config}, "the cluster")
        for version in ("4.19.1", "4.19.2"):
            self.push(version)
        self.at("4.19.1")
        self.configure()
        return self

    def push(self, version: str, *, seed: str | None = None) -> ImageReference:
        art = Repository(self.registry, "openshift-release-dev/ocp-v4.0-art-dev")
        with RegistryClient(self.settings) as client:
            image = push_os_image(client, art, f"{version}-os", version=f"9.6.{version[-1]}-0", seed=seed or version)
            release = Repository(self.registry, "openshift-release-dev/ocp-release")
            payload = push_release(client, release, f"{version}-x86_64", version=version, images={"rhel-coreos": image})
        self.payloads[version], self.os_images[version] = payload, image
        return payload

    def at(self, version: str, state: str = "Completed", **document: Any) -> None:
        """The cluster runs this release, or is on its way to it."""
        text = {
            "apiVersion": "config.openshift.io/v1",
            "kind": "ClusterVersion",
            "metadata": {"name": "version", "generation": 1},
            "status": {
                "observedGeneration": 1,
                "availableUpdates": None,
                "history": [{"state": state, "version": version, "image": str(self.payloads[version])}],
            },
            **document,
        }
        (self.directory / "clusterversion.yaml").write_text(json.dumps(text))

    def configure(self, *, images: Sequence[Mapping[str, Any]] | None = None, **image: Any) -> None:
        """Write layerwatch.yaml; keywords replace keys of the one image."""
        default = {
            "name": "worker-os",
            "base": {"cluster": "prod", "tag": "rhel-coreos"},
            "source": {"git": "os-images.git", "context": "worker", "containerfile": "worker/Containerfile"},
            "target": str(self.target),
            "proposals": [self.proposal()],
            **image,
        }
        registries = {"insecure": sorted(self.settings.insecure), **self.extra_registries}
        document = {
            "apiVersion": "layerwatch/v1alpha1",
            "kind": "WatchConfig",
            "registries": registries,
            "clusters": [{"name": "prod", "access": {"file": "clusterversion.yaml"}}],
            "images": list(images) if images is not None else [default],
        }
        self.config.write_text(json.dumps(document))

    def proposal(self, **keys: Any) -> dict[str, Any]:
        return {"cluster": "prod", "pool": "worker", "repository": "cluster-config.git", "file": FILE, **keys}

    def commit_source(self, files: Mapping[str, str]) -> None:
        """A person changes the source."""
        work = self.directory / "source-work"
        if not work.exists():
            run_git(None, ["clone", "--quiet", str(self.source), str(work)])
        for name, text in files.items():
            (work / name).write_text(text)
        run_git(work, ["add", "--all"])
        run_git(work, ["commit", "--quiet", "-m", "a change"], PERSON)
        run_git(work, ["push", "--quiet"])

    def merge(self) -> None:
        demo_git.merge(self.forge, BRANCH)

    def file_on_main(self) -> str:
        """The MachineConfig's file as the base branch has it."""
        return run_git(self.forge, ["show", f"main:{FILE}"])

    def tags(self) -> tuple[str, ...]:
        with RegistryClient(self.settings) as client:
            return client.tags(self.target)

    def branches(self) -> list[str]:
        listed = run_git(self.forge, ["for-each-ref", "--format=%(refname)", "refs/heads"])
        return sorted(listed.split())

    def proposal_message(self) -> str:
        """The message of the proposal's commit, with its body."""
        return run_git(self.forge, ["log", "-1", "--format=%B", f"refs/heads/{BRANCH}"])

    def proposal_commits(self) -> list[str]:
        listed = run_git(self.forge, ["rev-list", f"main..refs/heads/{BRANCH}"])
        return listed.split()

    def layerwatch(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the command as a user does."""
        argv = [sys.executable, "-m", "watcher.cli", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "watcher.cli", *arguments]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def decision(self, command: str = "check", *flags: str) -> tuple[str, str]:
        """What `check` (or `run --once`) decides for the first image."""
        done = self.layerwatch(command, "-c", str(self.config), "--output", "json", *flags)
        assert done.stdout, done.stderr
        entry = json.loads(done.stdout)["images"][0]
        return entry["decision"], entry["reason"]

    def tick(self) -> tuple[str, str]:
        return self.decision("run", "--once")


PERSON = {
    "GIT_AUTHOR_NAME": "A Person",
    "GIT_AUTHOR_EMAIL": "person@example.com",
    "GIT_COMMITTER_NAME": "A Person",
    "GIT_COMMITTER_EMAIL": "person@example.com",
}
