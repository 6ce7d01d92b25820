"""A step's command line in this process, against a registry of our own that holds a release and its OS images."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from layering.platform import Platform
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image, push_release
from pipeline.cli import main

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@dataclass(frozen=True, kw_only=True)
class Release:
    """A registry with a payload for two platforms and the two OS images it names."""

    server: RegistryServer
    client: RegistryClient
    payload: ImageReference
    coreos: ImageReference
    coreos10: ImageReference
    flags: tuple[str, ...] = field(default=())

    def repository(self, path: str) -> Repository:
        return Repository(self.server.address, path)


@pytest.fixture(scope="module")
def release() -> Iterator[Release]:
    with (
        RegistryServer() as server,
        RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client,
    ):
        art, both = Repository(server.address, "ocp/art"), (AMD64, ARM64)
        coreos = push_os_image(client, art, "nine", version="9.6.1-0", seed="9", platforms=both)
        coreos10 = push_os_image(client, art, "ten", version="10.0.1-0", seed="10", stream="rhel-10")
        payload = push_release(
            client,
            Repository(server.address, "ocp/release"),
            "4.19.2",
            version="4.19.2",
            images={"rhel-coreos": coreos, "rhel-coreos-10": coreos10},
            platforms=both,
        )
        yield Release(
            server=server,
            client=client,
            payload=payload,
            coreos=coreos,
            coreos10=coreos10,
            flags=("--insecure-registry", server.address),
        )


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A step that ended: `outputs` is the JSON on stdout, None when there was none."""

    code: int
    outputs: Any
    out: str
    notes: str


Step = Callable[..., Ended]


@pytest.fixture
def step(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Step:
    """Run a step with these words; nothing of the machine's own credentials or CI reaches it."""
    for name in ("GITHUB_OUTPUT", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> Ended:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        document = json.loads(captured.out) if captured.out.startswith("{") else None
        return Ended(code=code, outputs=document, out=captured.out, notes=captured.err)

    return run
