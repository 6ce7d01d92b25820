"""The frame of OpenPGP data: whatever comes, a message of one form or ContentError comes out, in little memory."""

import bz2
import contextlib
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import ContentError, InputError
from layering.releasesignatures import openpgp
from layering.releasesignatures.keyring import Keyring
from layering.releasesignatures.packets import (
    COMPRESSED,
    LITERAL,
    ONE_PASS_SIGNATURE,
    SIGNATURE,
    Packet,
    packets,
    signed_message,
)
from tests.signatures.gpg import Gpg, claim
from tests.signatures.releases import DIGEST

bodies = st.binary(max_size=300)
tags = st.integers(1, 63)


def partial(tag: int, body: bytes) -> bytes:
    """In parts of 512 octets and a last one (RFC 9580 section 4.2.1.4)."""
    parts, rest = [bytes([0xC0 | tag])], body
    while len(rest) > 512:
        parts += [b"\xe9", rest[:512]]
        rest = rest[512:]
    return b"".join(parts) + (bytes([len(rest)]) if len(rest) < 192 else b"\xff" + len(rest).to_bytes(4, "big")) + rest


def old(tag: int, body: bytes, length_type: int) -> bytes:
    length = b"" if length_type == 3 else len(body).to_bytes(1 << length_type, "big")
    return bytes([0x80 | tag << 2 | length_type]) + length + body


@given(st.lists(st.builds(lambda tag, body: Packet(tag=tag, body=body), tags, bodies), max_size=4))
def test_what_is_framed_is_read(written: list[Packet]) -> None:
    assert list(packets(b"".join(map(bytes, written)))) == written


@given(tags, st.binary(max_size=2000))
def test_in_parts(tag: int, body: bytes) -> None:
    assert list(packets(partial(tag, body))) == [Packet(tag=tag, body=body)]


@given(st.integers(1, 15), st.binary(max_size=255), st.integers(0, 3))
def test_in_the_older_form(tag: int, body: bytes, length_type: int) -> None:
    assert list(packets(old(tag, body, length_type))) == [Packet(tag=tag, body=body)]


@given(tags, st.binary(min_size=192, max_size=8383))
def test_with_a_length_of_two_octets(tag: int, body: bytes) -> None:
    length = len(body) - 192
    assert list(packets(bytes([0xC0 | tag, (length >> 8) + 192, length & 0xFF]) + body)) == [Packet(tag=tag, body=body)]


@given(st.binary(max_size=300))
def test_whatever_bytes(data: bytes) -> None:
    for read in (lambda: list(packets(data)), lambda: signed_message(data), lambda: Keyring.parse(data, "k")):
        with contextlib.suppress(ContentError, InputError):
            read()


@given(st.lists(st.sampled_from([SIGNATURE, ONE_PASS_SIGNATURE, COMPRESSED, LITERAL, 1, 10, 18]), max_size=5))
def test_one_text_and_one_signature(order: list[int]) -> None:
    framed = b"".join(bytes(Packet(tag=tag, body=b"\x02")) for tag in order)
    if order in ([ONE_PASS_SIGNATURE, LITERAL, SIGNATURE], [SIGNATURE, LITERAL]):
        assert signed_message(framed)[0] == framed
    else:
        with pytest.raises(ContentError):
            signed_message(framed)


BOMBS = {
    "ZIP": b"\x01" + zlib.compress(bytes(60 << 20), wbits=-15),
    "ZLIB": b"\x02" + zlib.compress(bytes(60 << 20)),
    "BZip2": b"\x03" + bz2.compress(bytes(1 << 30 >> 2)),
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS)
def test_bombs(body: bytes) -> None:
    bomb = bytes(Packet(tag=COMPRESSED, body=body))
    assert len(bomb) < 64 * 1024
    tracemalloc.start()
    with pytest.raises(ContentError, match="more than 131072"):
        signed_message(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


@given(st.data())
def test_a_real_signature_with_changed_bytes(gpg: Gpg, real: tuple[bytes, Keyring], data: st.DataObject) -> None:
    """Into the verifier itself: no key, no claim, no defect."""
    signature, keyring = real
    at = data.draw(st.integers(0, len(signature) - 1))
    junk = data.draw(st.binary(max_size=4))
    changed = signature[:at] + junk + signature[at + data.draw(st.integers(0, 4)) :]
    try:
        content = openpgp.verify(changed, keyring).content
    except ContentError:
        return
    assert content == claim(DIGEST)


@pytest.fixture(scope="session")
def real(gpg: Gpg) -> tuple[bytes, Keyring]:
    signature = gpg.sign(claim(DIGEST), "Alice", options=["--compress-algo", "none"])
    return signature, Keyring.parse(gpg.public("Alice"), "Alice")


@given(st.data())
def test_a_real_key_with_changed_bytes(gpg: Gpg, real: tuple[bytes, Keyring], data: st.DataObject) -> None:
    signature, keyring = real
    at = data.draw(st.integers(0, len(keyring.data) - 1))
    changed = keyring.data[:at] + data.draw(st.binary(max_size=4)) + keyring.data[at + 1 :]
    with contextlib.suppress(ContentError, InputError):
        openpgp.verify(signature, Keyring.parse(changed, "changed"))
