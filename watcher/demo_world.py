"""The small world the demo plays in: a registry, two releases, a cluster, two git repositories, a configuration.

Everything is made on the spot and lies in one directory; the images and payloads come from layering/sample. Nothing
here is on a path that production uses, and nothing that production does is done here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from layering.platform import Platform
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.registry.storage import DirectoryStorage
from layering.sample.images import push_os_image, push_release
from watcher.demo_git import make_repository

OLD, NEW = "4.19.1", "4.19.2"
CLUSTER, POOL, IMAGE = "prod", "worker", "worker-os"
MACHINE_CONFIG = "clusters/prod/99-worker-osimageurl.yaml"
PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))
_OS_VERSIONS = {OLD: "9.6.20250512-0", NEW: "9.6.20250603-0"}
_STREAMS = {"rhel-coreos": "rhel-9", "rhel-coreos-10": "rhel-10"}

_CONTAINERFILE = """\
# The worker nodes' operating system: the cluster's own, plus our time servers and a login banner.
# The base is pinned by layerwatch when it builds; what stands here is only a placeholder.
ARG BASE=quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:...
FROM ${BASE}

COPY files/chrony.conf /etc/chrony.conf
COPY files/motd /etc/motd
LABEL com.example.team="platform"
"""
_CHRONY = "server time.example.com iburst\ndriftfile /var/lib/chrony/drift\n"
_MOTD = "Managed by the platform team. Change it in git, not here.\n"

_MACHINE_CONFIG = """\
# Which operating system the worker nodes of prod boot.
# A pull request that changes this line reboots the pool, one node at a time.
apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfig
metadata:
  name: 99-worker-osimageurl
  labels:
    machineconfiguration.openshift.io/role: worker   # the pool
spec:
  # Never a tag: nodes would end up on different images.
  osImageURL: "{image}"   # layerwatch keeps this
"""

_CLUSTER_VERSION = """\
apiVersion: config.openshift.io/v1
kind: ClusterVersion
metadata:
  name: version
  generation: {generation}
spec:
  channel: stable-4.19
  clusterID: 5f2d6c1e-7f0a-4d5c-9f8e-3b7a1c2d4e6f
status:
  observedGeneration: {generation}
  availableUpdates: null
  desired:
    version: {version}
    image: {payload}
  history:
{history}"""

_HISTORY = """\
  - state: Completed
    startedTime: "2025-06-{day:02}T08:00:00Z"
    completionTime: "2025-06-{day:02}T08:45:00Z"
    version: {version}
    image: {payload}
    verified: true
"""

_CONFIGURATION = """\
apiVersion: layerwatch/v1alpha1
kind: WatchConfig
schedule: {{every: 60s}}
registries: {{insecure: ["{registry}"]}}
clusters:
  - name: {cluster}
    access: {{file: clusterversion.yaml}}
images:
  - name: {image}
    base: {{cluster: {cluster}, tag: rhel-coreos}}
    source: {{git: os-images.git, ref: main, context: worker, containerfile: worker/Containerfile}}
    target: {registry}/acme/{image}
    platforms: [{platforms}]
    build: {{engine: local}}
    proposals:
      - {{cluster: {cluster}, pool: {pool}, forge: local, repository: cluster-config.git, branch: main,
         file: {file}}}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoWorld:
    """Where everything is."""

    directory: Path
    server: RegistryServer
    registries: RegistrySettings
    payloads: Mapping[str, ImageReference]

    @property
    def configuration(self) -> Path:
        """The layerwatch.yaml of this world."""
        return self.directory / "layerwatch.yaml"

    @property
    def cluster_config(self) -> Path:
        """The bare repository with the MachineConfig."""
        return self.directory / "cluster-config.git"

    def set_cluster_version(self, *versions: str) -> None:
        """Write the ClusterVersion as a cluster would that went through `versions`, oldest first."""
        history = "".join(
            _HISTORY.format(day=number * 7, version=version, payload=self.payloads[version])
            for number, version in reversed(list(enumerate(versions, start=1)))
        )
        text = _CLUSTER_VERSION.format(
            generation=len(versions), version=versions[-1], payload=self.payloads[versions[-1]], history=history
        )
        (self.directory / "clusterversion.yaml").write_text(text, encoding="utf-8")


@contextmanager
def demo_world(directory: Path) -> Iterator[DemoWorld]:
    """Make the world in `directory`; the registry runs until the end of the `with`."""
    with RegistryServer(storage=DirectoryStorage(directory / "registry")) as server:
        registries = RegistrySettings(insecure=frozenset({server.address}))
        with RegistryClient(registries) as client:
            payloads = {version: _push_release(client, server.address, version) for version in (OLD, NEW)}
        world = DemoWorld(directory=directory, server=server, registries=registries, payloads=payloads)
        _write_configuration(world)
        _make_repositories(world)
        world.set_cluster_version(OLD)
        yield world


def _push_release(client: RegistryClient, address: str, version: str) -> ImageReference:
    """One release: an OS image per stream, as an index of two platforms, and the payload that names them."""
    art = Repository(address, "openshift-release-dev/ocp-v4.0-art-dev")
    images = {
        tag: push_os_image(
            client,
            art,
            f"{version}-{tag}",
            version=_OS_VERSIONS[version].replace("9.6", "10.0") if stream == "rhel-10" else _OS_VERSIONS[version],
            seed=f"{version}/{tag}",
            platforms=PLATFORMS,
            openshift_version="4.19",
            stream=stream,
        )
        for tag, stream in _STREAMS.items()
    }
    release = Repository(address, "openshift-release-dev/ocp-release")
    return push_release(client, release, f"{version}-multi", version=version, images=images, platforms=PLATFORMS)


def _write_configuration(world: DemoWorld) -> None:
    world.configuration.write_text(
        _CONFIGURATION.format(
            registry=world.server.address,
            cluster=CLUSTER,
            pool=POOL,
            image=IMAGE,
            platforms=", ".join(map(str, PLATFORMS)),
            file=MACHINE_CONFIG,
        ),
        encoding="utf-8",
    )


def _make_repositories(world: DemoWorld) -> None:
    placeholder = f"{world.server.address}/acme/{IMAGE}@sha256:{'0' * 64}"
    make_repository(
        world.directory / "os-images.git",
        {
            "worker/Containerfile": _CONTAINERFILE,
            "worker/files/chrony.conf": _CHRONY,
            "worker/files/motd": _MOTD,
        },
        "The worker nodes' operating system",
    )
    make_repository(
        world.cluster_config,
        {MACHINE_CONFIG: _MACHINE_CONFIG.format(image=placeholder)},
        "The worker pool's operating system",
    )
