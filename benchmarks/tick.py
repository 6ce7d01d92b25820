"""A tick over many unchanged images: requests, bytes, CPU and memory, of a fresh process and of one that goes on.

Every image has a repository of its own in one registry; all follow one release and are built from one source. The floor
is the same number of HEAD requests by a bare `requests.Session`. Run: python -m benchmarks.tick
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.traffic import Traffic, counted_registry
from layering.reference import ImageReference, Repository
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
    cpu_seconds: float
    peak_rss_mb: float
    wall_seconds: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory(prefix="layerwatch-bench-") as name, counted_registry(Path(name)) as traffic:
        config = _world(Path(name), traffic.address, count)
        rows = _measure(config, traffic, count)
    print(f"{count} images, one release, one source, nothing changed.\n")
    print(_table(rows))


def _world(directory: Path, address: str, count: int) -> Path:
    """Images that are built and up to date: one is built the real way and kept under the names of all."""
    settings = RegistrySettings(insecure=frozenset({address}))
    with RegistryClient(settings) as client:
        base = push_os_image(client, Repository(address, "art"), "os", version="9.6.1-0", seed="1")
        payload = push_release(
            client, Repository(address, "release"), "4.19.1", version="4.19.1", images={"rhel-coreos": base}
        )
        demo_git.make_repository(directory / "source.git", {"Containerfile": CONTAINERFILE, "motd": "x\n"}, "source")
        _write_cluster(directory / "clusterversion.yaml", payload)
        config = _write_config(directory, address, count)
        first = _write_config(directory, address, 1, "first.yaml")
        subprocess.run(
            [sys.executable, "-m", "watcher.cli", "run", "-c", str(first), "--once"], check=True, capture_output=True
        )
        _copy_to_all(client, address, count)
    return config


def _copy_to_all(client: RegistryClient, address: str, count: int) -> None:
    source = Repository(address, "os/image-0")
    (tag,) = client.tags(source)
    manifest = client.image(source.tagged(tag))
    for number in range(1, count):
        target = Repository(address, f"os/image-{number}")
        for blob in (manifest.config, *manifest.layers):
            client.copy_blob(source, target, blob)
        client.push_manifest(target.tagged(tag), manifest.raw, manifest.media_type)


def _write_cluster(path: Path, payload: ImageReference) -> None:
    history = [{"state": "Completed", "version": "4.19.1", "image": str(payload)}]
    document = {"apiVersion": "config.openshift.io/v1", "kind": "ClusterVersion", "status": {"history": history}}
    path.write_text(json.dumps(document))


def _write_config(directory: Path, address: str, count: int, name: str = "layerwatch.yaml") -> Path:
    images = [
        {
            "name": f"image-{number}",
            "base": {"cluster": "prod", "tag": "rhel-coreos"},
            "source": {"git": "source.git"},
            "target": f"{address}/os/image-{number}",
        }
        for number in range(count)
    ]
    document = {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "WatchConfig",
        "registries": {"insecure": [address]},
        "clusters": [{"name": "prod", "access": {"file": "clusterversion.yaml"}}],
        "images": images,
    }
    (directory / name).write_text(json.dumps(document))
    return directory / name


def _measure(config: Path, traffic: Traffic, count: int) -> list[Row]:
    rows = []
    for name, program in (("first tick of a process", _TICK), ("its second tick", _TICK), ("bare HEADs", _HEADS)):
        ticks = 2 if name == "its second tick" else 1
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(config), str(ticks), traffic.address, str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(ticks):
            traffic.reset()
            process.stdin.write("go\n")
            process.stdin.flush()
            cpu, rss, wall = json.loads(process.stdout.readline())
        process.stdin.close()
        process.wait()
        process.stdout.close()
        rows.append(
            Row(
                name=name,
                requests=traffic.requests,
                received=traffic.from_registry,
                cpu_seconds=cpu,
                peak_rss_mb=rss,
                wall_seconds=wall,
            )
        )
    return rows


_REPORT = """
def report(before, started):
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    print(json.dumps([cpu - before, own.ru_maxrss / 1024, time.monotonic() - started]), flush=True)
    return cpu
"""
_TICK = (
    """
import json, resource, sys, time
from pathlib import Path
"""
    + _REPORT
    + """
from watcher.configuration import load
from watcher.run import watching
with watching(load(Path(sys.argv[1]))) as watch:
    cpu = 0.0
    for line in sys.stdin:
        started = time.monotonic()
        verdicts = watch.tick(lambda verdict: None, dry_run=True)
        assert {verdict.decision.kind for verdict in verdicts} == {"UpToDate"}, verdicts[0]
        cpu = report(cpu, started)
"""
)
_HEADS = (
    """
import json, resource, sys, time
import requests
"""
    + _REPORT
    + """
session = requests.Session()
accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
tags = session.get(f"http://{sys.argv[3]}/v2/os/image-0/tags/list").json()["tags"]
for line in sys.stdin:
    started = time.monotonic()
    for number in range(int(sys.argv[4])):
        url = f"http://{sys.argv[3]}/v2/os/image-{number}/manifests/{tags[0]}"
        assert session.head(url, headers=accept).status_code == 200
    report(0.0, started)
"""
)


def _table(rows: Sequence[Row]) -> str:
    floor = rows[-1].wall_seconds
    lines = [
        "| one look at all | requests | received | CPU s | peak RSS MB | wall, bare HEADs = 1 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {row.requests} | {row.received / 1000:.1f} KB | {row.cpu_seconds:.2f} "
        f"| {row.peak_rss_mb:.0f} | {row.wall_seconds / floor:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
