"""What differs between two images, and when nothing but dates does."""

import gzip
from collections.abc import Mapping
from typing import Any

import pytest

from layering.comparison import compare
from layering.comparison_text import as_markdown
from layering.errors import InputError, NotFoundError
from layering.platform import Platform
from layering.provenance import BASE_DIGEST, BUILD_KEY, REVISION
from layering.reference import Digest, ImageReference
from layering.registry.manifest import OCI_MANIFEST
from layering.sample.layers import SampleFile, SampleLayer, sample_layer
from tests.images.conftest import AMD64, ARM64, Place

LABELS = {"version": "9.6.1-0", "kept": "k"}


def layer(content: str) -> SampleLayer:
    return sample_layer([SampleFile(path="f", content=content.encode())])


A, B, C = layer("a"), layer("b"), layer("c" * 5000)
DATED = {"created": "2025-01-01T00:00:00Z", "history": [{"created": "2025-01-01T00:00:00Z", "created_by": "x"}]}
LATER = {"created": "2026-02-02T00:00:00Z", "history": [{"created": "2026-02-02T00:00:00Z"}, {"empty_layer": True}]}


def same(place: Place, old: ImageReference, new: ImageReference) -> bool:
    return compare(place.client, old, new).same_content


def test_only_dates_and_history_differ(place: Place) -> None:
    assert same(place, place.image([A, B], LABELS, config=DATED), place.image([A, B], LABELS, config=LATER))


@pytest.mark.parametrize("name", [BASE_DIGEST, BUILD_KEY, REVISION, "io.buildah.version"])
def test_how_it_came_to_be_is_no_content(place: Place, name: str) -> None:
    assert same(place, place.image([A], {name: "1"}), place.image([A], {name: "2"}))


def test_compressed_anew_is_the_same_content_and_must_still_be_fetched(place: Place) -> None:
    anew = SampleLayer(data=gzip.compress(gzip.decompress(C.data), compresslevel=1, mtime=9), diff_id=C.diff_id)
    found = compare(place.client, place.image([A, C], LABELS), place.image([A, anew], LABELS))
    assert found.same_content
    assert found.layers[0].fetch_bytes == len(anew.data)


DIFFERENT: dict[str, Mapping[str, Any]] = {
    "a layer": {"layers": [A, C]},
    "a layer more": {"layers": [A, B, C]},
    "the order": {"layers": [B, A]},
    "a label": {"labels": {**LABELS, "kept": "other"}},
    "a label less": {"labels": {}},
    "the environment": {"config": {"config": {"Labels": LABELS, "Env": ["A=b"]}}},
    "the user": {"config": {"config": {"Labels": LABELS, "User": "1"}}},
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_other_content(place: Place, other: Mapping[str, Any]) -> None:
    old = place.image([A, B], LABELS)
    assert not same(place, old, place.image(**{"layers": [A, B], "labels": LABELS, **other}))


def test_labels_layers_and_bytes(place: Place) -> None:
    old = place.image([A, B], {"version": "1", "gone": "g", "same": "s", "changed": "x"})
    new = place.image([A, C], {"version": "2", "come": "c", "same": "s", "changed": "y"})
    found = compare(place.client, old, new)
    assert (found.old, found.new, found.versions) == (old, new, ("1", "2"))
    assert found.labels.added == {"come": "c"}
    assert found.labels.removed == {"gone": "g"}
    assert found.labels.changed == {"version": ("1", "2"), "changed": ("x", "y")}
    (change,) = found.layers
    assert (change.platform, change.shared, change.added, change.removed) == (AMD64, 1, 1, 1)
    assert change.fetch_bytes == len(C.data)


def test_an_image_with_itself(place: Place) -> None:
    image = place.image([A, B], LABELS)
    found = compare(place.client, image, image)
    assert found.same_content
    assert (found.layers[0].shared, found.layers[0].fetch_bytes) == (2, 0)


def test_a_layer_that_stands_twice_is_fetched_once(place: Place) -> None:
    assert compare(place.client, place.image([A]), place.image([C, A, C])).layers[0].fetch_bytes == len(C.data)


def test_index_by_index_on_what_they_have_in_common(place: Place) -> None:
    def index(layer: SampleLayer, *platforms: Platform) -> ImageReference:
        return place.index([(place.image([A, layer], LABELS, platform=one), one) for one in platforms])

    found = compare(place.client, index(B, AMD64, ARM64), index(C, AMD64, ARM64))
    assert [change.platform for change in found.layers] == [AMD64, ARM64]
    assert same(place, index(B, AMD64, ARM64), index(B, ARM64, AMD64))
    assert not same(place, index(B, AMD64, ARM64), index(B, AMD64))  # a platform less is less content
    single = place.image([A, B], LABELS)
    assert same(place, single, index(B, AMD64))


@pytest.mark.parametrize("named", [Platform("linux", "arm64", "v8"), Platform("linux", "amd64", "v1")])
def test_a_variant_that_goes_without_saying_is_no_difference(place: Place, named: Platform) -> None:
    plain = Platform(named.os, named.architecture)
    image = place.image([A, B], LABELS, platform=plain)
    buildahs = place.index([(image, named)])
    for old, new in ((image, buildahs), (buildahs, image), (place.index([(image, plain)]), buildahs)):
        found = compare(place.client, old, new)
        assert ([change.platform for change in found.layers], found.same_content) == ([plain], True)


def test_another_variant_is_another_platform(place: Place) -> None:
    v6, v7 = (place.index([(place.image([A]), Platform("linux", "arm", variant))]) for variant in ("v6", "v7"))
    with pytest.raises(InputError, match="linux/arm/v6 and linux/arm/v7"):
        compare(place.client, v6, v7)


def test_a_tag_is_looked_up_once_and_told_by_its_digest(place: Place) -> None:
    tag = place.repository().tagged("moving")
    image = place.image([A, B], LABELS)
    place.client.push_manifest(tag, place.client.manifest(image).raw, OCI_MANIFEST)
    place.server.requests.clear()
    assert compare(place.client, tag, image).old == image
    assert len([request for request in place.server.requests if request.path.endswith("/moving")]) == 1


def test_nothing_in_common(place: Place) -> None:
    with pytest.raises(InputError, match="linux/amd64 and linux/arm64"):
        compare(place.client, place.image([A]), place.image([A], platform=ARM64))
    with pytest.raises(InputError, match="none"):
        compare(place.client, place.image([A]), place.index([]))


def test_one_that_is_not_there(place: Place) -> None:
    with pytest.raises(NotFoundError):
        compare(place.client, place.image([A]), place.repository().at(Digest("sha256", "0" * 64)))


def test_as_markdown(place: Place) -> None:
    old, new = place.image([A, B], {**LABELS, "evil": "a|b"}), place.image([A, C], {"version": "`x`", "evil": "@all"})
    text = as_markdown(compare(place.client, old, new))
    assert "`9.6.1-0` → `` `x` ``" in text
    assert "| `linux/amd64` | 1 " in text
    assert "| `evil`" in text
    assert "a|b" not in text
    assert "`@all`" in text
    assert "Same content" not in text
    assert as_markdown(compare(place.client, old, old)).startswith("Same content")


def test_many_labels_are_cut(place: Place) -> None:
    many = {f"label-{number:02}": "x" for number in range(30)}
    assert "and 10 more" in as_markdown(compare(place.client, place.image([A]), place.image([A], many)))
