"""cosign itself and we: each verifies what the other signed, and adds to it.

Against a registry of our own, which lists referrers, and against Debian's docker-registry, which does not.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.sample.images import push_os_image
from layering.secrets import Secret
from layering.signing.attachment import attachments, tag_beside
from layering.signing.bundle import find_bundles
from layering.signing.keyfile import read_key
from layering.signing.payload import SIMPLE_SIGNING
from layering.signing.signer import Signer
from layering.signing.signingkey import SigningKey
from layering.signing.statement import SIGNED
from layering.signing.verification import Standing, standing
from tests.docker_registry import docker_registry
from tests.images.conftest import AMD64, ARM64, Place
from tests.parts import require
from tests.signing.keys import KINDS, write_key

# What it does without a word: the log is not asked, and nothing is sent to it.
VERIFY = ("verify", "--insecure-ignore-tlog")
SIGN = ("sign", "--yes", "--use-signing-config=false", "--tlog-upload=false")
IN_TAGS, IN_BUNDLES = "--new-bundle-format=false", "--new-bundle-format=true"


@dataclass(frozen=True, kw_only=True)
class Cosign:
    """The program, with a home of its own."""

    home: Path
    environment: dict[str, str]

    def __call__(self, *words: object) -> subprocess.CompletedProcess[str]:
        argv = [require("cosign"), *map(str, words)]
        environment = {**os.environ, "HOME": str(self.home), "COSIGN_PASSWORD": "", **self.environment}
        return subprocess.run(argv, cwd=self.home, env=environment, capture_output=True, text=True, timeout=120)

    def sealed(self, key: Path) -> Path:
        """The same key in cosign's own form, in which alone it signs."""
        self._done("import-key-pair", "--key", key, "--output-key-prefix", f"{key.with_suffix('')}-sealed")
        return key.with_name(f"{key.stem}-sealed.key")

    def sign(self, image: ImageReference, key: Path, form: str) -> None:
        self._done(*SIGN, "--key", key, form, image)

    def verifies(self, image: ImageReference, key: Path, *words: str) -> bool:
        """Whether the public key beside `key` verifies; if not, it must be for want of a signature by it."""
        ended = self(*VERIFY, "--key", key.with_suffix(".pub"), *words, image)
        assert ended.returncode == 0 or "signature" in ended.stderr, ended.stderr
        return ended.returncode == 0

    def _done(self, *words: object) -> None:
        ended = self(*words)
        assert ended.returncode == 0, ended.stderr


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    return Cosign(home=tmp_path, environment={})


def sign(registry: RegistryClient, image: ImageReference, key: SigningKey, *, attest: bool = False) -> None:
    Signer(registry=registry, key=key, attest=attest, sleep=lambda seconds: None).sign(image)


@pytest.mark.parametrize("kind", KINDS)
def test_cosign_verifies_ours_of_every_kind(
    place: Place, index: ImageReference, tmp_path: Path, cosign: Cosign, kind: str
) -> None:
    key, other = write_key(tmp_path, kind), write_key(tmp_path, kind, "other")
    sign(place.client, index, read_key(key, None))
    child = index.repository.at(place.client.image(index, ARM64).digest)
    for image in (index, child):
        for form in (IN_TAGS, IN_BUNDLES):
            assert cosign.verifies(image, key, form)
            assert not cosign.verifies(image, other, form)


@pytest.mark.parametrize("form", [IN_TAGS, IN_BUNDLES])
def test_cosign_reads_provenance(
    place: Place, index: ImageReference, tmp_path: Path, cosign: Cosign, form: str
) -> None:
    key, other = write_key(tmp_path, "EC P-256"), write_key(tmp_path, "EC P-256", "other")
    sign(place.client, index, read_key(key, None), attest=True)
    words = ("verify-attestation", "--insecure-ignore-tlog", "--type", "slsaprovenance1", form)
    ended = cosign(*words, "--key", key.with_suffix(".pub"), index)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[0])["payloadType"] == "application/vnd.in-toto+json"
    assert cosign(*words, "--key", other.with_suffix(".pub"), index).returncode != 0
    wrong_type = [*words[:3], "spdx", *words[4:]]
    assert cosign(*wrong_type, "--key", key.with_suffix(".pub"), index).returncode != 0


@pytest.mark.parametrize(("form", "found"), [(IN_TAGS, Standing.AT_TAG), (IN_BUNDLES, Standing.IN_BUNDLE)])
@pytest.mark.parametrize("kind", ["EC P-256", "RSA"])
def test_we_verify_cosigns(
    place: Place, image: ImageReference, tmp_path: Path, cosign: Cosign, kind: str, form: str, found: Standing
) -> None:
    path, other = write_key(tmp_path, kind), write_key(tmp_path, kind, "other")
    key = read_key(path, None).public
    assert standing(place.client, image, key) == ()
    cosign.sign(image, cosign.sealed(path), form)
    assert standing(place.client, image, key) is found
    assert not isinstance(standing(place.client, image, read_key(other, None).public), Standing)


def test_what_cosign_signed_with_the_same_key_is_not_signed_again(
    place: Place, image: ImageReference, tmp_path: Path, cosign: Cosign
) -> None:
    path = write_key(tmp_path, "EC P-256")
    sealed = cosign.sealed(path)
    for form in (IN_TAGS, IN_BUNDLES):
        cosign.sign(image, sealed, form)
    place.server.requests.clear()
    sign(place.client, image, read_key(sealed, Secret("")))
    assert {one.method for one in place.server.requests} <= {"GET", "HEAD"}


@pytest.mark.parametrize("first", ["cosign", "we"])
@pytest.mark.parametrize("form", [IN_TAGS, IN_BUNDLES])
def test_each_adds_to_what_the_other_signed(
    place: Place, image: ImageReference, tmp_path: Path, cosign: Cosign, first: str, form: str
) -> None:
    ours, theirs = write_key(tmp_path, "EC P-256", "ours"), write_key(tmp_path, "EC P-256", "theirs")
    sealed = cosign.sealed(theirs)
    if first == "cosign":
        cosign.sign(image, sealed, form)
    sign(place.client, image, read_key(ours, None))
    if first == "we":
        cosign.sign(image, sealed, form)
    for key in (ours, theirs):
        assert cosign.verifies(image, key, form)
        assert isinstance(standing(place.client, image, read_key(key, None).public), Standing)
    at_tag = list(attachments(place.client, tag_beside(image, "sig"), SIMPLE_SIGNING))
    bundles = list(find_bundles(place.client, image, SIGNED) or ())
    assert (len(at_tag), len(bundles)) == ((2, 1) if form == IN_TAGS else (1, 2))


def test_in_a_registry_that_does_not_list_referrers(tmp_path: Path) -> None:
    key, home = write_key(tmp_path, "EC P-256"), tmp_path / "docker-registry"
    home.mkdir()
    with docker_registry(home) as (address, settings), RegistryClient(settings) as client:
        assert settings.auth_file is not None
        (tmp_path / "config.json").write_bytes(settings.auth_file.read_bytes())
        cosign = Cosign(
            home=tmp_path, environment={"DOCKER_CONFIG": str(tmp_path), "SSL_CERT_FILE": str(settings.ca_file)}
        )
        repository = Repository(address, "acme/os")
        image = push_os_image(client, repository, "t", version="1", seed="1", platforms=(AMD64, ARM64))
        assert not cosign.verifies(image, key)
        sign(client, image, read_key(key, None))
        assert cosign.verifies(image, key)
        assert cosign.verifies(repository.at(client.image(image, ARM64).digest), key)
        assert find_bundles(client, image, SIGNED) is None
        assert sum(tag.endswith(".sig") for tag in client.tags(repository)) == 3
        assert len(client.tags(repository)) == 4  # and the image's own
