"""Each rule of check-image, with images it lets pass and images it stops."""

import gzip
from collections.abc import Mapping, Sequence

import pytest

from layering.errors import ContentError, InputError
from layering.findings import Severity, passed
from layering.imagecheck import check_image
from layering.provenance import BASE_DIGEST
from layering.reference import ImageReference
from layering.registry.manifest import OCI_LAYER
from layering.sample.layers import SampleFile, SampleLayer, directory, sample_layer
from tests.images.conftest import AMD64, ARM64, Place

LABELS = {"containers.bootc": "1", "ostree.bootable": "true", "io.openshift.os.streamclass": "rhel-9"}


def layer(*paths: str) -> SampleLayer:
    return sample_layer([SampleFile(path=path, content=path.encode()) for path in paths])


BASE = [layer("usr/bin/a"), layer("usr/bin/b")]
OURS = layer("etc/motd")


def rules(place: Place, image: ImageReference, base: ImageReference | None = None) -> list[tuple[str, Severity]]:
    found = check_image(place.client, image, base or place.image(BASE, LABELS), [AMD64])
    return [(finding.rule, finding.severity) for finding in found]


def test_a_good_image_passes_without_a_word(place: Place) -> None:
    assert rules(place, place.image([*BASE, OURS], LABELS)) == []
    assert rules(place, place.image(BASE, LABELS)) == []  # only labels or environment were changed


def recompressed(one: SampleLayer) -> SampleLayer:
    return SampleLayer(data=gzip.compress(gzip.decompress(one.data), compresslevel=1, mtime=1), diff_id=one.diff_id)


def test_layers_are_compared_by_diff_id_not_by_blob(place: Place) -> None:
    assert rules(place, place.image([*map(recompressed, BASE), OURS], LABELS)) == []


FOREIGN: dict[str, Sequence[SampleLayer]] = {
    "from another base": [layer("x"), layer("y"), OURS],
    "from the base before": [BASE[0], layer("usr/bin/b2"), OURS],
    "squashed": [layer("usr/bin/a", "usr/bin/b", "etc/motd")],
    "a layer short": [BASE[0]],
    "a layer before the base": [OURS, *BASE],
    "in other order": [BASE[1], BASE[0], OURS],
    "no layers": [],
}


@pytest.mark.parametrize("layers", FOREIGN.values(), ids=FOREIGN)
def test_from_base(place: Place, layers: Sequence[SampleLayer]) -> None:
    assert ("from-base", Severity.ERROR) in rules(place, place.image(layers, LABELS))


def test_the_end_of_the_ostree_content_is_still_there(place: Place) -> None:
    good = {**LABELS, "ostree.final-diffid": str(BASE[1].diff_id)}
    lost = {**LABELS, "ostree.final-diffid": f"sha256:{'d' * 64}"}
    assert rules(place, place.image([*BASE, OURS], good)) == []
    assert rules(place, place.image([*BASE, OURS], lost)) == [("from-base", Severity.ERROR)]


@pytest.mark.parametrize(
    ("over", "found"),
    [
        ({}, []),
        ({"containers.bootc": "true", "ostree.bootable": ""}, []),
        ({"containers.bootc": "", "ostree.bootable": "true"}, []),
        ({"containers.bootc": "0", "ostree.bootable": ""}, [("os-image", Severity.ERROR)]),
        ({"io.openshift.release": "4.19.2"}, [("release-payload", Severity.ERROR)]),
        ({"io.openshift.os.extensions": "True"}, [("extensions-image", Severity.ERROR)]),
        ({"io.openshift.os.streamclass": "rhel-10"}, [("stream", Severity.WARNING)]),
    ],
    ids=str,
)
def test_labels(place: Place, over: Mapping[str, str], found: list[tuple[str, Severity]]) -> None:
    assert rules(place, place.image([*BASE, OURS], {**LABELS, **over})) == found


REPO = "etc/yum.repos.d/redhat.repo"
LEFT: dict[str, Sequence[SampleLayer]] = {
    "left": [layer(REPO)],
    "left below another layer": [layer(REPO), OURS],
    "removed and written again": [layer(REPO), layer("etc/yum.repos.d/.wh.redhat.repo"), layer(REPO)],
    "written beside an opaque mark, the mark last": [layer(REPO, "etc/yum.repos.d/.wh..wh..opq")],
    "written beside an opaque mark, the mark first": [layer("etc/yum.repos.d/.wh..wh..opq", REPO)],
    "a link": [sample_layer([SampleFile(path=f"./{REPO}", link="x")])],
}
GONE: dict[str, Sequence[SampleLayer]] = {
    "never there": [OURS],
    "another repository": [layer("etc/yum.repos.d/epel.repo", "etc/yum.repos.d/redhat.repo.d/x")],
    "removed": [layer(REPO), layer("etc/yum.repos.d/.wh.redhat.repo")],
    "directory removed": [layer(REPO), layer("etc/.wh.yum.repos.d")],
    "directory replaced": [layer(REPO), layer("etc/yum.repos.d/.wh..wh..opq", "etc/yum.repos.d/x.repo")],
    "removed at once": [layer("etc/yum.repos.d/.wh.redhat.repo")],
}


@pytest.mark.parametrize("layers", LEFT.values(), ids=LEFT)
def test_redhat_repo_is_left_over(place: Place, layers: Sequence[SampleLayer]) -> None:
    assert rules(place, place.image([*BASE, *layers], LABELS)) == [("redhat-repo", Severity.ERROR)]


@pytest.mark.parametrize("layers", GONE.values(), ids=GONE)
def test_redhat_repo_is_not_there(place: Place, layers: Sequence[SampleLayer]) -> None:
    assert rules(place, place.image([*BASE, *layers], LABELS)) == []


def test_what_the_base_itself_brings_is_not_the_builds_fault(place: Place) -> None:
    base = [*BASE, layer(REPO)]
    assert rules(place, place.image([*base, OURS], LABELS), place.image(base, LABELS)) == []


def test_layers_that_are_not_compressed(place: Place) -> None:
    plain = [SampleLayer(data=gzip.decompress(one.data), diff_id=one.diff_id) for one in [*BASE, layer(REPO)]]
    assert rules(place, place.image(plain, LABELS, layer_type=OCI_LAYER)) == [("redhat-repo", Severity.ERROR)]


def test_a_layer_of_a_kind_that_is_not_read(place: Place) -> None:
    image = place.image([*BASE, OURS], LABELS, layer_type="application/vnd.oci.image.layer.v1.tar+zstd")
    with pytest.raises(ContentError, match="zstd"):
        rules(place, image)


def test_an_image_that_is_not_pinned(place: Place) -> None:
    place.server.requests.clear()
    assert rules(place, place.repository().tagged("t"), place.repository().tagged("u")) == [("pinned", Severity.ERROR)]
    assert place.server.requests == []


def test_platforms(place: Place) -> None:
    base = place.index([(place.image(BASE, LABELS), AMD64), (place.image(BASE, LABELS, platform=ARM64), ARM64)])
    single, arm = place.image([*BASE, OURS], LABELS), place.image([*BASE, OURS], LABELS, platform=ARM64)
    both = place.index([(single, AMD64), (arm, ARM64)])
    lying = place.index([(single, AMD64), (single, ARM64)])
    asked = [AMD64, ARM64]
    assert check_image(place.client, both, base, asked) == ()
    for image in (single, lying, place.index([(single, AMD64)])):
        found = check_image(place.client, image, base, asked)
        assert [finding.rule for finding in found] == ["platforms"]
        assert not passed(found)
    with pytest.raises(InputError, match="linux/arm64"):
        check_image(place.client, both, place.index([(place.image(BASE, LABELS), AMD64)]), asked)


def test_what_it_says_of_its_base_is_compared(place: Place) -> None:
    amd64 = place.image(BASE, LABELS)
    base = place.index([(amd64, AMD64)])
    for said, found in [
        (str(base.pinned), []),
        (str(amd64.pinned), []),  # buildah names the manifest of the platform
        (f"sha256:{'c' * 64}", [("base-annotation", Severity.WARNING)]),
        ("nonsense", []),
    ]:
        image = place.image([*BASE, OURS], LABELS, annotations={BASE_DIGEST: said})
        assert rules(place, image, base) == found
    assert passed(check_image(place.client, image, base, [AMD64]))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_configuration_that_tells_of_other_layers_than_the_manifest(place: Place, count: int) -> None:
    rootfs = {"type": "layers", "diff_ids": [str(BASE[0].diff_id)] * count}
    with pytest.raises(ContentError, match=f"tells of {count} layers"):
        rules(place, place.image(BASE, LABELS, config={"rootfs": rootfs}))


def test_directories_are_no_leftover(place: Place) -> None:
    assert rules(place, place.image([*BASE, sample_layer([directory("etc/yum.repos.d")])], LABELS)) == []
