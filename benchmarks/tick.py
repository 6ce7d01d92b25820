"""A tick over many unchanged images: requests, bytes, CPU and memory, of a fresh process and of one that goes on.

Every image has a repository of its own in one registry; all follow one release and are built from one source. Once they
are only built, once each is also pinned by a MachineConfig of its own pool, in one repository. The floor is the same
number of HEAD requests by a bare `requests.Session`. Run: python -m benchmarks.tick
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ticks import REPORT, TICKS, ticking
from benchmarks.traffic import Traffic, counted_registry
from layering.machineconfig import new_machineconfig
from layering.reference import Digest, ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image, push_release
from watcher import demo_git

CONTAINERFILE = "FROM quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:...\nCOPY motd /etc/motd\n"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to look at all images once."""

    name: str
    requests: int
    received: int
    git: int
    cpu_seconds: float
    peak_rss_mb: float
    wall_seconds: float


@dataclass(frozen=True)
class World:
    """A directory with a configuration, the registry that it names, and the tag under which every image is built."""

    directory: Path
    traffic: Traffic
    count: int
    tag: str

    def measure(self, name: str, program: str, config: str, ticks: int = 1) -> Row:
        """Run a program that looks once for each line it reads; the last look counts."""
        trace = self.directory / "git.log"
        arguments = (self.directory / config, self.traffic.address, self.tag)
        with ticking(program, *arguments, environment={"GIT_TRACE2": str(trace)}) as process:
            for _ in range(ticks):
                self.traffic.reset()
                trace.write_text("")
                used, wall = process.tick(str(self.count))
        return Row(
            name=name,
            requests=self.traffic.requests,
            received=self.traffic.from_registry,
            git=trace.read_text().count(" start "),
            cpu_seconds=used.cpu_seconds,
            peak_rss_mb=used.peak_rss_mb,
            wall_seconds=wall,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory(prefix="layerwatch-bench-") as name, counted_registry(Path(name)) as traffic:
        world = _world(Path(name), traffic, count)
        rows = [
            world.measure("built: first tick of a process", TICKS, "built.yaml"),
            world.measure("built: its second tick", TICKS, "built.yaml", ticks=2),
            world.measure("pinned: first tick of a process", TICKS, "pinned.yaml"),
            world.measure("pinned: its second tick", TICKS, "pinned.yaml", ticks=2),
            world.measure("bare HEADs", _HEADS, "built.yaml"),
        ]
    print(f"{count} images, one release, one source, nothing changed.\n")
    print(_table(rows))


def _world(directory: Path, traffic: Traffic, count: int) -> World:
    """Images that are built and up to date: one is built the real way and kept under the names of all."""
    address = traffic.address
    settings = RegistrySettings(insecure=frozenset({address}))
    with RegistryClient(settings) as client:
        base = push_os_image(client, Repository(address, "art"), "os", version="9.6.1-0", seed="1")
        payload = push_release(
            client, Repository(address, "release"), "4.19.1", version="4.19.1", images={"rhel-coreos": base}
        )
        demo_git.make_repository(directory / "source.git", {"Containerfile": CONTAINERFILE, "motd": "x\n"}, "source")
        _write_cluster(directory / "clusterversion.yaml", payload)
        _write_config(directory / "first.yaml", address, [_image(address, 0)])
        subprocess.run(
            [sys.executable, "-m", "watcher.cli", "run", "-c", str(directory / "first.yaml"), "--once"],
            check=True, capture_output=True,
        )  # fmt: skip
        tag, digest = _copy_to_all(client, address, count)
    _write_config(directory / "built.yaml", address, [_image(address, number) for number in range(count)])
    _write_config(directory / "pinned.yaml", address, [_pinned(address, number) for number in range(count)])
    files = {
        _file(number): new_machineconfig(_target(address, number).at(digest), None, _pool(number))
        for number in range(count)
    }
    demo_git.make_repository(directory / "config.git", files, "pinned")
    return World(directory, traffic, count, tag)


def _copy_to_all(client: RegistryClient, address: str, count: int) -> tuple[str, Digest]:
    """Give every image what the first one has: its tag and digest."""
    source = _target(address, 0)
    (tag,) = client.tags(source)
    manifest = client.image(source.tagged(tag))
    for number in range(1, count):
        target = _target(address, number)
        for blob in (manifest.config, *manifest.layers):
            client.copy_blob(source, target, blob)
        client.push_manifest(target.tagged(tag), manifest.raw, manifest.media_type)
    return tag, manifest.digest


def _write_cluster(path: Path, payload: ImageReference) -> None:
    history = [{"state": "Completed", "version": "4.19.1", "image": str(payload)}]
    document = {"apiVersion": "config.openshift.io/v1", "kind": "ClusterVersion", "status": {"history": history}}
    path.write_text(json.dumps(document))


def _write_config(path: Path, address: str, images: Sequence[Mapping[str, object]]) -> None:
    document = {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "WatchConfig",
        "registries": {"insecure": [address]},
        "clusters": [{"name": "prod", "access": {"file": "clusterversion.yaml"}}],
        "images": images,
    }
    path.write_text(json.dumps(document))


def _image(address: str, number: int) -> Mapping[str, object]:
    return {
        "name": f"image-{number}",
        "base": {"cluster": "prod", "tag": "rhel-coreos"},
        "source": {"git": "source.git"},
        "target": str(_target(address, number)),
    }


def _pinned(address: str, number: int) -> Mapping[str, object]:
    where = {"cluster": "prod", "pool": _pool(number), "repository": "config.git", "file": _file(number)}
    return {**_image(address, number), "proposals": [where]}


def _target(address: str, number: int) -> Repository:
    return Repository(address, f"os/image-{number}")


def _pool(number: int) -> str:
    return f"pool-{number}"


def _file(number: int) -> str:
    return f"clusters/prod/{_pool(number)}.yaml"


_HEADS = (
    REPORT
    + """
import requests
session = requests.Session()
accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
for line in sys.stdin:
    started = time.monotonic()
    for number in range(int(line)):
        url = f"http://{sys.argv[2]}/v2/os/image-{number}/manifests/{sys.argv[3]}"
        assert session.head(url, headers=accept).status_code == 200
    report(0.0, started)
"""
)


def _table(rows: Sequence[Row]) -> str:
    floor = rows[-1].wall_seconds
    lines = [
        "| one look at all | requests | received | git processes | CPU s | peak RSS MB | wall, bare HEADs = 1 |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {row.requests} | {row.received / 1000:.1f} KB | {row.git} "
        f"| {row.cpu_seconds:.2f} | {row.peak_rss_mb:.0f} | {row.wall_seconds / floor:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
