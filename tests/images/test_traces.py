"""What an image says of itself, and under which tag it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.buildkey import BuildKey
from layering.provenance import (
    BASE_DIGEST,
    BASE_NAME,
    BASE_VERSION,
    BUILD_KEY,
    REVISION,
    provenance_of,
    read_provenance,
)
from layering.reference import Digest, ImageReference, Repository
from layering.suggestion import did_you_mean
from layering.target import target_tag
from tests.images.conftest import Place

KEY = BuildKey("0123456789ab" + "c" * 52)
REPOSITORY = Repository.parse("registry.example.com/acme/worker-os")
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("4.19.2", "4.19.2-0123456789ab"),
        ("4.19.0-okd-scos.19", "4.19.0-okd-scos.19-0123456789ab"),
        ("1+2~3", "1_2_3-0123456789ab"),
        ("a/b:c@d", "a_b_c_d-0123456789ab"),
        ("..--x", "x-0123456789ab"),
        ("", "base-0123456789ab"),
        ("...", "base-0123456789ab"),
        ("x" * 300, f"{'x' * 100}-0123456789ab"),
        ("ü\n", "__-0123456789ab"),
    ],
)
def test_target_tag(version: str, tag: str) -> None:
    assert target_tag(REPOSITORY, version, KEY) == ImageReference(REPOSITORY, tag)


@given(st.text())
def test_whatever_the_version_is_the_tag_is_one(version: str) -> None:
    target = target_tag(REPOSITORY, version, KEY)
    assert ImageReference.parse(str(target)) == target
    assert target.tag is not None
    assert target.tag.endswith(KEY.short)


def test_provenance_says_what_is_readable() -> None:
    said = provenance_of(
        {BUILD_KEY: "k", BASE_NAME: "n", BASE_DIGEST: DIGEST, BASE_VERSION: "4.19.2", REVISION: "r", "other": "x"}
    )
    assert (said.key, said.base_name, said.base_version, said.revision) == ("k", "n", "4.19.2", "r")
    assert said.base_digest == Digest.parse(DIGEST)


@pytest.mark.parametrize("text", ["", "x", "sha256:", DIGEST.upper(), f"{DIGEST}\n"])
def test_a_digest_that_is_none_is_not_said(text: str) -> None:
    assert provenance_of({BASE_DIGEST: text}).base_digest is None


def test_an_image_that_is_gone_says_nothing(place: Place) -> None:
    assert read_provenance(place.client, place.repository().at(Digest.parse(DIGEST))) == provenance_of({})
    image = place.image(annotations={BUILD_KEY: "k"})
    assert read_provenance(place.client, image).key == "k"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rhel-coreas", "did you mean rhel-coreos or rhel-coreos-10?"),
        ("instaler", "did you mean installer?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_did_you_mean(name: str, hint: str) -> None:
    assert did_you_mean(name, ["cli", "rhel-coreos", "rhel-coreos-10", "installer"]) == hint
