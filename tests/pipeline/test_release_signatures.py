"""`layerwatch-step resolve-base` and signatures: flags, exit codes, and the output `verification`."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from layering.registry.server_http import Answer
from layering.releasesignatures.rules import PRODUCT
from tests.pipeline.conftest import Ended, Release, Step
from tests.signatures.gpg import Gpg, claim
from tests.signatures.releases import OLDER, name, store

NAME = name(machine="multi")
SKIPPED = {"policy": "ignore", "state": "skipped", "key": None, "reference": None, "store": None, "time": None}

Resolve = Callable[..., Ended]


@pytest.fixture
def resolve(release: Release, step: Step) -> Resolve:
    """Of the release whose payload is for two platforms."""

    def run(*words: object, payload: object = release.payload) -> Ended:
        return step("resolve-base", "--release", payload, "--tag", "rhel-coreos", *release.flags, *words)

    return run


@pytest.fixture
def keys(gpg: Gpg, tmp_path: Path) -> dict[str, Path]:
    """Files of public keys, by whose they are."""
    made = {user: tmp_path / f"{user}.key" for user in ("Alice", "Bob", "Old")}
    for user, file in made.items():
        file.write_bytes(gpg.public(user, armored=user == "Bob"))
    return made


def signed(gpg: Gpg, release: Release, *users: str, named: str = NAME, digest: object = None) -> list[bytes]:
    at = {"Old": "20200202T000000"}
    content = claim(digest or release.payload.pinned, named)
    return [gpg.sign(content, user, at=at.get(user, "")) for user in users]


def test_verified(gpg: Gpg, release: Release, resolve: Resolve, keys: dict[str, Path], tmp_path: Path) -> None:
    store(tmp_path, signed(gpg, release, "Alice"), digest=release.payload.pinned)
    ended = resolve("--release-key", keys["Alice"], "--signature-store", tmp_path)
    assert ended.code == 0
    found = ended.outputs["verification"]
    assert found.pop("time").startswith("20")
    assert found == {
        "policy": "require",
        "state": "verified",
        "key": gpg.fingerprint("Alice"),
        "reference": NAME,
        "store": str(tmp_path),
    }
    assert f"signed as {NAME}" in ended.notes


def test_verified_from_the_web(gpg: Gpg, release: Release, resolve: Resolve, keys: dict[str, Path]) -> None:
    (signature,) = signed(gpg, release, "Bob")
    path = f"/store/sha256={release.payload.pinned.hex}/signature-1"
    release.server.intercept = lambda asked: (
        Answer(status=200, body=signature) if asked.target == path
        else Answer(status=404) if asked.target.startswith("/store") else None
    )  # fmt: skip
    try:
        ended = resolve("--release-key", keys["Bob"], "--signature-store", f"{release.server.url}/store")
    finally:
        release.server.intercept = None
    assert (ended.code, ended.outputs["verification"]["state"]) == (0, "verified")
    assert ended.outputs["verification"]["store"] == f"{release.server.url}/store"


REFUSED: dict[str, tuple[Callable[[Gpg, Release], list[bytes]], Sequence[str], str]] = {
    "unsigned": (lambda gpg, release: [], ["Alice"], "no signature"),
    "forged": (lambda gpg, release: signed(gpg, release, "Bob"), ["Alice"], "not signed by a key of"),
    "expired": (lambda gpg, release: signed(gpg, release, "Old"), ["Old"], "valid now"),
    "an older release's": (
        lambda gpg, release: signed(gpg, release, "Alice", named=name("4.16.1", "multi"), digest=OLDER),
        ["Alice"], "another image",
    ),
    "signed as an older release": (
        lambda gpg, release: signed(gpg, release, "Alice", named=name("4.16.1", "multi")), ["Alice"], "4.16.1-multi",
    ),
    "one of two keyrings": (lambda gpg, release: signed(gpg, release, "Alice"), ["Alice", "Bob"], "Bob.key"),
}  # fmt: skip


@pytest.mark.parametrize(("signatures", "users", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(
    gpg: Gpg,
    release: Release,
    resolve: Resolve,
    keys: dict[str, Path],
    tmp_path: Path,
    signatures: Any,
    users: Sequence[str],
    said: str,
) -> None:
    store(tmp_path, signatures(gpg, release), digest=release.payload.pinned)
    flags = [word for user in users for word in ("--release-key", keys[user])]
    ended = resolve(*flags, "--signature-store", tmp_path)
    assert (ended.code, ended.out) == (5, "")
    assert said in ended.notes
    assert "reason: ReleaseUnverified" in ended.notes
    warned = resolve(*flags, "--signature-store", tmp_path, "--release-signatures", "warn")
    assert (warned.code, said in warned.notes) == (0, True)
    assert warned.outputs["verification"] == {**SKIPPED, "policy": "warn", "state": "unverified"}
    ignored = resolve(*flags, "--signature-store", tmp_path, "--release-signatures", "ignore")
    assert (ignored.code, ignored.outputs["verification"]) == (0, SKIPPED)


def test_two_keyrings_both_satisfied(
    gpg: Gpg, release: Release, resolve: Resolve, keys: dict[str, Path], tmp_path: Path
) -> None:
    store(tmp_path, signed(gpg, release, "Alice", "Bob"), digest=release.payload.pinned)
    flags = ["--release-key", keys["Alice"], "--release-key", keys["Bob"], "--signature-store", tmp_path]
    ended = resolve(*flags)
    assert ended.code == 0
    assert ended.outputs["verification"]["key"] == f"{gpg.fingerprint('Alice')},{gpg.fingerprint('Bob')}"


def test_a_release_of_another_name_needs_no_signature(resolve: Resolve) -> None:
    ended = resolve()
    assert (ended.code, ended.outputs["verification"]) == (0, SKIPPED)


@pytest.fixture
def mirrored(release: Release, step: Step, tmp_path: Path) -> Resolve:
    """The same payload by the product's own name, which a mirror serves."""
    conf = tmp_path / "registries.conf"
    conf.write_text(
        f'[[registry]]\nprefix = "{PRODUCT}"\nlocation = "{PRODUCT}"\n'
        f'[[registry.mirror]]\nlocation = "{release.payload.repository}"\ninsecure = true\n'
    )
    (tmp_path / "store").mkdir()

    def run(*words: object) -> Ended:
        payload = PRODUCT.at(release.payload.pinned)
        flags = ["--registries-conf", conf, "--signature-store", tmp_path / "store", *release.flags]
        return step("resolve-base", "--release", payload, "--tag", "rhel-coreos", *flags, *words)

    return run


def test_the_products_own_name_needs_its_signature_also_from_a_mirror(
    gpg: Gpg, release: Release, mirrored: Resolve, keys: dict[str, Path], tmp_path: Path
) -> None:
    assert mirrored().code == 5
    store(tmp_path / "store", signed(gpg, release, "Alice"), digest=release.payload.pinned)
    ended = mirrored()
    assert (ended.code, "not signed by a key of Red Hat's release key (built in)" in ended.notes) == (5, True)
    ended = mirrored("--release-key", keys["Alice"])
    assert (ended.code, ended.outputs["verification"]["state"]) == (0, "verified")
    assert mirrored("--release-signatures", "ignore").code == 0


def test_an_image_that_is_followed_by_its_name_is_no_release(release: Release, step: Step) -> None:
    ended = step("resolve-base", "--image", release.coreos, *release.flags)
    assert (ended.code, ended.outputs["verification"]) == (0, SKIPPED)


def test_an_older_release_under_a_newer_tag(
    gpg: Gpg, release: Release, resolve: Resolve, keys: dict[str, Path], tmp_path: Path
) -> None:
    store(tmp_path, signed(gpg, release, "Alice"), digest=release.payload.pinned)
    newer = release.payload.repository.tagged("4.19.3-multi")
    found = release.client.manifest(release.payload)
    release.client.push_manifest(newer, found.raw, found.media_type)
    ended = resolve("--release-key", keys["Alice"], "--signature-store", tmp_path, payload=newer)
    assert (ended.code, "asked for as 4.19.3-multi, and it is 4.19.2-multi" in ended.notes) == (5, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--release-signatures require", "no key"),
        ("--release-signatures maybe", "none of require, warn, ignore"),
        ("--release-key {key}", "no store"),
        ("--release-key {directory}/none", "cannot be read"),
        ("--release-key {directory}", "cannot be read"),
        ("--release-key {signature} --signature-store {directory}", "no public key"),
        ("--release-key {key} --signature-store {directory}/none", "not a directory"),
        ("--release-key {key} --signature-store ftp://example.com/x", "not an http or https address"),
    ],
)
def test_flags_that_cannot_be_used(
    gpg: Gpg, resolve: Resolve, keys: dict[str, Path], tmp_path: Path, words: str, said: str
) -> None:
    signature = tmp_path / "signature"
    signature.write_bytes(gpg.sign(b"x", "Alice"))
    ended = resolve(*words.format(key=keys["Alice"], directory=tmp_path, signature=signature).split())
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.notes


@pytest.mark.parametrize("flag", ["--release-key", "--signature-store", "--release-signatures"])
def test_flags_without_a_release(release: Release, step: Step, flag: str) -> None:
    ended = step("resolve-base", "--image", release.coreos, flag, "ignore", *release.flags)
    assert (ended.code, "go with --release" in ended.notes) == (2, True)


def test_flags_with_empty_values_are_none(resolve: Resolve) -> None:
    ended = resolve("--release-key", "", "--signature-store", "", "--release-signatures", "")
    assert (ended.code, ended.outputs["verification"]) == (0, SKIPPED)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(status=503, headers={"Retry-After": "3600"}), 4),
        (Answer(status=403), 3),
        (Answer(status=302, headers={"Location": "http://169.254.169.254/x"}), 3),
        (Answer(status=200, body=bytes(70 * 1024)), 5),
        (Answer(status=200, body=b"nonsense"), 5),
        (Answer(status=404), 5),
    ],
    ids=["503", "403", "a redirect to link-local", "70 KiB", "nonsense", "404"],
)
def test_a_store_that_fails(
    release: Release, resolve: Resolve, keys: dict[str, Path], answer: Answer, code: int
) -> None:
    release.server.intercept = lambda asked: answer if asked.target.startswith("/store") else None
    try:
        ended = resolve("--release-key", keys["Alice"], "--signature-store", f"{release.server.url}/store")
    finally:
        release.server.intercept = None
    assert (ended.code, ended.out) == (code, "")


def test_a_store_that_is_silent_leaves_time_for_the_base(
    release: Release, resolve: Resolve, keys: dict[str, Path]
) -> None:
    is_over = threading.Event()
    release.server.intercept = lambda asked: (
        Answer(status=404) if asked.target.startswith("/store") and is_over.wait(60) else None
    )
    flags = ["--release-key", keys["Alice"], "--signature-store", f"{release.server.url}/store"]
    try:
        assert resolve(*flags, "--registry-timeout", "4s").code == 4
        warned = resolve(*flags, "--registry-timeout", "4s", "--release-signatures", "warn")
    finally:
        release.server.intercept = None
        is_over.set()
    assert (warned.code, warned.outputs["verification"]["state"]) == (0, "unverified")
