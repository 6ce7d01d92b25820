"""Registries and a container storage for the builders' tests: embedded, and the real ones where they are installed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.builders.both import BothBuilders
from tests.builders.both import both_builders as both_builders_in
from tests.docker_registry import wait_for
from tests.parts import require
from tests.ports import free_port


@pytest.fixture(scope="session", params=["embedded", "docker-registry"])
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a registry over plain http."""
    if request.param == "embedded":
        with RegistryServer() as server:
            yield server.address
    else:
        with docker_registry(tmp_path_factory.mktemp("docker-registry")) as address:
            yield address


@contextmanager
def docker_registry(directory: Path) -> Iterator[str]:
    program = require("docker-registry")
    address = f"127.0.0.1:{free_port()}"
    configuration = directory / "config.yml"
    configuration.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory / 'data'}}}}}\n"
        f"http: {{addr: '{address}', secret: test}}\n"
    )
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", configuration], stdout=log, stderr=log)
    try:
        wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def settings(registry: str) -> RegistrySettings:
    return RegistrySettings(insecure=frozenset({registry}))


@pytest.fixture(scope="session")
def client(settings: RegistrySettings) -> Iterator[RegistryClient]:
    with RegistryClient(settings) as client:
        yield client


@pytest.fixture(scope="session")
def storage_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A container storage that no other test and no user shares."""
    buildah = require("buildah")
    root = tmp_path_factory.mktemp("containers")
    yield root
    flags = ["--root", str(root), "--runroot", str(root / "run"), "--storage-driver", "overlay"]
    subprocess.run([buildah, *flags, "rmi", "--all", "--force"], capture_output=True, check=False)
    subprocess.run(["umount", str(root / "overlay")], capture_output=True, check=False)


@pytest.fixture(scope="session")
def shell() -> bytes:
    """A program that is a shell by itself: busybox, linked statically."""
    return Path(require("busybox")).read_bytes()


@pytest.fixture(scope="session")
def both_builders(storage_root: Path, shell: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothBuilders]:
    with both_builders_in(storage_root, shell, tmp_path_factory.mktemp("both")) as both:
        yield both
