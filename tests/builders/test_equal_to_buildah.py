"""The composer's promise: its image is the one buildah would have built.

The strongest referee there is: the layer's `diff_id`, the digest of the tar that buildah took of its overlay, must be
the composer's. umoci unpacks both images besides, so that a fault of the tar writer could not hide.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from layering.errors import CheckError
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from pipeline.builders.basetree import FactsCache
from pipeline.builders.buildah import Buildah
from pipeline.builders.compose import Composer
from pipeline.builders.image import BuildRequest, BuiltImage, PlatformBase
from pipeline.builders.publish import assemble, publish
from tests.builders.bases import CONFIG, push_base
from tests.builders.building import build_request, make_odd_directories
from tests.builders.comparing import comparable
from tests.builders.tars import directory, file, odd_base
from tests.parts import require

CONTAINERFILES = {
    "nothing but labels": "LABEL a=b c='d e'\nENV Y=$X:2",
    "into the base's directories": "COPY f /etc/\nCOPY f /root/g\nCOPY f suid /tmp/\nCOPY f /srv/new/dir/",
    "over files of the base": "COPY f /etc/motd\nCOPY f /usr/bin/sh",
    "directories": "COPY d /new\nCOPY d/ /etc/conf.d\nCOPY d/sub /opt/kept/",
    "what was deleted before": "COPY d /opt/old\nCOPY f /etc/conf.d/lost/",
    "the whole context": "COPY . /context/",
    "into the root": "COPY d /\nCOPY f .",
    "empty directories": "COPY empty /etc\nCOPY empty /empty/\nCOPY empty/ /tmp/",
    "owners and modes": "COPY --chown=5:6 d /a/b\nCOPY --chmod=4755 f /c/\nCOPY --chown=1:1 --chmod=0700 d /tmp/d",
    "over each other": "COPY d /a\nCOPY d/sub /a\nCOPY f /a/x\nCOPY d/sub /etc\nCOPY --chmod=600 d/sub /etc/",
    "patterns": "COPY *.conf /srv/\nCOPY ?.conf d*/x /etc/conf.d/\nCOPY s* /tmp",
    "working directories": "WORKDIR /w/x\nCOPY f .\nCOPY d rel\nWORKDIR ../y\nWORKDIR /etc\nCOPY a.conf ./",
    "ADD": "ADD f /etc/\nADD d /x/\nADD d/x /y",
    "configuration": 'ENTRYPOINT ["x"]\nCMD a  b\nUSER 5:6\nEXPOSE 80 53/udp\nSTOPSIGNAL SIGTERM\nMAINTAINER Jo',
    "environment": 'ARG V=1\nENV A="$X $V" B=${NONE:-d} X=2\nENV PATH=/y:$PATH\nLABEL l=$A\nWORKDIR /etc/$V$B',
    "entrypoint alone": "ENTRYPOINT x y",
    "empty commands": "CMD []\nENTRYPOINT []",
    "json forms": 'COPY ["f", "a.conf", "/sp ace/"]\nCMD ["echo", "$X"]',
    "several lines": "COPY f \\\n  # a comment\n  a.conf \\\n  /srv/\nENV A=1 \\\n   B=2\nCMD echo a  \\\n    b",
    "long names": f"COPY f /{'long/' * 25}name\nCOPY f /{'n' * 130}/x\nCOPY d /{'ab/' * 60}",
}


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """The embedded one: what the composer builds does not depend on who stores it."""
    with RegistryServer() as server:
        yield server.address


@pytest.fixture(scope="module")
def settings(registry: str) -> RegistrySettings:
    return RegistrySettings(insecure=frozenset({registry}))


@pytest.fixture(scope="module")
def client(settings: RegistrySettings) -> Iterator[RegistryClient]:
    with RegistryClient(settings) as client:
        yield client


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("context")
    modes = {"f": 0o640, "suid": 0o6755, "a.conf": 0o600, "bb.conf": 0o444, "d/x": 0o600, "d/sub/y": 0o755}
    for name, mode in modes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name * 1000)
        path.chmod(mode)
        os.utime(path, (1, 1))
    make_odd_directories(root)
    if os.getuid() == 0:
        os.chown(root / "f", 12, 34)
    return root


@pytest.fixture(scope="module")
def base(client: RegistryClient, registry: str, shell: bytes) -> ImageReference:
    return push_base(client, Repository(registry, "equal/base"), odd_base(shell), annotations={"base.note": "x"})


@pytest.fixture(scope="module")
def composer(client: RegistryClient, tmp_path_factory: pytest.TempPathFactory) -> Composer:
    return Composer(client, FactsCache(tmp_path_factory.mktemp("facts")), lambda note: None)


@pytest.fixture(scope="module")
def buildah(settings: RegistrySettings, storage_root: Path) -> Buildah:
    return Buildah(settings=settings, storage_root=storage_root, say=lambda note: None)


def request_for(client: RegistryClient, base: ImageReference, context: Path, body: str) -> BuildRequest:
    manifest = client.image(base)
    config = client.config(base.repository, manifest)
    bases = (PlatformBase(platform=config.platform, manifest=manifest, config=config),)
    request = build_request(
        f"FROM {base}\n{body}\n", context=context, bases=bases, labels={"layerwatch.build-key": "k", "s": "$X 'q'"}
    )
    return replace(request, base=base)


def both(composer: Composer, buildah: Buildah, request: BuildRequest, directory: Path) -> tuple[BuiltImage, BuiltImage]:
    images = []
    for name in ("composed", "built"):
        (directory / name).mkdir()
    composed = composer.compose(request, directory / "composed")
    built = buildah.build(request, directory / "built")
    for image in (*composed, *built):
        assert isinstance(image, BuiltImage), str(image)
        images.append(image)
    return images[0], images[1]


@pytest.mark.parametrize("body", CONTAINERFILES.values(), ids=CONTAINERFILES.keys())
def test_equal(
    client: RegistryClient,
    base: ImageReference,
    context: Path,
    composer: Composer,
    buildah: Buildah,
    body: str,
    tmp_path: Path,
) -> None:
    composed, built = both(composer, buildah, request_for(client, base, context, body), tmp_path)
    assert comparable(composed) == comparable(built)
    assert composed.layers[0].written.diff_id == built.layers[0].written.diff_id


ODD_CONFIG = {
    **CONFIG,
    "User": "root",
    "Hostname": "h",
    "WorkingDir": "/missing",
    "ExposedPorts": {"1/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "x"]},
    "Shell": ["/bin/x"],
    "StopSignal": "9",
    "ArgsEscaped": True,
    "Memory": 3,
}


@pytest.mark.parametrize("docker", [False, True], ids=["OCI base", "docker base"])
def test_odd_bases_are_equal(
    client: RegistryClient,
    registry: str,
    context: Path,
    composer: Composer,
    buildah: Buildah,
    docker: bool,
    tmp_path: Path,
) -> None:
    odd = push_base(
        client,
        Repository(registry, f"equal/odd{int(docker)}"),
        [[directory("etc", 0o711), file("etc/f")], []],
        config=ODD_CONFIG,
        docker=docker,
        more={"author": "joe", "variant": "v2", "container": "abc", "os.version": "1.2", "os.features": ["z"]},
    )
    composed, built = both(composer, buildah, request_for(client, odd, context, "COPY f rel/\nCOPY f /etc"), tmp_path)
    assert comparable(composed) == comparable(built)
    assert composed.layers[0].written.diff_id == built.layers[0].written.diff_id


def test_both_builders_are_reproducible(
    client: RegistryClient, base: ImageReference, context: Path, composer: Composer, buildah: Buildah, tmp_path: Path
) -> None:
    request = request_for(client, base, context, CONTAINERFILES["directories"])
    digests = []
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        os.utime(context / "f")
        composed, built = both(composer, buildah, request, tmp_path / attempt)
        digests.append((assemble([composed], {}).digest, assemble([built], {}).digest))
    assert digests[0] == digests[1]


def test_the_storage_is_left_as_it_was(
    client: RegistryClient, base: ImageReference, context: Path, buildah: Buildah, storage_root: Path, tmp_path: Path
) -> None:
    def held() -> set[str]:
        flags = ["--root", str(storage_root), "--runroot", str(storage_root / "run"), "--storage-driver", "overlay"]
        images = subprocess.check_output([require("buildah"), *flags, "images", "--all", "--quiet"], text=True)
        containers = subprocess.check_output([require("buildah"), *flags, "containers", "--all", "-q"], text=True)
        return {*images.split(), *containers.split()}

    for name in ("pulls", "builds", "fails"):
        (tmp_path / name).mkdir()
    buildah.build(request_for(client, base, context, "COPY f /etc/"), tmp_path / "pulls")
    before = held()
    buildah.build(request_for(client, base, context, "COPY f /tmp/\nRUN echo x > /f"), tmp_path / "builds")
    with pytest.raises(CheckError, match="exit status 3"):
        buildah.build(request_for(client, base, context, "COPY f /etc/\nRUN echo no; exit 3"), tmp_path / "fails")
    assert held() == before


@pytest.fixture
def unpacked(
    client: RegistryClient, base: ImageReference, context: Path, composer: Composer, buildah: Buildah, tmp_path: Path
) -> tuple[Path, Path]:
    request = request_for(client, base, context, "\n".join(list(CONTAINERFILES.values())[1:5]))
    roots = []
    for name, image in zip(("composed", "built"), both(composer, buildah, request, tmp_path), strict=True):
        target = Repository(base.repository.domain, f"equal/{name}").tagged("1")
        publish(client, [image], assemble([image], {}), base.repository, target)
        layout = tmp_path / f"{name}-layout"
        subprocess.run(
            [require("skopeo"), "copy", "--src-tls-verify=false", f"docker://{target}", f"oci:{layout}:1"], check=True
        )
        bundle = tmp_path / f"{name}-bundle"
        subprocess.run([require("umoci"), "unpack", "--image", f"{layout}:1", bundle], check=True, capture_output=True)
        roots.append(bundle / "rootfs")
    return roots[0], roots[1]


def listing(root: Path) -> dict[str, tuple[object, ...]]:
    """Every path with type, mode, owner, link target and content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        found[str(path.relative_to(root))] = (oct(status.st_mode), status.st_uid, status.st_gid, content)
    return found


@pytest.mark.skipif(os.getuid() != 0, reason="owners can only be unpacked by root")
def test_the_same_files_come_out_of_the_registry(unpacked: tuple[Path, Path]) -> None:
    composed, built = unpacked
    files = listing(composed)
    assert files == listing(built)
    assert len(files) > 25
