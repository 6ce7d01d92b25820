"""Putting a built image at a registry, real and embedded: base layers as they are, the tag last, nothing twice."""

import random
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from layering.buildkey import BuildKey
from layering.errors import ConflictError, RefusedError
from layering.platform import Platform
from layering.provenance import BUILD_KEY, BUILDER
from layering.reasons import Reason
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient, Request
from layering.registry.manifest import ImageIndex, ImageManifest, sha256
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from pipeline.builders.basetree import FactsCache
from pipeline.builders.compose import Composer
from pipeline.builders.image import BuildRequest, BuiltImage, PlatformBase
from pipeline.builders.publish import assemble, publish
from pipeline.builders.taken import EarlierBuild, earlier_build
from tests.builders.bases import push_base, push_index
from tests.builders.building import build_request
from tests.builders.tars import Member, directory, file
from tests.parts import require

KEY = BuildKey("1" * 64)
LAYERS = [[directory("etc"), file("etc/one")], [directory("etc"), file("etc/two", b"2" * 5000)]]
ANNOTATIONS = {BUILD_KEY: KEY.hex, BUILDER: "compose"}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    context.mkdir()
    (context / "f").write_text("f")
    return context


def request_for(
    client: RegistryClient, base: ImageReference, context: Path, platforms: Sequence[Platform | None] = (None,)
) -> BuildRequest:
    bases = []
    for platform in platforms:
        manifest = client.image(base, platform)
        config = client.config(base.repository, manifest)
        bases.append(PlatformBase(platform=config.platform, manifest=manifest, config=config))
    request = build_request(f"FROM {base}\nCOPY f /etc/\n", context=context, bases=tuple(bases))
    return replace(request, base=base)


def composed(client: RegistryClient, request: BuildRequest, directory: Path) -> tuple[BuiltImage, ...]:
    images = Composer(client, FactsCache(None), lambda note: None).compose(request, directory)
    return tuple(image for image in images if isinstance(image, BuiltImage))


def rehashes_clean(target: ImageReference, directory: Path, *flags: str) -> None:
    """skopeo reads every blob of an image and checks every digest."""
    layout = f"oci:{directory / 'copy'}:1"
    subprocess.run(
        [require("skopeo"), "copy", "--quiet", "--src-tls-verify=false", *flags, f"docker://{target}", layout],
        check=True,
    )


@pytest.mark.parametrize("docker", [False, True], ids=["OCI base", "docker base"])
def test_what_is_pushed_is_read_back(
    client: RegistryClient, registry: str, context: Path, tmp_path: Path, docker: bool
) -> None:
    base = push_base(client, Repository(registry, f"publish/base{int(docker)}"), LAYERS, docker=docker)
    images = composed(client, request_for(client, base, context), tmp_path)
    assembled = assemble(images, ANNOTATIONS)
    target = Repository(registry, f"publish/target{int(docker)}").tagged("4.19.2-1")
    publish(client, images, assembled, base.repository, target)
    found = client.manifest(target)
    assert isinstance(found, ImageManifest)
    assert found.digest == assembled.digest
    assert found.annotations == ANNOTATIONS
    assert [layer.digest for layer in found.layers[:-1]] == [layer.digest for layer in client.image(base).layers]
    rehashes_clean(target, tmp_path)


def test_two_platforms_are_one_index(client: RegistryClient, registry: str, context: Path, tmp_path: Path) -> None:
    repository = Repository(registry, "publish/multi")
    images_of_base = {
        architecture: push_base(client, repository, LAYERS[: number + 1], architecture=architecture)
        for number, architecture in enumerate(("amd64", "arm64"))
    }
    base = push_index(client, repository, images_of_base)
    platforms = [Platform("linux", "amd64"), Platform("linux", "arm64")]
    images = composed(client, request_for(client, base, context, platforms), tmp_path)
    target = Repository(registry, "publish/multi-target").tagged("1")
    publish(client, images, assemble(images, ANNOTATIONS), repository, target)
    found = client.manifest(target)
    assert isinstance(found, ImageIndex)
    assert [entry.platform for entry in found.manifests] == platforms
    assert found.annotations == ANNOTATIONS
    rehashes_clean(target, tmp_path, "--all")


def test_pushing_again_changes_nothing(client: RegistryClient, registry: str, context: Path, tmp_path: Path) -> None:
    repository = Repository(registry, "publish/again")
    base = push_base(client, repository, LAYERS)
    target = repository.tagged("1")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        images = composed(client, request_for(client, base, context), tmp_path / name)
        publish(client, images, assemble(images, ANNOTATIONS), repository, target)
        assert client.resolve(target).digest == assemble(images, ANNOTATIONS).digest


def test_base_of_another_registry_is_streamed(
    client: RegistryClient, registry: str, settings: RegistrySettings, context: Path, tmp_path: Path
) -> None:
    base = push_base(client, Repository(registry, "publish/elsewhere"), LAYERS)
    with RegistryServer() as other:
        both = RegistrySettings(insecure=settings.insecure | {other.address})
        with RegistryClient(both) as wide:
            images = composed(wide, request_for(wide, base, context), tmp_path)
            target = Repository(other.address, "a/b").tagged("1")
            publish(wide, images, assemble(images, {}), base.repository, target)
            rehashes_clean(target, tmp_path)
            copied = wide.image(target)
    assert [layer.digest for layer in copied.layers[:-1]] == [layer.digest for layer in client.image(base).layers]


def test_a_large_layer_goes_in_pieces(client: RegistryClient, registry: str, context: Path, tmp_path: Path) -> None:
    (context / "f").write_bytes(random.Random(1).randbytes(6 << 20))
    repository = Repository(registry, "publish/large")
    base = push_base(client, repository, LAYERS)
    images = composed(client, request_for(client, base, context), tmp_path)
    publish(client, images, assemble(images, {}), repository, repository.tagged("1"))
    rehashes_clean(repository.tagged("1"), tmp_path)


def test_requests_and_bytes_are_few(registry: str, settings: RegistrySettings, context: Path, tmp_path: Path) -> None:
    """One mount per base layer, and seven more for a repository of the same registry; no layer is read twice."""
    seen: list[Request] = []
    with RegistryClient(settings, on_request=seen.append) as client:
        base = push_base(client, Repository(registry, "publish/few"), LAYERS)
        request = request_for(client, base, context)
        composer = Composer(client, FactsCache(tmp_path / "facts"), lambda note: None)
        for name in ("cold", "warm"):
            (tmp_path / name).mkdir()
            seen.clear()
            images = [image for image in composer.compose(request, tmp_path / name) if isinstance(image, BuiltImage)]
            assert len(seen) == (len(LAYERS) if name == "cold" else 0)
        seen.clear()
        target = Repository(registry, "publish/few-target").tagged("1")
        publish(client, images, assemble(images, {}), base.repository, target)
    mounts = [request for request in seen if request.method == "POST" and "mount=" in request.path]
    assert len(seen) - len(LAYERS) <= 10, [f"{request.method} {request.path}" for request in seen]
    assert len(mounts) in (0, len(LAYERS))


@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_a_damaged_cache_is_read_anew(
    client: RegistryClient, registry: str, context: Path, tmp_path: Path, damage: bytes
) -> None:
    base = push_base(client, Repository(registry, "publish/cache"), LAYERS)
    request = request_for(client, base, context)
    cache = tmp_path / "facts"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (image, *_) = Composer(client, FactsCache(cache), lambda note: None).compose(request, tmp_path / name)
        assert isinstance(image, BuiltImage)
        for known in cache.iterdir():
            known.write_bytes(damage)


def test_a_platform_that_fails_leaves_no_tag(context: Path, tmp_path: Path) -> None:
    with RegistryServer() as server, RegistryClient(insecure(server)) as client:
        repository = Repository(server.address, "a/b")
        one, two = (push_base(client, repository, LAYERS[:count]) for count in (1, 2))
        images: list[BuiltImage] = []
        for base in (one, two):
            (tmp_path / str(base.pinned.short)).mkdir()
            images += composed(client, request_for(client, base, context), tmp_path / str(base.pinned.short))
        assembled = assemble(images, {})
        refused = str(sha256(assembled.manifests[1][1]))
        server.intercept = lambda asked: error(403, "DENIED", "no", {}) if refused in asked.target else None
        with pytest.raises(RefusedError):
            publish(client, images, assembled, repository, repository.tagged("1"))
        server.intercept = None
        assert client.tags(repository) == ()


def test_a_race_for_the_tag_is_noticed(context: Path, tmp_path: Path) -> None:
    with RegistryServer() as server, RegistryClient(insecure(server)) as client:
        repository = Repository(server.address, "a/b")
        base = push_base(client, repository, LAYERS)
        images = composed(client, request_for(client, base, context), tmp_path)
        target, rival = repository.tagged("1"), client.image(base)

        def overwrite(asked: Asked) -> Answer | None:
            if asked.method == "HEAD" and asked.target.endswith("/manifests/1"):
                server.intercept = None
                client.push_manifest(target, rival.raw, rival.media_type)
            return None

        server.intercept = overwrite
        with pytest.raises(ConflictError, match="right after") as conflict:
            publish(client, images, assemble(images, {}), repository, target)
    assert conflict.value.reason is Reason.TAG_TAKEN


def insecure(server: RegistryServer) -> RegistrySettings:
    return RegistrySettings(insecure=frozenset({server.address}))


def test_an_earlier_build_is_found(client: RegistryClient, registry: str, context: Path, tmp_path: Path) -> None:
    repository = Repository(registry, "publish/earlier")
    base = push_base(client, repository, LAYERS)
    target = repository.tagged("1")
    assert earlier_build(client, target, KEY) is None
    images = composed(client, request_for(client, base, context), tmp_path)
    assembled = assemble(images, ANNOTATIONS)
    publish(client, images, assembled, repository, target)
    assert earlier_build(client, target, KEY) == EarlierBuild(digest=assembled.digest, builder="compose")
    with pytest.raises(ConflictError, match="another build") as conflict:
        earlier_build(client, target, BuildKey("2" * 64))
    assert conflict.value.reason is Reason.TAG_TAKEN


def test_a_tag_of_somebody_else_is_a_conflict(client: RegistryClient, registry: str) -> None:
    repository = Repository(registry, "publish/foreign")
    base = client.image(push_base(client, repository, LAYERS))
    client.push_manifest(repository.tagged("1"), base.raw, base.media_type)
    with pytest.raises(ConflictError, match="not a build of ours"):
        earlier_build(client, repository.tagged("1"), KEY)


def test_a_label_stands_in_for_a_lost_annotation(client: RegistryClient, registry: str) -> None:
    repository = Repository(registry, "publish/label")
    members: list[list[Member]] = [[directory("etc")]]
    image = push_base(client, repository, members, config={"Labels": {BUILD_KEY: KEY.hex}})
    manifest = client.image(image)
    client.push_manifest(repository.tagged("1"), manifest.raw, manifest.media_type)
    assert earlier_build(client, repository.tagged("1"), KEY) == EarlierBuild(digest=manifest.digest, builder="unknown")
