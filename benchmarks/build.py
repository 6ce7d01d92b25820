"""Compose against buildah: what one rebuild costs, through `layerwatch-step build-image`, on a base made on the spot.

Prints a Markdown table. Bytes, requests and memory do not depend on the machine; wall times are given as ratios within
this run. Needs docker-registry and buildah, and room for three times the base in the temporary directory.

    python -m benchmarks.build [--layers 50] [--megabytes 1000]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.base_images import push_base
from benchmarks.measure import measured
from benchmarks.traffic import Traffic, counted_registry
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings

CONTAINERFILE = """FROM os
COPY one.conf two.conf /etc/example.d/
COPY three.conf /etc/
COPY tree /usr/share/example/
LABEL com.example.role=worker
ENV EXAMPLE=1
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured run."""

    name: str
    received: int
    sent: int
    requests: int
    cpu_seconds: float
    peak_rss_mb: float
    disk: int
    wall_seconds: float


@dataclass(frozen=True)
class Bench:
    """A base in a registry, a context, and a directory in which builders may leave what they remember."""

    traffic: Traffic
    base: ImageReference
    context: Path
    state: Path

    def run(self, name: str, builder: str, repository: str) -> Row:
        """Run the step once, with the state that is there."""
        argv = [
            sys.executable, "-m", "pipeline.cli", "build-image", "--builder", builder, "--push",
            "--context", str(self.context), "--base", str(self.base),
            "--target", f"{self.traffic.address}/{repository}:{name.replace(' ', '-')}",
            "--storage-root", str(self.state / "storage"), "--cache-dir", str(self.state / "facts"),
            "--created", "2025-11-01T12:00:00Z", "--insecure-registry", self.traffic.address,
        ]  # fmt: skip
        self.traffic.reset()
        before, start = _disk(self.state), time.monotonic()
        used = measured(argv, self.state / "log")
        wall = time.monotonic() - start
        return Row(
            name=name,
            received=self.traffic.from_registry,
            sent=self.traffic.to_registry,
            requests=self.traffic.requests,
            cpu_seconds=used.cpu_seconds,
            peak_rss_mb=used.peak_rss_mb,
            disk=max(_disk(self.state) - before, 0),  # less: a builder tidied up
            wall_seconds=wall,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="layerwatch-bench-") as name, counted_registry(Path(name)) as traffic:
        settings = RegistrySettings(insecure=frozenset({traffic.address}))
        with RegistryClient(settings) as client:
            repository = Repository(traffic.address, "base")
            size = arguments.megabytes * 1_000_000
            base = push_base(client, repository, layers=arguments.layers, size_bytes=size)
            real_size = sum(layer.size for layer in client.image(base).layers)
        with _state(Path(name)) as state:
            rows = _measure(Bench(traffic, base, _context(Path(name)), state))
    print(f"Base: {arguments.layers} layers, {real_size / 1e6:.0f} MB compressed.\n")
    print(_table(rows))


def _measure(bench: Bench) -> list[Row]:
    return [
        bench.run("compose cold", "compose", "composed-cold"),
        bench.run("compose warm", "compose", "composed-warm"),
        bench.run("compose warm same repository", "compose", "base"),
        bench.run("buildah cold", "buildah", "built-cold"),
        bench.run("buildah warm", "buildah", "built-warm"),
    ]


def _context(directory: Path) -> Path:
    context = directory / "context"
    (context / "tree/deep").mkdir(parents=True)
    (context / "Containerfile").write_text(CONTAINERFILE)
    for name in ("one.conf", "two.conf", "three.conf", "tree/four", "tree/deep/five"):
        (context / name).write_text(name * 100)
    return context


@contextmanager
def _state(directory: Path) -> Iterator[Path]:
    state = directory / "state"
    (state / "storage").mkdir(parents=True)
    yield state
    subprocess.run(["umount", str(state / "storage/overlay")], capture_output=True, check=False)
    shutil.rmtree(state / "storage", ignore_errors=True)


def _disk(directory: Path) -> int:
    """Bytes on disk below `directory`."""
    sizes = (path.lstat().st_blocks * 512 for path in directory.rglob("*") if not path.is_symlink())
    return sum(sizes)


def _table(rows: list[Row]) -> str:
    fastest = next(row.wall_seconds for row in rows if row.name == "compose warm")
    lines = [
        "| build and push | received | sent | requests | CPU s | peak RSS MB | on disk | wall, compose warm = 1 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.name} | {_size(row.received)} | {_size(row.sent)} | {row.requests} | {row.cpu_seconds:.2f} "
        f"| {row.peak_rss_mb:.0f} | {_size(row.disk)} | {row.wall_seconds / fastest:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} KB"


if __name__ == "__main__":
    main()
