"""1,000 references in 50 repositories of one registry with TLS and tokens, nothing changed: who asks how much.

skopeo and crane know nothing from one reference to the next, so each is a process, eight at a time. layerwatch is asked
once as `check`, a process that knows nothing, and once as a daemon that goes on. The floor is what one request for each
reference must take over eight connections: references / 8 x round trip. Run: python -m benchmarks.registry
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Used, measured
from benchmarks.ticks import TICKS, ticking
from benchmarks.traffic import Traffic, counted
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image
from tests.docker_registry import PASSWORD, write_auth_file
from tests.parts import require
from tests.registry.token_service import docker_registry_and_tokens
from watcher import demo_git

_AT_ONCE = 8
_HOST = "localhost"  # crane asks no token service that is named by an address of this machine
_CONTAINERFILE = "FROM base@sha256:...\nCOPY motd /etc/motd\n"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to look at all references once. `tokens` are requests, too, and not among `requests`."""

    name: str
    requests: int
    tokens: int
    connections: int
    received: int
    cpu_seconds: float
    peak_rss_mb: float
    wall_seconds: float


@dataclass(frozen=True)
class World:
    """A registry with all the references, how to reach it, and a configuration that follows each of them."""

    directory: Path
    traffic: Traffic
    settings: RegistrySettings
    references: Sequence[ImageReference]
    tokens_asked: Callable[[], int]

    def run(self, name: str, argv: Sequence[str]) -> Row:
        """Run a program to its end."""
        return self._row(name, lambda: measured(argv, self.directory / "log"))

    def daemon(self, name: str) -> Row:
        """The second tick of a daemon."""
        with ticking(TICKS, self.directory / "layerwatch.yaml") as process:
            away, self.traffic.round_trip_seconds = self.traffic.round_trip_seconds, 0.0
            process.tick()
            self.traffic.round_trip_seconds = away
            return self._row(name, lambda: process.tick()[0])

    def whole(self) -> float:
        """Peak memory in MB of `layerwatch run` with all that belongs to it, after three ticks."""
        document = json.loads((self.directory / "layerwatch.yaml").read_text())
        file = self.directory / "whole.yaml"
        file.write_text(json.dumps({**document, "schedule": {"every": "1s"}}))
        argv = ["run", "-c", str(file), "--ticks", "3", "--dry-run", "--listen", "127.0.0.1:0"]
        return measured([sys.executable, "-m", "watcher.cli", *argv], self.directory / "log").peak_rss_mb

    def _row(self, name: str, run: Callable[[], Used]) -> Row:
        self.traffic.reset()
        tokens, started = self.tokens_asked(), time.monotonic()
        used = run()
        wall = time.monotonic() - started
        return Row(
            name=name,
            requests=self.traffic.requests,
            tokens=self.tokens_asked() - tokens,
            connections=self.traffic.connections,
            received=self.traffic.from_registry,
            cpu_seconds=used.cpu_seconds,
            peak_rss_mb=used.peak_rss_mb,
            wall_seconds=wall,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repositories", type=int, default=50)
    parser.add_argument("--tags", type=int, default=20)
    parser.add_argument("--only-ours", action="store_true")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="layerwatch-bench-") as name,
        _world(Path(name), arguments.repositories, arguments.tags) as world,
    ):
        for milliseconds in (0, 50):
            world.traffic.round_trip_seconds = milliseconds / 1000
            rows = [
                world.daemon("layerwatch, a daemon's tick"),
                world.run("layerwatch check", _check(world)),
            ]
            if not arguments.only_ours:
                rows += [
                    world.run("crane digest", _crane(world)),
                    world.run("skopeo inspect --raw", _skopeo(world)),
                ]
            print(f"{len(world.references)} references, round trip {milliseconds} ms.\n")
            print(_table(rows, len(world.references), milliseconds / 1000))
        world.traffic.round_trip_seconds = 0.0
        print(f"The whole of `layerwatch run`, with schedule, pages and metrics, peaks at {world.whole():.0f} MB.\n")


@contextmanager
def _world(directory: Path, repositories: int, tags: int) -> Iterator[World]:
    home = directory / "registry"
    home.mkdir()
    with docker_registry_and_tokens(home, _HOST) as (address, settings, tokens):
        host, _, port = address.rpartition(":")
        with counted((host, int(port)), home / "log") as traffic:
            traffic.address = traffic.address.replace(host, _HOST)
            auth_file = write_auth_file(directory / "config.json", traffic.address, "joe", PASSWORD)
            ours = RegistrySettings(auth_file=auth_file, ca_file=settings.ca_file)
            references = _push(ours, traffic.address, repositories, tags)
            demo_git.make_repository(
                directory / "source.git", {"Containerfile": _CONTAINERFILE, "motd": "x\n"}, "source"
            )
            _configure(directory, traffic.address, ours, references)
            yield World(directory, traffic, ours, references, lambda: len(tokens.requests))


def _push(settings: RegistrySettings, address: str, repositories: int, tags: int) -> list[ImageReference]:
    """One image, under all names."""
    references = []
    with RegistryClient(settings) as client:
        first = Repository(address, "base/first")
        pushed = client.image(push_os_image(client, first, "os", version="9.6.1-0", seed="1"))
        for number in range(repositories):
            repository = Repository(address, f"base/os-{number}")
            for blob in (pushed.config, *pushed.layers):
                client.copy_blob(first, repository, blob)
            for tag in range(tags):
                references.append(repository.tagged(f"4.{tag}"))
                client.push_manifest(references[-1], pushed.raw, pushed.media_type)
    return references


def _configure(directory: Path, address: str, settings: RegistrySettings, references: Sequence[ImageReference]) -> None:
    """All images are built into one repository: they are one build, which is made here the real way."""
    images = [
        {
            "name": f"image-{number}",
            "base": {"image": str(reference)},
            "source": {"git": "source.git"},
            "target": f"{address}/layered/os",
        }
        for number, reference in enumerate(references)
    ]
    document = {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "WatchConfig",
        "registries": {"authFile": str(settings.auth_file), "caFile": str(settings.ca_file)},
        "clusters": [],
        "images": images,
    }
    (directory / "layerwatch.yaml").write_text(json.dumps(document))
    (directory / "first.yaml").write_text(json.dumps({**document, "images": images[:1]}))
    first = [sys.executable, "-m", "watcher.cli", "run", "-c", str(directory / "first.yaml"), "--once"]
    subprocess.run(first, check=True, capture_output=True)


def _check(world: World) -> Sequence[str]:
    return [sys.executable, "-m", "watcher.cli", "check", "-c", str(world.directory / "layerwatch.yaml")]


def _crane(world: World) -> Sequence[str]:
    environment = [f"DOCKER_CONFIG={world.directory}", f"SSL_CERT_FILE={world.settings.ca_file}"]
    return _for_each(world, ["env", *environment, require("crane"), "digest"])


def _skopeo(world: World) -> Sequence[str]:
    certificates = world.directory / "certs"
    certificates.mkdir(exist_ok=True)
    shutil.copy(str(world.settings.ca_file), certificates / "ca.crt")
    program = [require("skopeo"), "inspect", "--raw", "--cert-dir", str(certificates)]
    return _for_each(world, [*program, "--authfile", str(world.settings.auth_file)], prefix="docker://")


def _for_each(world: World, program: Sequence[str], prefix: str = "") -> Sequence[str]:
    names = world.directory / "references"
    names.write_text("".join(f"{prefix}{reference}\n" for reference in world.references))
    return ["xargs", "--arg-file", str(names), "--max-procs", str(_AT_ONCE), "--max-args", "1", *program]


def _table(rows: Sequence[Row], references: int, round_trip_seconds: float) -> str:
    ours = rows[0].wall_seconds
    lines = [
        "| who | requests | for tokens | connections | received | CPU s | peak RSS MB | wall, daemon = 1 | floor = 1 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        floor = references / _AT_ONCE * round_trip_seconds
        over = f"{row.wall_seconds / floor:.2f}" if floor else ""
        lines.append(
            f"| {row.name} | {row.requests} | {row.tokens} | {row.connections} | {row.received / 1e6:.2f} MB "
            f"| {row.cpu_seconds:.2f} | {row.peak_rss_mb:.0f} | {row.wall_seconds / ours:.1f} | {over} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
