"""Keys: which files are read, what is said of the others, and that no word about them shows what is in them."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from layering.errors import InputError
from layering.secrets import Secret
from layering.signing.keyfile import read_key
from layering.signing.publickey import PublicKey
from layering.signing.signingkey import signed
from tests.parts import require
from tests.signing.keys import KINDS, OTHER_KINDS, new_key, write_key

PASSWORD = Secret("pl4nted-secret")


@pytest.mark.parametrize("kind", KINDS)
def test_signs_what_its_public_half_verifies(tmp_path: Path, kind: str) -> None:
    path = write_key(tmp_path, kind)
    key, public = read_key(path, None), PublicKey.parse(path.with_suffix(".pub").read_bytes(), "k")
    signature = signed(key, b"message")
    assert key.public.fingerprint == public.fingerprint
    assert public.verifies(signature, b"message")
    assert not public.verifies(signature, b"messagE")
    assert not public.verifies(signature[:-1] + bytes([signature[-1] ^ 1]), b"message")
    assert not public.verifies(b"", b"message")
    assert not new_key(tmp_path, "other", kind).public.verifies(signature, b"message")


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_verifies_it(tmp_path: Path, kind: str) -> None:
    """Somebody else's reading of "SHA-256", so that ours is not its own judge."""
    path = write_key(tmp_path, kind)
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(read_key(path, None).sign(b"message"))
    digest = ["-rawin"] if kind == "Ed25519" else ["-rawin", "-digest", "sha256"]
    said = subprocess.run(
        [require("openssl"), "pkeyutl", "-verify", "-pubin", "-inkey", path.with_suffix(".pub"), *digest,
         "-in", tmp_path / "message", "-sigfile", tmp_path / "signature"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Verified Successfully" in said.stdout, said.stderr


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_kinds_that_are_refused(tmp_path: Path, kind: str) -> None:
    path = write_key(tmp_path, kind)
    with pytest.raises(InputError, match="a kind that images are not signed with"):
        read_key(path, None)
    with pytest.raises(InputError, match="a kind that images are not signed with"):
        PublicKey.parse(path.with_suffix(".pub").read_bytes(), "k")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", bytes(range(256))]
)
def test_what_is_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(InputError, match="no private key is in it"):
        read_key(tmp_path / "key", None)
    with pytest.raises(InputError, match="no public key"):
        PublicKey.parse(content, "k")


def test_a_public_key_is_no_private_one_and_the_other_way_round(tmp_path: Path) -> None:
    path = write_key(tmp_path, "EC P-256")
    with pytest.raises(InputError, match="no private key"):
        read_key(path.with_suffix(".pub"), None)
    with pytest.raises(InputError, match="no public key"):
        PublicKey.parse(path.read_bytes(), "k")


def test_a_passphrase_in_openssls_form_is_not_asked_for(tmp_path: Path) -> None:
    locked = KINDS["EC P-256"]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (tmp_path / "key").write_bytes(locked)
    with pytest.raises(InputError, match="a passphrase"):
        read_key(tmp_path / "key", PASSWORD)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_key(tmp_path / "gone", None)


def test_nothing_shows_the_private_key(tmp_path: Path) -> None:
    assert repr(new_key(tmp_path)).startswith("FileKey(public=PublicKey(")
    assert "private" not in repr(new_key(tmp_path)).lower()
