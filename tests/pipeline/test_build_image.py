"""build-image, through its command line, against a registry: what it prints, what it writes, how it ends."""

import base64
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from layering.provenance import provenance_of
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import ImageIndex, ImageManifest
from layering.registry.server import RegistryServer
from layering.registry.server_http import Asked, error
from layering.registry.settings import RegistrySettings
from tests.builders.bases import push_base, push_index
from tests.builders.tars import odd_base
from tests.parts import require

COPYING = "FROM quay.io/acme/os:4.19\nCOPY f /etc/\nLABEL a=b\n"


@dataclass(frozen=True)
class Ended:
    """A run of the step that ended."""

    code: int
    document: Mapping[str, Any]
    notes: str


@dataclass(frozen=True)
class Place:
    """A registry with a base in it, and a context beside it."""

    server: RegistryServer
    client: RegistryClient
    base: ImageReference
    context: Path
    scratch: Path
    flags: tuple[str, ...]

    def target(self, name: str = "target", tag: str = "4.19.2-1") -> ImageReference:
        return Repository(self.server.address, name).tagged(tag)

    def argv(self, *more: str, target: ImageReference | None = None, base: ImageReference | None = None) -> list[str]:
        program = [sys.executable, "-m", "pipeline.cli", "build-image"]
        flags = {
            "--context": self.context,
            "--base": base or self.base,
            "--target": target or self.target(),
            "--created": "2025-11-01T12:30:00Z",
            "--cache-dir": self.scratch / "cache",
        }
        return [*program, *(str(word) for pair in flags.items() for word in pair), *self.flags, *more]

    def run(self, *more: str, **where: ImageReference) -> Ended:
        environment = {**os.environ, "TMPDIR": str(self.scratch)}
        done = subprocess.run(self.argv(*more, **where), capture_output=True, text=True, check=False, env=environment)
        assert "Traceback" not in done.stderr
        return Ended(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)

    def written(self) -> list[str]:
        """What was sent to the target's repository but questions."""
        asked = [one for one in self.server.requests if one.path.startswith("/v2/target/")]
        return [f"{one.method} {one.path}" for one in asked if one.method not in ("GET", "HEAD")]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    context, scratch = tmp_path / "context", tmp_path / "scratch"
    context.mkdir()
    scratch.mkdir()
    (context / "Containerfile").write_text(COPYING)
    (context / "f").write_text("f")
    with (
        RegistryServer() as server,
        RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client,
    ):
        base = push_base(client, Repository(server.address, "base"), odd_base(b"#!"))
        server.requests.clear()
        yield Place(server, client, base, context, scratch, ("--insecure-registry", server.address))


@pytest.fixture
def with_shell(place: Place) -> Place:
    """The same place with a base in which RUN works."""
    shell = Path(require("busybox")).read_bytes()
    base = push_base(place.client, Repository(place.server.address, "shell"), odd_base(shell))
    return replace(place, base=base)


@pytest.fixture
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Flags for a container storage of this test alone."""
    buildah, root = require("buildah"), tmp_path_factory.mktemp("containers")
    yield ["--storage-root", str(root)]
    flags = ["--root", str(root), "--runroot", str(root / "run"), "--storage-driver", "overlay"]
    subprocess.run([buildah, *flags, "rmi", "--all", "--force"], capture_output=True, check=False)
    subprocess.run(["umount", str(root / "overlay")], capture_output=True, check=False)


def test_composes_and_pushes(place: Place) -> None:
    ended = place.run("--push", "--source-url", "https://git.example.com/os.git", "--source-revision", "c" * 40)
    assert ended.code == 0
    found = place.client.manifest(place.target())
    assert isinstance(found, ImageManifest)
    assert ended.document["image"] == f"{place.server.address}/target@{found.digest}"
    assert ended.document["digest"] == str(found.digest)
    assert (ended.document["builder"], ended.document["builder_reason"]) == ("compose", "Composable")
    said = provenance_of(found.annotations)
    assert (said.key, said.base_digest, said.base_version, said.revision) == (
        ended.document["key"], place.base.pinned, "9.6.20250101-0", "c" * 40,
    )  # fmt: skip
    config = place.client.config(place.target().repository, found)
    assert config.created == "2025-11-01T12:30:00Z"
    assert config.labels["a"] == "b"
    assert config.labels["containers.bootc"] == "1"
    assert {**found.annotations, **config.labels} == {**config.labels, **found.annotations}


def test_the_same_build_is_not_made_twice(place: Place) -> None:
    first = place.run("--push")
    place.server.requests.clear()
    second = place.run("--push")
    assert second.code == 0
    assert second.document == {**first.document, "builder_reason": "AlreadyBuilt"}
    assert place.written() == []


def test_another_build_under_the_tag_is_a_conflict(place: Place) -> None:
    first = place.run("--push")
    (place.context / "f").write_text("changed")
    place.server.requests.clear()
    second = place.run("--push")
    assert second.code == 6
    assert "TagTaken" in second.notes
    assert place.written() == []
    assert str(place.client.resolve(place.target()).digest) == first.document["digest"]


def test_without_push_nothing_is_written(place: Place) -> None:
    tried = place.run()
    assert tried.code == 0
    assert place.written() == []
    assert place.run("--push").document["digest"] == tried.document["digest"]


def test_a_given_key_is_kept(place: Place) -> None:
    assert place.run("--key", "1" * 64).document["key"] == "1" * 64


def test_two_at_once_make_one_image(place: Place) -> None:
    environment = {**os.environ, "TMPDIR": str(place.scratch)}
    both = [
        subprocess.Popen(place.argv("--push"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        for _ in range(2)
    ]
    documents = [json.loads(process.communicate()[0]) for process in both]
    assert sorted(document["builder_reason"] for document in documents) == ["AlreadyBuilt", "Composable"]
    assert documents[0]["digest"] == documents[1]["digest"]
    assert len([line for line in place.written() if line.endswith("/manifests/4.19.2-1")]) == 1


def test_a_build_that_another_machine_finished_first_stands(place: Place, tmp_path: Path) -> None:
    """Two pods share no lock: the tag is looked at again after the building, and is not moved."""
    elsewhere: list[subprocess.CompletedProcess[str]] = []

    def build_elsewhere(asked: Asked) -> None:
        if "/v2/base/blobs/" in asked.target and not elsewhere:
            elsewhere.append(subprocess.CompletedProcess([], 1))
            argv = place.argv("--push", "--created", "2025-12-24T00:00:00Z", "--cache-dir", str(tmp_path / "other"))
            environment = {**os.environ, "TMPDIR": str(tmp_path)}
            elsewhere[0] = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)

    place.server.intercept = build_elsewhere
    ended = place.run("--push")
    first = json.loads(elsewhere[0].stdout)
    assert (first["builder_reason"], ended.document["builder_reason"]) == ("Composable", "AlreadyBuilt")
    assert first["digest"] == ended.document["digest"] == str(place.client.resolve(place.target()).digest)


def test_several_platforms_make_an_index(place: Place) -> None:
    repository = Repository(place.server.address, "multi")
    images = {
        name: push_base(place.client, repository, odd_base(b"#!"), architecture=name) for name in ("amd64", "arm64")
    }
    base = push_index(place.client, repository, images)
    ended = place.run("--push", "--platform", "linux/amd64", "--platform", "linux/arm64", base=base)
    assert ended.code == 0
    found = place.client.manifest(place.target())
    assert isinstance(found, ImageIndex)
    assert [str(entry.platform) for entry in found.manifests] == ["linux/amd64", "linux/arm64"]
    assert provenance_of(found.annotations).base_digest == base.pinned
    again = place.run("--push", "--platform", "linux/amd64", "--platform", "linux/arm64", base=base)
    assert again.document["builder_reason"] == "AlreadyBuilt"


def _run_line(place: Place) -> list[str]:
    (place.context / "Containerfile").write_text("FROM os\nRUN a\nCOPY f /home/x/\nCOPY --chown=core f /etc/\n")
    return ["--builder", "compose"]


def _missing_source(place: Place) -> list[str]:
    (place.context / "Containerfile").write_text("FROM os\nCOPY nothere /etc/\n")
    return []


def _two_bases(place: Place) -> list[str]:
    (place.context / "Containerfile").write_text("FROM a/x\nFROM a/y\n")
    return []


def _not_text(place: Place) -> list[str]:
    (place.context / "Containerfile").write_bytes(b"FROM os\n\xff\n")
    return []


def _unpinned(place: Place) -> list[str]:
    return ["--base", "quay.io/acme/os:4.19"]


def _refusing(place: Place) -> list[str]:
    place.server.intercept = lambda asked: error(403, "DENIED", "no", {})
    return []


def _unreachable(place: Place) -> list[str]:
    return ["--base", f"localhost:1/x@sha256:{'1' * 64}", "--insecure-registry", "localhost:1"]


def _flags(*flags: str) -> Callable[[Place], list[str]]:
    return lambda place: list(flags)


@pytest.mark.parametrize(
    ("prepare", "code", "message"),
    [
        pytest.param(_run_line, 7, "InstructionNotComposable (line 2)", id="compose that refuses"),
        pytest.param(_run_line, 7, "OwnerByName (line 4)", id="with every reason"),
        pytest.param(_missing_source, 2, "line 2: nothere is not in the build context", id="a missing source"),
        pytest.param(_two_bases, 2, "line 1", id="two bases"),
        pytest.param(_not_text, 2, "not UTF-8", id="not text"),
        pytest.param(_unpinned, 2, "is not pinned", id="an unpinned base"),
        pytest.param(_flags("--target", "r.io/a"), 2, "not REPOSITORY:TAG", id="a target without tag"),
        pytest.param(_flags("--target", f"r.io/a:b@sha256:{'1' * 64}"), 2, "REPOSITORY:TAG", id="a target by digest"),
        pytest.param(_flags("--context", "/no/where"), 2, "not a directory", id="no context"),
        pytest.param(_flags("--containerfile", "no"), 2, "there is no Containerfile", id="no Containerfile"),
        pytest.param(_flags("--build-arg", "A"), 2, "NAME=VALUE", id="a build argument without value"),
        pytest.param(_flags("--created", "yesterday"), 2, "RFC 3339", id="no time"),
        pytest.param(_flags("--created", "2025-11-01T12:00:00"), 2, "RFC 3339", id="a time without zone"),
        pytest.param(_flags("--key", "abc"), 2, "not a build key", id="no key"),
        pytest.param(_flags("--platform", "linux"), 2, "not a platform", id="no platform"),
        pytest.param(_flags("--platform", "linux/arm64"), 2, "linux/arm64 is asked for", id="another platform"),
        pytest.param(_flags("--authfile", "/no/where"), 2, "not a file", id="no credentials file"),
        pytest.param(_refusing, 3, "403", id="a registry that refuses"),
        pytest.param(_unreachable, 4, "localhost:1", id="a registry that is not there"),
    ],
)
def test_bad_inputs(place: Place, prepare: Callable[[Place], list[str]], code: int, message: str) -> None:
    ended = place.run("--push", *prepare(place))
    assert (ended.code, ended.document) == (code, {}), ended.notes
    assert message in ended.notes
    assert place.written() == []


def test_auto_hands_over_to_buildah_and_says_why(with_shell: Place, storage: list[str]) -> None:
    (with_shell.context / "Containerfile").write_text(
        "ARG BASE=quay.io/acme/os\nFROM ${BASE}\nARG V\nCOPY f /etc/\nRUN echo $V > /etc/g\n"
    )
    ended = with_shell.run("--push", "--build-arg", "V=7", *storage)
    assert ended.code == 0, ended.notes
    assert (ended.document["builder"], ended.document["builder_reason"]) == (
        "buildah", "InstructionNotComposable (line 5)",
    )  # fmt: skip
    assert "RUN needs" in ended.notes
    found = with_shell.client.image(with_shell.target())
    base = with_shell.client.image(with_shell.base)
    assert [layer.digest for layer in found.layers[: len(base.layers)]] == [layer.digest for layer in base.layers]
    again = with_shell.run("--push", "--build-arg", "V=7", *storage)
    assert again.document == {**ended.document, "builder_reason": "AlreadyBuilt"}


def test_builds_of_one_input_are_equal_whoever_builds(with_shell: Place, storage: list[str]) -> None:
    digests = {
        builder: [with_shell.run("--builder", builder, *storage).document["digest"] for _ in range(2)]
        for builder in ("buildah", "compose")
    }
    assert all(first == second for first, second in digests.values())


def test_several_stages_with_buildah(with_shell: Place, storage: list[str]) -> None:
    (with_shell.context / "Containerfile").write_text(
        "FROM quay.io/acme/os AS work\nRUN echo made > /made\nFROM quay.io/acme/os\nCOPY --from=work /made /etc/made\n"
    )
    ended = with_shell.run("--push", *storage)
    assert ended.code == 0, ended.notes
    assert ended.document["builder"] == "buildah"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        pytest.param("RUN echo the end of it; exit 3\n", 7, "the end of it", id="a RUN that fails"),
        pytest.param("FOO bar\n", 2, "Unknown instruction", id="an unknown instruction"),
        pytest.param("RUN true\nCOPY nothere /x\n", 2, "no such file", id="a missing source"),
        pytest.param("COPY --from=nostage /x /y\n", 2, "no stage", id="a missing stage"),
        pytest.param("COPY --from={server}/none:1 /x /y\n", 3, "copies from", id="an image that is not there"),
    ],
)
def test_what_buildah_says_no_to(with_shell: Place, storage: list[str], body: str, code: int, message: str) -> None:
    text = f"FROM os\n{body}".replace("{server}", with_shell.server.address)
    (with_shell.context / "Containerfile").write_text(text)
    with_shell.server.requests.clear()
    ended = with_shell.run("--push", *storage)
    assert ended.code == code, ended.notes
    assert message in ended.notes
    assert with_shell.written() == []


@pytest.fixture
def trusted(place: Place, tmp_path: Path) -> Iterator[tuple[Place, list[str]]]:
    """A registry with TLS from a private CA and a password, with the flags that get through to it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "ca.pem"
    subprocess.run(
        [require("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    authfile = tmp_path / "auth.json"
    shell = Path(require("busybox")).read_bytes()
    with RegistryServer(tls=(certificate, key), check_password=lambda *given: given == ("jo", "s3cret")) as server:
        auth = base64.b64encode(b"jo:s3cret").decode()
        authfile.write_text(json.dumps({"auths": {server.address: {"auth": auth}}}))
        with RegistryClient(RegistrySettings(auth_file=authfile, ca_file=certificate)) as client:
            base = push_base(client, Repository(server.address, "base"), odd_base(shell))
            flags = ["--authfile", str(authfile), "--ca-file", str(certificate)]
            yield Place(server, client, base, place.context, place.scratch, ()), flags


@pytest.mark.parametrize("body", ["COPY f /etc/\n", "COPY f /etc/\nRUN echo x > /etc/g\n"], ids=["compose", "buildah"])
def test_private_ca_and_password(trusted: tuple[Place, list[str]], storage: list[str], body: str) -> None:
    place, flags = trusted
    (place.context / "Containerfile").write_text(f"FROM os\n{body}")
    ended = place.run("--push", *flags, *storage)
    assert ended.code == 0, ended.notes
    assert str(place.client.resolve(place.target()).digest) == ended.document["digest"]
    assert "s3cret" not in ended.notes


def test_no_password_and_no_ca_are_refused(trusted: tuple[Place, list[str]]) -> None:
    place, flags = trusted
    assert place.run("--push", *flags[:2]).code == 3
    assert place.run("--push", *flags[2:]).code == 3


def test_entitlements_are_seen_by_run_and_are_in_no_layer(
    with_shell: Place, storage: list[str], tmp_path: Path
) -> None:
    place, secret = with_shell, tmp_path / "secret"
    secret.mkdir()
    for name in ("entitlement.pem", "entitlement-key.pem", "unrelated.txt"):
        (secret / name).write_text(f"ENTITLED {name}\n")
    said = "cat /etc/pki/entitlement/*; echo they were seen"
    (place.context / "Containerfile").write_text(f"FROM quay.io/acme/os\nRUN {said}; exit 3\n")
    failed = place.run("--entitlement", str(secret), *storage)
    assert failed.code == 7
    assert "ENTITLED entitlement-key.pem" in failed.notes
    assert "unrelated.txt" not in failed.notes
    (place.context / "Containerfile").write_text(f"FROM quay.io/acme/os\nRUN {said} > /etc/said\nRUN rm /etc/said\n")
    ended = place.run("--entitlement", str(secret), "--push", *storage)
    assert ended.code == 0, ended.notes
    for layer in place.client.image(place.target()).layers:
        data = place.client.read_blob(place.target().repository, layer, limit_bytes=layer.size)
        assert b"ENTITLED" not in gzip.decompress(data)
