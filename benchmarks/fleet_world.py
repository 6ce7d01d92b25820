"""The world of the fleet benchmark: a registry with every image, git with every pool's file, one configuration."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.fleet_cluster import POOLS, record_cluster
from benchmarks.recorded import RECORDED, RecordedFleet
from layering.machineconfig import new_machineconfig
from layering.reference import Digest, ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image, push_release
from tests.kubernetes.certificates import CertificateFiles
from watcher import demo_git

_CONTAINERFILE = "FROM quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:...\nCOPY motd /etc/motd\n"
EVERY_SECONDS = 20
_PREFIX = RECORDED.removesuffix("00")


def cluster_names(count: int) -> list[str]:
    """All of one length, the recorded one first."""
    return [f"{_PREFIX}{number:02}" for number in range(count)]


@dataclass(frozen=True, kw_only=True)
class World:
    """What the watchers look at. `compared` says how the recorded clusters were held to the real one."""

    config: Path
    registry: RegistryServer
    fleet: RecordedFleet
    clusters: list[str]
    tag: str
    compared: str


def make_world(
    directory: Path, registry: RegistryServer, fleet: RecordedFleet, certificates: CertificateFiles, count: int
) -> World:
    """Every image built, pinned and rolled out: one is built the real way and kept under the names of all."""
    names, address = cluster_names(count), registry.address
    with RegistryClient(RegistrySettings(insecure=frozenset({address}))) as client:
        payloads = (_push(client, address, "4.19.1"), _push(client, address, "4.19.2"))
        for pool in POOLS:
            files = {"Containerfile": _CONTAINERFILE, "motd": "x\n"}
            demo_git.make_repository(directory / f"{pool}-os.git", files, "source")
        _build_one(directory, address, names[0], payloads[0])
        tag, digest = _copy_to_all(client, address, names)
    for name in names:
        files = {
            f"{pool}.yaml": new_machineconfig(_target(address, name, pool).at(digest), None, pool) for pool in POOLS
        }
        demo_git.make_repository(directory / f"{name}.git", files, "pinned")
    kubeconfig = directory / "fleet.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(_kubeconfig(fleet, certificates, names)))
    images = {pool: str(_target(address, RECORDED, pool).at(digest)) for pool in POOLS}
    compared = record_cluster(fleet, kubeconfig, payloads, images)
    config = directory / "fleet.yaml"
    clusters = [{"name": name, "access": {"kubeconfig": kubeconfig.name, "context": name}} for name in names]
    _write(config, address, clusters, [_pinned(address, name, pool) for name in names for pool in POOLS])
    return World(config=config, registry=registry, fleet=fleet, clusters=names, tag=tag, compared=compared)


def _push(client: RegistryClient, address: str, version: str) -> ImageReference:
    base = push_os_image(client, Repository(address, "art"), version, version=f"9.6.{version[-1]}-0", seed=version)
    return push_release(client, Repository(address, "release"), version, version=version, images={"rhel-coreos": base})


def _build_one(directory: Path, address: str, cluster: str, payload: ImageReference) -> None:
    history = [{"state": "Completed", "version": "4.19.1", "image": str(payload)}]
    document = {"apiVersion": "config.openshift.io/v1", "kind": "ClusterVersion", "status": {"history": history}}
    (directory / "clusterversion.yaml").write_text(json.dumps(document))
    first = directory / "first.yaml"
    access = [{"name": cluster, "access": {"file": "clusterversion.yaml"}}]
    _write(first, address, access, [_image(address, cluster, next(iter(POOLS)))])
    argv = [sys.executable, "-m", "watcher.cli", "run", "-c", str(first), "--once"]
    subprocess.run(argv, check=True, capture_output=True)


def _copy_to_all(client: RegistryClient, address: str, names: list[str]) -> tuple[str, Digest]:
    """Give every image what the first one has: its tag and digest."""
    source, *others = [_target(address, name, pool) for name in names for pool in POOLS]
    (tag,) = client.tags(source)
    manifest = client.image(source.tagged(tag))
    for target in others:
        for blob in (manifest.config, *manifest.layers):
            client.copy_blob(source, target, blob)
        client.push_manifest(target.tagged(tag), manifest.raw, manifest.media_type)
    return tag, manifest.digest


def _kubeconfig(fleet: RecordedFleet, certificates: CertificateFiles, names: list[str]) -> Mapping[str, Any]:
    """One file with a context for each cluster."""
    ca = str(certificates.ca)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": fleet.url(name), "certificate-authority": ca}} for name in names
        ],
        "users": [{"name": "layerwatch", "user": {"token": "anything"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "layerwatch"}} for name in names],
        "current-context": names[0],
    }


def _write(path: Path, address: str, clusters: list[Any], images: list[Any]) -> None:
    document = {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "WatchConfig",
        "registries": {"insecure": [address]},
        "schedule": {"every": f"{EVERY_SECONDS}s"},
        "clusters": clusters,
        "images": images,
    }
    path.write_text(json.dumps(document))


def _image(address: str, cluster: str, pool: str) -> dict[str, Any]:
    return {
        "name": f"{cluster}-{pool}",
        "base": {"cluster": cluster, "tag": "rhel-coreos"},
        "source": {"git": f"{pool}-os.git"},
        "target": str(_target(address, cluster, pool)),
    }


def _pinned(address: str, cluster: str, pool: str) -> dict[str, Any]:
    where = {"cluster": cluster, "pool": pool, "repository": f"{cluster}.git", "file": f"{pool}.yaml"}
    return {**_image(address, cluster, pool), "proposals": [where]}


def _target(address: str, cluster: str, pool: str) -> Repository:
    return Repository(address, f"os/{cluster}-{pool}")
