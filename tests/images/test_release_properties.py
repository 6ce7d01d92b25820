"""Whatever stands in a payload's image-references: images by digest come out, or a typed error, and nothing else."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import ContentError
from layering.reference import ImageReference
from layering.release import parse_image_references

PINNED = f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:{'a' * 64}"
NAMES = st.sampled_from(["rhel-coreos", "rhel-coreos-10", "rhel-coreos-extensions", "ironic-machine-os-downloader"])

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(PINNED),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "from", "kind", "tags", "spec"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def tag(name: str, image: str = PINNED, kind: str = "DockerImage") -> dict[str, Any]:
    return {"name": name, "annotations": None, "from": {"kind": kind, "name": image}, "generation": None}


def stream(tags: Any, **other: Any) -> dict[str, Any]:
    return {"kind": "ImageStream", "apiVersion": "image.openshift.io/v1", "spec": {"tags": tags}, **other}


def images(document: Mapping[str, Any]) -> Mapping[str, ImageReference] | None:
    """What is read; None when it is refused as broken content."""
    try:
        return parse_image_references(document, "payload")
    except ContentError:
        return None


@given(JUNK, st.sampled_from(["kind", "apiVersion", "spec"]))
def test_whatever_stands_in_the_document(value: Any, key: str) -> None:
    for image in (images({**stream([tag("rhel-coreos")]), key: value}) or {}).values():
        assert image.digest is not None


@given(st.lists(JUNK | NAMES.map(tag), max_size=4))
def test_whatever_stands_among_the_tags(tags: list[Any]) -> None:
    for name, image in (images(stream(tags)) or {}).items():
        assert (name, str(image)) in [(entry["name"], entry["from"]["name"]) for entry in tags]


@given(JUNK, st.sampled_from(["name", "from"]))
def test_whatever_stands_in_a_tag(value: Any, key: str) -> None:
    for image in (images(stream([{**tag("rhel-coreos"), key: value}])) or {}).values():
        assert str(image) == PINNED


@given(JUNK)
def test_whatever_stands_as_the_image(value: Any) -> None:
    found = images(stream([{**tag("rhel-coreos"), "from": {"kind": "DockerImage", "name": value}}]))
    assert (found is not None) == (value == PINNED)


@given(st.lists(NAMES, max_size=5))
def test_every_tag_is_read_once_or_the_payload_is_refused(names: list[str]) -> None:
    doubled = len(set(names)) != len(names)
    found = images(stream([tag(name) for name in names]))
    assert found is None if doubled else found == dict.fromkeys(names, ImageReference.parse(PINNED))


@pytest.mark.parametrize(
    "image",
    ["quay.io/a/b:4.19", "quay.io/a/b", "", f"quay.io/a/b@sha256:{'a' * 63}", f"quay.io/A@sha256:{'a' * 64}"],
    ids=["a tag", "neither", "nothing", "a digest cut short", "upper case"],
)
def test_one_image_without_a_digest_and_none_of_them_is_trusted(image: str) -> None:
    with pytest.raises(ContentError, match="tag rhel-coreos of the payload"):
        parse_image_references(stream([tag("cli"), tag("rhel-coreos", image)]), "payload")
