"""Whose signature counts: as pysequoia, gpgv and containers/image have it, over what GnuPG makes or somebody forges."""

import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pysequoia
import pytest

from layering.errors import ContentError, InputError
from layering.registry.manifest import sha256
from layering.releasesignatures import openpgp
from layering.releasesignatures.keyring import Keyring, built_in
from layering.releasesignatures.packets import COMPRESSED, LITERAL, Packet, packets
from tests.parts.oracle_client import Oracle, Refused
from tests.signatures.gpg import IDENTITY, Gpg, claim

MANIFEST = '{"schemaVersion": 2}'
NAME = f"{IDENTITY}:4.19.2-x86_64"
CLAIM = claim(sha256(MANIFEST.encode()))


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A signature and the keyring that it is held against."""

    data: bytes
    keyring: bytes


def by(
    signer: str, *, keys: tuple[str, ...] = (), armored: bool = False, **options: object
) -> Callable[[Gpg], Signature]:
    def made(gpg: Gpg) -> Signature:
        signed = gpg.sign(CLAIM, signer, **options)  # type: ignore[arg-type]
        return Signature(data=signed, keyring=gpg.public(*(keys or (signer,)), armored=armored))

    return made


def changed(change: Callable[[bytes], bytes], compress: str = "none") -> Callable[[Gpg], Signature]:
    def made(gpg: Gpg) -> Signature:
        signed = gpg.sign(CLAIM, "Alice", options=["--compress-algo", compress])
        return Signature(data=change(signed), keyring=gpg.public("Alice"))

    return made


def with_a_revoked_key(gpg: Gpg) -> Signature:
    gpg.make("Revoked")
    signed = gpg.sign(CLAIM, "Revoked")
    gpg.revoke("Revoked")
    return Signature(data=signed, keyring=gpg.public("Revoked"))


def bare(gpg: Gpg) -> Signature:
    literal = Packet(tag=LITERAL, body=b"b\x00\x00\x00\x00\x00" + CLAIM)
    return Signature(data=bytes(literal), keyring=gpg.public("Alice"))


def another_text(signed: bytes) -> bytes:
    """The signature of one claim under another claim of the same length."""
    assert b"4.19.2" in signed
    return signed.replace(b"4.19.2", b"4.19.3")


COUNTS = {
    "RSA": by("Alice"),
    "Ed25519": by("Bob"),
    "a subkey's": by("Sub"),
    "an armored keyring": by("Alice", armored=True),
    "a keyring of several, the first": by("Alice", keys=("Alice", "Bob")),
    "a keyring of several, the last": by("Bob", keys=("Alice", "Bob")),
    "a keyring with an expired key, too": by("Bob", keys=("Old", "Bob")),
    "ZIP": by("Alice", options=["--compress-algo", "zip"]),
    "ZLIB": by("Alice", options=["--compress-algo", "zlib"]),
    "BZip2": by("Alice", options=["--compress-algo", "bzip2"]),
    "not compressed": by("Alice", options=["--compress-algo", "none"]),
    "made long ago": by("Lasting", at="20200202T000000"),
}
COUNTS_NOT = {
    "by another key": by("Bob", keys=("Alice",)),
    "by a key that is expired now, when it was not": by("Old", at="20200202T000000"),
    "by a revoked key": with_a_revoked_key,
    "expired": by("Lasting", at="20200202T000000", options=["--default-sig-expire", "1d"]),
    "a flipped bit in what is signed": changed(another_text),
    "a flipped bit in the signature": changed(lambda signed: signed[:-1] + bytes([signed[-1] ^ 1])),
    "cut off": changed(lambda signed: signed[:-20]),
    "only the text": bare,
    "only JSON": lambda gpg: Signature(data=CLAIM, keyring=gpg.public("Alice")),
    "nothing": lambda gpg: Signature(data=b"", keyring=gpg.public("Alice")),
    "detached": by("Alice", options=["--detach-sign"]),
    "a public key": lambda gpg: Signature(data=gpg.public("Alice"), keyring=gpg.public("Alice")),
}  # fmt: skip
# containers/image takes these, and we do not.
OURS_ONLY = {
    "with SHA-1": by("Alice", options=["--digest-algo", "SHA1"]),
    "by two": lambda gpg: Signature(data=gpg.sign(CLAIM, "Alice", "Bob"), keyring=gpg.public("Alice", "Bob")),
    "something after it": changed(lambda signed: signed + bytes(Packet(tag=LITERAL, body=b"b\0\0\0\0\0{}"))),
    "compressed twice": changed(
        lambda signed: bytes(Packet(tag=COMPRESSED, body=b"\x02" + zlib.compress(signed))), compress="zip"
    ),
}


@pytest.fixture(scope="session")
def made(gpg: Gpg) -> Mapping[str, Signature]:
    return {name: make(gpg) for name, make in {**COUNTS, **COUNTS_NOT, **OURS_ONLY}.items()}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(gpg: Gpg, made: Mapping[str, Signature], verifier: str, name: str) -> None:
    signed = openpgp.verify(made[name].data, Keyring.parse(made[name].keyring, "keys"))
    assert signed.content == CLAIM
    assert signed.fingerprint in {gpg.fingerprint(user) for user in ("Alice", "Bob", "Sub", "Lasting")}
    when = datetime(2020, 2, 2, tzinfo=UTC) if name == "made long ago" else datetime.now(UTC)
    assert signed.created is not None
    assert abs(signed.created - when) < timedelta(hours=1)


@pytest.mark.parametrize("name", [*COUNTS_NOT, *OURS_ONLY])
def test_counts_not(made: Mapping[str, Signature], verifier: str, name: str) -> None:
    with pytest.raises(ContentError) as caught:
        openpgp.verify(made[name].data, Keyring.parse(made[name].keyring, "keys"))
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("name", [*COUNTS, *COUNTS_NOT])
def test_containers_image_agrees(oracle: Oracle, made: Mapping[str, Signature], name: str) -> None:
    try:
        found = oracle.signature(NAME, MANIFEST, made[name].data, made[name].keyring)
    except Refused:
        found = ""
    assert found == (NAME if name in COUNTS else "")


@pytest.mark.parametrize("name", OURS_ONLY)
def test_containers_image_takes_more(oracle: Oracle, made: Mapping[str, Signature], name: str) -> None:
    assert oracle.signature(NAME, MANIFEST, made[name].data, made[name].keyring) == NAME


def test_with_nothing_to_verify_with(gpg: Gpg, made: Mapping[str, Signature], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysequoia", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="gpgv is not on this machine") as caught:
        openpgp.verify(made["RSA"].data, Keyring.parse(made["RSA"].keyring, "keys"))
    assert ".[verify]" in caught.value.next_step


def test_a_signature_that_inflates_without_end(gpg: Gpg, verifier: str) -> None:
    bomb = bytes(Packet(tag=COMPRESSED, body=b"\x02" + zlib.compress(bytes(60 << 20))))
    assert len(bomb) < 64 * 1024
    with pytest.raises(ContentError, match="inflates to more"):
        openpgp.verify(bomb, Keyring.parse(gpg.public("Alice"), "keys"))


NO_KEYRING: Mapping[str, Callable[[Gpg], bytes]] = {
    "nothing": lambda gpg: b"",
    "text": lambda gpg: b"a key, honestly",
    "a secret key": lambda gpg: gpg.secret("Alice"),
    "a signature": lambda gpg: gpg.sign(b"x", "Alice", options=["--compress-algo", "none"]),
    "a cut off key": lambda gpg: gpg.public("Alice")[:-9],
    "an armored message": lambda gpg: gpg.sign(b"x", "Alice", options=["--armor"]),
    "armor that is no base64": lambda gpg: gpg.public("Alice", armored=True).replace(b"\nm", b"\n*", 1),
    "armor without an end": lambda gpg: gpg.public("Alice", armored=True)[:-20],
}


@pytest.mark.parametrize("make", NO_KEYRING.values(), ids=NO_KEYRING)
def test_no_keyring(gpg: Gpg, make: Callable[[Gpg], bytes]) -> None:
    with pytest.raises(InputError) as caught:
        Keyring.parse(make(gpg), "the.key")
    assert caught.value.where == "the.key"


def test_several_armored_blocks_are_one_keyring(gpg: Gpg, made: Mapping[str, Signature], verifier: str) -> None:
    blocks = b"Our keys:\n" + gpg.public("Alice", armored=True) + b"\n" + gpg.public("Bob", armored=True)
    for name in ("RSA", "Ed25519"):
        assert openpgp.verify(made[name].data, Keyring.parse(blocks, "keys")).content == CLAIM


def test_the_key_that_is_built_in() -> None:
    (certificate,) = pysequoia.Cert.split_bytes(built_in().data)
    assert certificate.fingerprint.upper() == "567E347AD0044ADE55BA8A5F199E2F91FD431D51"
    assert [str(user) for user in certificate.user_ids] == ["Red Hat, Inc. (release key 2) <security@redhat.com>"]
    assert [packet.tag for packet in packets(built_in().data)] == [6, 13, 2]
