"""A registry, or its client, killed at the worst moments: the tag is what it was or whole, and the next run completes.

Real processes are ended by SIGKILL: the registry's by a relay that sees what passes, its storage by the kernel at each
rename that it makes.
"""

import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from layering.errors import UnavailableError
from layering.reference import Digest, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_LAYER, Descriptor, ImageManifest, sha256
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.registry.storage import DirectoryStorage
from layering.sample.images import push_os_image
from tests.builders.bases import push_base
from tests.builders.tars import odd_base
from tests.registry.crash import KINDS, RegistryProcess
from tests.registry.relay import Relay

MIB = 1024 * 1024
DATA = random.Random(8).randbytes(9 * MIB)
BLOB = Descriptor(media_type=OCI_LAYER, digest=sha256(DATA), size=len(DATA))
TAG = "4.19.2-1"
_MANIFEST = b"PUT /v2/target/manifests/" + TAG.encode()


@dataclass
class Moment:
    """When: after so many bytes that the client sent, or when it sends the tag's manifest, or gets the answer to it."""

    name: str
    sent_bytes: int = 0
    answered: bool = False
    passes_on: bool = False

    def __str__(self) -> str:
        return self.name


MOMENTS = (
    Moment("in a blob's first piece", sent_bytes=2 * MIB),
    Moment("in a blob's last piece", sent_bytes=9 * MIB - 100_000),
    Moment("between blobs and manifest"),
    Moment("while it takes the manifest", passes_on=True),
    Moment("before its answer to the manifest", answered=True),
)


class Trap:
    """Does `strike` once, at the moment, while what is passing waits; or beside it where it is to pass on."""

    def __init__(self, moment: Moment, registry: RegistryProcess, strike: Callable[[], None]) -> None:
        self._moment, self._strike = moment, strike
        self._sent, self._is_tagged, self._has_struck = 0, False, False
        self._guard, self._is_over = threading.Lock(), threading.Event()
        self.relay = Relay(registry.address, on_sent=self._on_sent, on_answered=self._on_answered)

    def has_struck(self) -> bool:
        """Whether it did; it has ended when this returns."""
        return self._has_struck and self._is_over.wait(60)

    def _on_sent(self, data: bytes) -> None:
        self._sent += len(data)
        self._is_tagged = self._is_tagged or _MANIFEST in data
        due = self._sent >= self._moment.sent_bytes if self._moment.sent_bytes else self._is_tagged
        if due and not self._moment.answered:
            self._once()

    def _on_answered(self, data: bytes) -> None:
        if self._is_tagged and self._moment.answered:
            self._once()

    def _once(self) -> None:
        with self._guard:
            if self._has_struck:
                return
            self._has_struck = True
        if self._moment.passes_on:
            threading.Thread(target=self._strike_once, daemon=True).start()
        else:
            self._strike_once()

    def _strike_once(self) -> None:
        self._strike()
        if not self._moment.passes_on:
            self.relay.cut_next()
        self._is_over.set()


def client_of(address: str, until: RegistryProcess | None = None) -> RegistryClient:
    """It does not pause, or `until` a registry answers."""

    def pause(seconds: float) -> None:
        if until is not None:
            assert until.answers.wait(60)

    return RegistryClient(RegistrySettings(insecure=frozenset({address})), sleep=pause)


def push_image(address: str, until: RegistryProcess | None = None) -> Digest:
    """An image with a large layer, as a step pushes one: blobs, manifest, tag."""
    with client_of(address, until) as client:
        repository = Repository(address, "target")
        if not client.has_blob(repository, BLOB.digest):
            client.push_stream(repository, lambda: iter([DATA]), BLOB)
        return push_os_image(client, repository, TAG, version="2", seed="2").pinned


def standing(address: str) -> Digest | None:
    """What the tag names, None for nothing; all of it is fetched, and is what it should be."""
    with client_of(address) as client:
        repository = Repository(address, "target")
        found = client.find(repository.tagged(TAG))
        if found is None:
            return None
        image = client.manifest(repository.tagged(TAG))
        assert isinstance(image, ImageManifest)
        for blob in (image.config, *image.layers):
            with client.stream_blob(repository, blob) as chunks:
                assert sum(map(len, chunks)) == blob.size
        return found.digest


@pytest.fixture(params=KINDS)
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RegistryProcess]:
    with RegistryProcess(request.param, tmp_path) as running:
        yield running


@pytest.mark.parametrize("before", [False, True], ids=["a new tag", "a tag that moves"])
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_registry_that_dies_in_a_push(registry: RegistryProcess, moment: Moment, before: bool) -> None:
    old = None
    if before:
        with client_of(registry.address) as client:
            old = push_os_image(client, Repository(registry.address, "target"), TAG, version="1", seed="1").pinned
    trap = Trap(moment, registry, registry.kill)
    with trap.relay as relay:
        try:
            push_image(relay.address)
        except UnavailableError:
            pass
        else:
            assert moment.passes_on
    assert trap.has_struck()
    registry.kill()
    registry.start()
    left = standing(registry.address)
    new = push_image(registry.address)
    assert left in (old, new)
    assert standing(registry.address) == new != old


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_registry_that_is_soon_back(registry: RegistryProcess, moment: Moment) -> None:
    """The very same run completes."""

    def strike() -> None:
        registry.kill()
        registry.start()

    trap = Trap(moment, registry, strike)
    with trap.relay as relay:
        pushed = push_image(relay.address, registry)
    assert trap.has_struck()
    assert standing(registry.address) == pushed


@pytest.mark.parametrize("is_back", [False, True], ids=["for good", "for a moment"])
def test_a_registry_that_dies_in_a_download(registry: RegistryProcess, is_back: bool) -> None:
    with client_of(registry.address) as client:
        client.push_stream(Repository(registry.address, "a/b"), lambda: iter([DATA]), BLOB)
    passed = 0

    def strike(data: bytes) -> None:
        nonlocal passed
        before, passed = passed, passed + len(data)
        if before < 4 * MIB <= passed:
            registry.kill()
            if is_back:
                registry.start()
            relay.cut_next()

    with (
        Relay(registry.address, on_answered=strike) as relay,
        client_of(relay.address, registry if is_back else None) as client,
    ):
        repository = Repository(relay.address, "a/b")
        if not is_back:
            with pytest.raises(UnavailableError):
                client.read_blob(repository, BLOB, limit_bytes=BLOB.size)
            registry.start()
        assert client.read_blob(repository, BLOB, limit_bytes=BLOB.size) == DATA
    assert passed >= 4 * MIB


def build(source: str, target: str, home: Path) -> subprocess.Popen[str]:
    """`layerwatch-step build-image --push` of a large file upon the base in one registry, to another address."""
    context = home / "context"
    context.mkdir(exist_ok=True)
    (context / "Containerfile").write_text("FROM quay.io/acme/os:4.19\nCOPY f /etc/\n")
    (context / "f").write_bytes(DATA)
    with client_of(source) as client:
        base = push_base(client, Repository(source, "base"), odd_base(b"#!"))
    argv = [sys.executable, "-m", "pipeline.cli", "build-image", "--push", "--context", context, "--base", base,
            "--target", Repository(target, "target").tagged(TAG), "--created", "2025-11-01T12:30:00Z",
            "--insecure-registry", source, "--insecure-registry", target, "--cache-dir", home / "cache",
            "--registry-timeout", "60s"]  # fmt: skip
    return subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def completed(step: subprocess.Popen[str]) -> None:
    _, notes = step.communicate(timeout=120)
    assert step.returncode == 0, notes


@pytest.mark.parametrize("registry", ["ours"], indirect=True)
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_step_that_is_killed(registry: RegistryProcess, moment: Moment, tmp_path: Path) -> None:
    killed: list[subprocess.Popen[str]] = []
    trap = Trap(moment, registry, lambda: killed[0].kill())
    with trap.relay as relay:
        killed.append(build(registry.address, relay.address, tmp_path))
        killed[0].communicate(timeout=120)
        assert trap.has_struck()
        left = standing(registry.address)
        was_quicker = moment.passes_on and killed[0].returncode == 0 and left is not None
        assert killed[0].returncode == -9 or was_quicker
        completed(build(registry.address, relay.address, tmp_path))
    stands = standing(registry.address)
    assert stands is not None
    assert left in (None, stands)


@pytest.mark.parametrize("registry", ["docker"], indirect=True)
def test_a_step_whose_registry_is_soon_back(registry: RegistryProcess, tmp_path: Path) -> None:
    def strike() -> None:
        registry.kill()
        registry.start()

    trap = Trap(MOMENTS[1], registry, strike)
    with trap.relay as relay:
        completed(build(registry.address, relay.address, tmp_path))
    assert trap.has_struck()
    assert standing(registry.address) is not None


_DIES_AT_A_RENAME = """
import os, signal, sys
from pathlib import Path
from watcher.cli import main

left, rename = [int(sys.argv[1])], Path.replace

def replace(path, target):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(path, target)

Path.replace = replace
sys.exit(main(sys.argv[2:]))
"""


def push_version(address: str, version: str) -> Digest:
    with client_of(address) as client:
        return push_os_image(client, Repository(address, "target"), TAG, version=version, seed=version).pinned


def test_ours_dies_before_any_of_its_renames(tmp_path: Path) -> None:
    """Every file of its directory comes to be by a rename: these are all the states that a push can leave."""
    with RegistryServer(DirectoryStorage(tmp_path / "old")) as server:
        old = push_version(server.address, "1")
    left: list[Digest | None] = []
    for rename in range(1, 100):
        shutil.copytree(tmp_path / "old", tmp_path / "data", dirs_exist_ok=False)
        with RegistryProcess("ours", tmp_path, program=[sys.executable, "-c", _DIES_AT_A_RENAME, str(rename)]) as dying:
            try:
                new = push_version(dying.address, "2")
            except UnavailableError:
                new = None
        with RegistryServer(DirectoryStorage(tmp_path / "data")) as server:
            left.append(standing(server.address))
            assert left[-1] in (old, push_version(server.address, "2"))
            assert standing(server.address) not in (None, old)
        shutil.rmtree(tmp_path / "data")
        if new is not None:
            break
    assert left[:-1] == [old] * (len(left) - 1)
    assert left[-1] == new
    assert len(left) >= 8
