"""`layerwatch-step sign-image`, and `check-image --signed-by`: flags, outputs, exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

from layering.reference import ImageReference
from layering.registry.server_http import Answer, Asked
from layering.sample.images import push_os_image
from tests.images.conftest import Place
from tests.parts import require
from tests.pipeline.conftest import AMD64, ARM64, Release, Step
from tests.signing.conftest import BUILT
from tests.signing.keys import write_key

SECRET = "pl4nted-secret"


@pytest.fixture
def image(release: Release, request: pytest.FixtureRequest) -> ImageReference:
    """A new index for two platforms."""
    repository = release.repository("acme/os")
    return push_os_image(release.client, repository, "t", version="1", seed=request.node.name, platforms=(AMD64, ARM64))


def test_an_index_is_signed_and_then_checked(
    release: Release, step: Step, image: ImageReference, tmp_path: Path
) -> None:
    key, other = write_key(tmp_path, "EC P-256"), write_key(tmp_path, "EC P-256", "other")
    check = ["check-image", "--image", image, "--base", image, "--platform", "linux/amd64,linux/arm64", *release.flags]
    before = step(*check, "--signed-by", key.with_suffix(".pub"))
    assert (before.code, {finding["rule"] for finding in before.outputs["findings"]}) == (7, {"signature"})

    ended = step("sign-image", "--image", image, "--key", key, "--results-dir", tmp_path, *release.flags)
    assert ended.code == 0
    assert ended.outputs["signature"] == f"{image.repository}:sha256-{image.pinned.hex}.sig"
    assert ended.outputs["attestation"] is None
    assert len(ended.outputs["signed"]) == 3
    assert ended.outputs["signed"][-1] == str(image)
    assert (tmp_path / "signature").read_text() == ended.outputs["signature"]
    assert f"{image}: signed by key {ended.outputs['key'][:12]}" in ended.notes

    assert step(*check, "--signed-by", key.with_suffix(".pub")).outputs == {"passed": True, "findings": []}
    after = step(*check, "--signed-by", other.with_suffix(".pub"))
    assert (after.code, len(after.outputs["findings"])) == (7, 3)
    assert "by another key" in after.notes


def test_provenance_is_asked_for_by_a_variable_and_told_in_files(
    release: Release, step: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Tekton Task does both."""
    image = Place(server=release.server, client=release.client).image(annotations=BUILT)
    words = ["sign-image", "--image", image, "--key", write_key(tmp_path, "EC P-256"), "--flags-from=SIGN_"]
    for said, tag in (("false", "null"), ("true", f"{image.repository}:sha256-{image.pinned.hex}.att")):
        monkeypatch.setenv("SIGN_ATTEST", said)
        ended = step(*words, f"--result=attestation={tmp_path}/attestation", *release.flags)
        assert ended.code == 0
        assert (tmp_path / "attestation").read_text() == tag
    assert release.client.find(ImageReference.parse(tag)) is not None


def test_the_key_it_names_is_the_one_that_openssl_hashes(
    release: Release, step: Step, image: ImageReference, tmp_path: Path
) -> None:
    key = write_key(tmp_path, "RSA")
    ended = step("sign-image", "--image", image, "--key", key, *release.flags)
    der = subprocess.run(
        [
            require("openssl"),
            "pkey",
            "-pubin",
            "-in",
            key.with_suffix(".pub"),
            "-outform",
            "DER",
            "-out",
            tmp_path / "d",
        ]
    )
    said = subprocess.run([require("openssl"), "dgst", "-sha256", "-r", tmp_path / "d"], capture_output=True, text=True)
    assert der.returncode == 0
    assert ended.outputs["key"] == said.stdout.split()[0]


def test_what_is_not_pinned_is_no_image_to_check_signatures_of(release: Release, step: Step, tmp_path: Path) -> None:
    key, art = write_key(tmp_path, "EC P-256").with_suffix(".pub"), release.coreos.repository
    words = ["--image", f"{art}:nine", "--base", release.coreos, "--signed-by", key]
    ended = step("check-image", *words, *release.flags)
    assert (ended.code, [finding["rule"] for finding in ended.outputs["findings"]]) == (7, ["pinned"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param("--image {art}:nine --key {key}", 2, "is not pinned", id="a tag"),
        pytest.param("--image {coreos} --key {gone}", 2, "cannot be read", id="no key there"),
        pytest.param("--image {coreos} --key {key}.pub", 2, "no private key", id="a public key"),
        pytest.param("--image {coreos} --key exec:", 2, "no program", id="no program's name"),
        pytest.param("--image {coreos} --key exec:no-such-program", 2, "no-such-program", id="no program there"),
        pytest.param("--image {coreos} --key exec:{rubbish}", 5, "no public key", id="a program that prints rubbish"),
        pytest.param("--image {coreos} --key exec:{failing}", 3, "ended with 3", id="a program that fails"),
        pytest.param("--image {coreos} --key {key} --attest", 2, "do not say", id="nothing to attest"),
        pytest.param("--image {art}@{zero} --key {key}", 3, "no such thing", id="no image there"),
        pytest.param("--image {art}@sha512:{long} --key {key}", 2, "longer than", id="sha512"),
    ],
)
def test_what_goes_wrong(release: Release, step: Step, tmp_path: Path, words: str, code: int, said: str) -> None:
    key = write_key(tmp_path, "EC P-256")
    key.with_suffix(".pub").rename(f"{key}.pub")
    for name, text in (("rubbish", f"print('{SECRET}')"), ("failing", f"import sys; print('{SECRET}'); sys.exit(3)")):
        (tmp_path / name).write_text(f"#!{sys.executable}\n{text}\n")
        (tmp_path / name).chmod(0o755)
    names = {
        "art": release.coreos.repository, "coreos": release.coreos, "key": key, "gone": tmp_path / "gone",
        "zero": f"sha256:{'0' * 64}", "long": "0" * 128,
        "rubbish": tmp_path / "rubbish", "failing": tmp_path / "failing",
    }  # fmt: skip
    release.server.requests.clear()
    ended = step("sign-image", *words.format(**names).split(), *release.flags)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.notes
    assert SECRET not in ended.notes
    assert {one.method for one in release.server.requests} <= {"GET", "HEAD"}


@pytest.mark.parametrize(("file", "said"), [("gone", "cannot be read"), ("key.pem", "no public key")])
def test_a_public_key_that_is_none(release: Release, step: Step, tmp_path: Path, file: str, said: str) -> None:
    write_key(tmp_path, "EC P-256")
    words = ["--image", release.coreos, "--base", release.coreos, "--signed-by", tmp_path / file]
    ended = step("check-image", *words, *release.flags)
    assert ended.code == 2
    assert said in ended.notes


def test_a_mounted_secret_that_cosign_made(
    release: Release, step: Step, image: ImageReference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names are those that `cosign generate-key-pair k8s://NAMESPACE/NAME` gives the keys of the Secret."""
    monkeypatch.setenv("COSIGN_PASSWORD", SECRET)
    subprocess.run([require("cosign"), "generate-key-pair"], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.delenv("COSIGN_PASSWORD")
    words = ["sign-image", "--image", image, "--key", tmp_path, *release.flags]
    assert step(*words).code == 2
    (tmp_path / "cosign.password").write_text(SECRET)
    assert step(*words).code == 0
    (tmp_path / "cosign.key").unlink()
    assert step(*words).code == 2


@pytest.mark.parametrize(
    ("password", "code", "said"),
    [(SECRET, 0, "signed by"), ("other", 2, "does not open"), (None, 2, "set COSIGN_PASSWORD")],
    ids=["right", "wrong", "none"],
)
def test_cosigns_key_and_its_password(
    release: Release,
    step: Step,
    image: ImageReference,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    password: str | None,
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", SECRET)
    subprocess.run([require("cosign"), "generate-key-pair"], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.delenv("COSIGN_PASSWORD") if password is None else monkeypatch.setenv("COSIGN_PASSWORD", password)
    ended = step("sign-image", "--image", image, "--key", tmp_path / "cosign.key", *release.flags)
    assert ended.code == code
    assert said in ended.notes
    assert SECRET not in ended.notes


def test_a_registry_that_may_not_be_written_to(
    release: Release, step: Step, image: ImageReference, tmp_path: Path
) -> None:
    def refuse(asked: Asked) -> Answer | None:
        return None if asked.method in ("GET", "HEAD") else Answer(status=403)

    release.server.intercept = refuse
    try:
        ended = step("sign-image", "--image", image, "--key", write_key(tmp_path, "EC P-256"), *release.flags)
    finally:
        release.server.intercept = None
    assert (ended.code, ended.out) == (3, "")


WITHOUT = """
import sys
sys.modules.update({"cryptography": None, "nacl": None})
from pipeline.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param("sign-image --image {image} --key {key}", 2, "pip install '.[sign]'", id="to sign"),
        pytest.param(
            "check-image --image {image} --base {image} --signed-by {key}",
            2,
            "pip install '.[sign]'",
            id="to check signatures",
        ),
        pytest.param("check-image --image x:y --base {image}", 7, "pinned", id="to check all else"),
        pytest.param("sign-image --help", 0, "", id="to ask for help"),
    ],
)
def test_what_needs_the_extra_says_so_and_nothing_else_does(words: str, code: int, said: str) -> None:
    named = words.format(image=f"registry.example.com/os@sha256:{'0' * 64}", key=__file__).split()
    ended = subprocess.run([sys.executable, "-c", WITHOUT, *named], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
