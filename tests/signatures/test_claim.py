"""The document that a signature is of: its exact form, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import ContentError
from layering.releasesignatures.claim import parse_claim
from tests.signatures.gpg import IDENTITY, claim

DIGEST = f"sha256:{'a' * 64}"
NAME = f"{IDENTITY}:4.19.2-x86_64"
GOOD = json.loads(claim(DIGEST))


def changed(path: str, value: Any) -> bytes:
    """The good document with one value put, or, for `...`, taken out, at a path with slashes."""
    document = json.loads(claim(DIGEST))
    *way, last = path.split("/")
    at = document
    for key in way:
        at = at[key]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return json.dumps(document).encode()


READ = {
    "as containers' tools write it": claim(DIGEST),
    "without optional, which Red Hat's own reader takes": changed("optional", ...),
    "with nothing in optional": changed("optional", {}),
    "a sha512": changed("critical/image/docker-manifest-digest", f"sha512:{'a' * 128}"),
    "with blanks": json.dumps(GOOD, indent=4).encode(),
}


@pytest.mark.parametrize("raw", READ.values(), ids=READ)
def test_reads(raw: bytes) -> None:
    assert str(parse_claim(raw, "store").reference) == NAME


REFUSED = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b"\xff\xfe" + claim(DIGEST),
    "two documents": claim(DIGEST) * 2,
    "a list": b"[]",
    "deep": b'{"critical":' * 40 + b"1" + b"}" * 40,
    "very deep": b"[" * 60_000,
    "another key": changed("more", 1),
    "another key in critical": changed("critical/more", 1),
    "another key in image": changed("critical/image/more", 1),
    "another key in identity": changed("critical/identity/more", 1),
    "another key in optional": changed("optional/more", 1),
    "a key in other letters": claim(DIGEST).replace(b'"critical"', b'"Critical"'),
    "a key twice": claim(DIGEST).replace(b'"critical"', b'"critical": {}, "critical"', 1),
    "the digest twice": claim(DIGEST).replace(
        b'"docker-manifest-digest"', b'"docker-manifest-digest":"x","docker-manifest-digest"'
    ),
    "no critical": changed("critical", ...),
    "no type": changed("critical/type", ...),
    "no image": changed("critical/image", ...),
    "no identity": changed("critical/identity", ...),
    "no digest": changed("critical/image/docker-manifest-digest", ...),
    "no name": changed("critical/identity/docker-reference", ...),
    "another type": changed("critical/type", "cosign container image signature"),
    "the type in capitals": changed("critical/type", "Atomic Container Signature"),
    "a type that is none": changed("critical/type", None),
    "critical that is text": changed("critical", "x"),
    "image that is a list": changed("critical/image", [DIGEST]),
    "identity that is null": changed("critical/identity", None),
    "a digest that is none": changed("critical/image/docker-manifest-digest", "sha256:1"),
    "a digest in capitals": changed("critical/image/docker-manifest-digest", DIGEST.upper()),
    "a digest that is a number": changed("critical/image/docker-manifest-digest", 1),
    "a name that is empty": changed("critical/identity/docker-reference", ""),
    "a name that is none": changed("critical/identity/docker-reference", "quay.io/A/b:1"),
    "a name that is a list": changed("critical/identity/docker-reference", [NAME]),
    "optional that is null": changed("optional", None),
    "optional that is a list": changed("optional", []),
    "a creator that is a number": changed("optional/creator", 1),
    "a time that is text": changed("optional/timestamp", "1"),
    "a time that is a fraction": changed("optional/timestamp", 1.5),
    "a time that is true": changed("optional/timestamp", True),
    "NaN": claim(DIGEST).replace(b'"timestamp": 1', b'"timestamp": NaN'),
    "half of a surrogate pair": claim(DIGEST).replace(b"Acme", b"\\ud800"),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_refuses(raw: bytes) -> None:
    with pytest.raises(ContentError):
        parse_claim(raw, "store")


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([DIGEST, NAME]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["critical", "optional", "image", "identity", "type"]), inner, max_size=3)
    ),
    max_leaves=8,
)
PLACES = st.sampled_from(
    [
        *("critical", "critical/type", "critical/image", "critical/identity", "critical/x", "x"),
        *("optional", "optional/timestamp"),
        *("critical/image/docker-manifest-digest", "critical/identity/docker-reference"),
    ]
)


def read(raw: bytes) -> bool:
    try:
        parse_claim(raw, "store")
    except ContentError:
        return False
    return True


@given(st.binary(max_size=200))
def test_whatever_was_signed(raw: bytes) -> None:
    assert not read(raw)


@given(PLACES, JUNK)
def test_whatever_stands_somewhere_in_it(place: str, value: Any) -> None:
    if read(changed(place, value)):
        assert place not in ("critical/x", "x", "critical", "critical/image", "critical/identity")


@given(st.binary(min_size=1, max_size=3), st.integers(0, len(claim(DIGEST)) - 1))
def test_whatever_bytes_are_put_into_it(junk: bytes, at: int) -> None:
    raw = claim(DIGEST)
    read(raw[:at] + junk + raw[at:])
    read(raw[:at] + junk + raw[at + len(junk) :])
    assert not read(raw[:at])
