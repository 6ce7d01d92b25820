"""Steps and real container tools in a disconnected network: the source is not there, a mirror has everything."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.mirrorrule import Mirror, MirrorRule
from layering.registry.mirrors import render_registries_conf
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image, push_release
from pipeline.builders.buildah_registries import registries_environment
from tests.builders.bases import push_base
from tests.builders.tars import odd_base
from tests.parts import require
from tests.pipeline.conftest import Step

SOURCE = "source.example.com/ocp"


@dataclass(frozen=True)
class Disconnected:
    """A mirror below `copy/`, beside it a registry for what is built; rules as `oc` prints them."""

    mirror: RegistryServer
    client: RegistryClient
    rules: Path
    flags: tuple[str, ...]

    def mirrored(self, path: str) -> Repository:
        return Repository(self.mirror.address, f"copy/{path}")

    def named(self, path: str, reference: ImageReference) -> ImageReference:
        """The same image under its source's name."""
        return Repository.parse(f"{SOURCE}/{path}").at(reference.pinned)


@pytest.fixture
def disconnected(tmp_path: Path) -> Iterator[Disconnected]:
    with RegistryServer() as mirror, RegistryClient(RegistrySettings(insecure=frozenset({mirror.address}))) as client:
        entry = {
            "source": SOURCE,
            "mirrors": [f"{mirror.address}/missing", f"{mirror.address}/copy"],
            "mirrorSourcePolicy": "NeverContactSource",
        }
        rules = tmp_path / "mirrors.yaml"
        digests = {"kind": "ImageDigestMirrorSet", "spec": {"imageDigestMirrors": [entry]}}
        tags = {"kind": "ImageTagMirrorSet", "spec": {"imageTagMirrors": [entry]}}
        rules.write_text(yaml.safe_dump({"kind": "List", "items": [digests, tags]}))
        flags = ("--registries-conf", str(rules), "--insecure-registry", mirror.address)
        yield Disconnected(mirror, client, rules, flags)


def test_a_release_is_resolved_under_the_names_of_its_source(disconnected: Disconnected, step: Step) -> None:
    coreos = push_os_image(disconnected.client, disconnected.mirrored("art"), "nine", version="9.6.1-0", seed="9")
    named = disconnected.named("art", coreos)
    push_release(
        disconnected.client, disconnected.mirrored("release"), "4.19.2", version="4.19.2", images={"rhel-coreos": named}
    )
    payload = f"{SOURCE}/release:4.19.2"
    ended = step("resolve-base", "--release", payload, "--tag", "rhel-coreos", *disconnected.flags)
    assert ended.code == 0, ended.notes
    assert (ended.outputs["base"], ended.outputs["name"]) == (str(named), str(named.repository))
    assert ended.outputs["pulled_from"] == str(coreos)
    (tried,) = ended.outputs["tried"]
    assert tried["source"] == f"{disconnected.mirror.address}/missing/art"
    assert "404" in tried["error"]
    assert f"mirror {tried['source']} for {named.repository}" in ended.notes


def test_nothing_anywhere_names_each_place(disconnected: Disconnected, step: Step) -> None:
    ended = step("resolve-base", "--image", f"{SOURCE}/none:1", *disconnected.flags)
    assert (ended.code, ended.outputs) == (3, None)
    for path in ("missing/none", "copy/none"):
        assert f"mirror {disconnected.mirror.address}/{path}: " in ended.notes


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        pytest.param("r.conf", "[registries.search]\n", "version 1", id="the old form"),
        pytest.param("r.yaml", "kind: Pod\n", "ImageDigestMirrorSet", id="another object"),
        pytest.param("r.conf", None, "is not a file", id="no file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, step: Step, name: str, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    ended = step("resolve-base", "--image", "q.io/a:1", "--registries-conf", tmp_path / name)
    assert (ended.code, ended.outputs) == (2, None)
    assert says in ended.notes
    assert str(tmp_path / name) in ended.notes


@pytest.mark.parametrize("builder", ["compose", "buildah"])
def test_a_build_reads_its_base_from_the_mirror(
    disconnected: Disconnected, step: Step, tmp_path: Path, storage_root: Path, builder: str
) -> None:
    base = push_base(disconnected.client, disconnected.mirrored("os"), odd_base(b"#!"))
    context = tmp_path / "context"
    context.mkdir()
    named = disconnected.named("os", base)
    (context / "Containerfile").write_text(f"FROM {named.repository}:4.19\nCOPY f /etc/\n")
    (context / "f").write_text("f")
    target = Repository(disconnected.mirror.address, "team/os").tagged("1")
    ended = step(
        "build-image", "--builder", builder, "--context", context, "--base", named, "--target", target, "--push",
        "--storage-root", storage_root, "--cache-dir", tmp_path / "cache", *disconnected.flags,
    )  # fmt: skip
    assert ended.code == 0, ended.notes
    built = disconnected.client.image(target)
    assert built.annotations["org.opencontainers.image.base.name"] == str(named.repository)
    assert built.layers[0].digest == disconnected.client.image(base).layers[0].digest


@pytest.fixture
def storage_root(tmp_path: Path) -> Iterator[Path]:
    """A container storage of this test alone."""
    buildah, root = require("buildah"), tmp_path / "containers"
    yield root
    flags = ["--root", str(root), "--runroot", str(root / "run"), "--storage-driver", "overlay"]
    subprocess.run([buildah, *flags, "rmi", "--all", "--force"], capture_output=True, check=False)
    subprocess.run(["umount", str(root / "overlay")], capture_output=True, check=False)


def test_skopeo_understands_rendered_rules_as_we_do(disconnected: Disconnected, tmp_path: Path) -> None:
    coreos = push_os_image(disconnected.client, disconnected.mirrored("os"), "t", version="9.6.1-0", seed="s")
    location = f"{disconnected.mirror.address}/copy"
    digests, tags = (
        MirrorRule(source=SOURCE, mirrors=(Mirror(location=location),), kind=kind, never_contact_source=True)
        for kind in ("digest", "tag")
    )
    host = frozenset({disconnected.mirror.address})

    def inspected(reference: str, *rules: MirrorRule) -> subprocess.CompletedProcess[str]:
        file = registries_environment(RegistrySettings(mirrors=rules, insecure=host), tmp_path)
        conf = file["CONTAINERS_REGISTRIES_CONF"]  # skopeo has a flag for it, and does not read the variable
        command = [require("skopeo"), "--registries-conf", conf, "inspect", "--no-tags", f"docker://{reference}"]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    for reference, rule, other in (
        (f"{SOURCE}/os@{coreos.pinned}", digests, tags),
        (f"{SOURCE}/os:t", tags, digests),
    ):
        found = inspected(reference, rule)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["Digest"] == str(coreos.pinned)
        refused = inspected(reference, other)
        assert refused.returncode != 0
        assert "blocked" in refused.stderr
    assert "blocked = true" in render_registries_conf((digests, tags))
