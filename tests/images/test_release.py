"""Payloads as they are found, and as they should not be: what is read, and which of three errors it is otherwise."""

import gzip
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from layering.errors import ContentError, InputError
from layering.platform import Platform
from layering.reasons import Reason
from layering.reference import ImageReference
from layering.registry.manifest import OCI_LAYER, sha256
from layering.registry.server_http import Answer
from layering.release import RELEASE_LABEL, parse_image_references, read_release
from layering.sample.images import push_release, release_layer
from layering.sample.layers import SampleFile, SampleLayer, directory, sample_layer
from tests.images.conftest import AMD64, ARM64, Place

VERSION = "4.19.2"
OS = f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:{'a' * 64}"
OTHER_OS = f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:{'b' * 64}"
LABELS = {RELEASE_LABEL: VERSION}


def tag(name: Any = "rhel-coreos", image: Any = OS, kind: str = "DockerImage") -> dict[str, Any]:
    return {"name": name, "from": {"kind": kind, "name": image}, "generation": None, "annotations": {"x": ""}}


def references(*tags: Any, **over: Any) -> bytes:
    stream = {
        "kind": "ImageStream",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": VERSION},
        "spec": {"tags": list(tags)},
    }
    return json.dumps({**stream, **over}).encode()


def metadata(**over: Any) -> bytes:
    return json.dumps({"kind": "cincinnati-metadata-v0", "version": VERSION, "metadata": {}, **over}).encode()


def files(**over: bytes) -> dict[str, bytes]:
    return {"image-references": over.get("stream", references(tag())), "release-metadata": over.get("meta", metadata())}


def payload(place: Place, *layers: SampleLayer, labels: Mapping[str, str] = LABELS) -> ImageReference:
    return place.image(layers, labels)


GOOD = release_layer(files())
OTHER = sample_layer([directory("usr"), SampleFile(path="usr/f", content=b"f")])


def raw(*entries: tuple[str, bytes | None]) -> SampleLayer:
    return sample_layer([SampleFile(path=path, content=content) for path, content in entries])


READ = {
    "in the last layer": (OTHER, GOOD),
    "in the one before the last": (OTHER, GOOD, OTHER),
    "with ./ before the names": (
        raw(*((f"./release-manifests/{name}", content) for name, content in files().items())),
    ),
    "metadata first": (raw(*((f"release-manifests/{name}", data) for name, data in reversed(files().items()))),),
    "in two layers": tuple(raw((f"release-manifests/{name}", content)) for name, content in files().items()),
    "the newer one counts": (release_layer({**files(), "image-references": references()}), GOOD),
    "a whiteout below": (raw(("release-manifests/.wh.image-references", b"")), GOOD),
    "beside a whiteout of what is below": (
        GOOD,
        raw(
            ("release-manifests/.wh..wh..opq", b""),
            *((f"release-manifests/{name}", content) for name, content in files().items()),
        ),
    ),
}


@pytest.mark.parametrize("layers", READ.values(), ids=READ)
def test_reads(place: Place, layers: tuple[SampleLayer, ...]) -> None:
    release = read_release(place.client, payload(place, *layers))
    assert (release.version, str(release.image("rhel-coreos"))) == (VERSION, OS)


NO_PAYLOAD = {
    "nothing in it": (OTHER,),
    "no layers": (),
    "removed above": (GOOD, raw(("release-manifests/.wh.image-references", b""))),
    "removed above, with ./": (GOOD, raw(("./release-manifests/.wh.image-references", b""))),
    "the metadata removed above": (GOOD, raw(("release-manifests/.wh.release-metadata", b""))),
    "directory removed above": (GOOD, raw((".wh.release-manifests", b""))),
    "all removed above": (GOOD, raw((".wh..wh..opq", b""))),
    "hidden by an opaque directory": (GOOD, raw(("release-manifests/.wh..wh..opq", b""))),
    "hidden by a link": (GOOD, sample_layer([SampleFile(path="release-manifests", link="etc")])),
    "only the references": (raw(("release-manifests/image-references", references(tag()))),),
    "a name that only ends like it": (raw(("x/release-manifests/image-references", b""), ("release-metadata", b"")),),
}


@pytest.mark.parametrize("layers", NO_PAYLOAD.values(), ids=NO_PAYLOAD)
def test_what_is_no_payload_is_the_users_to_mend(place: Place, layers: tuple[SampleLayer, ...]) -> None:
    with pytest.raises(InputError, match="not a release payload"):
        read_release(place.client, payload(place, *layers))


def test_an_image_without_the_label_is_no_payload_and_its_layers_are_not_fetched(place: Place) -> None:
    image = place.image([GOOD], {"containers.bootc": "1"})
    place.server.requests.clear()
    with pytest.raises(InputError, match=RELEASE_LABEL):
        read_release(place.client, image)
    assert len([one for one in place.server.requests if "/blobs/" in one.path]) == 1


LINK = SampleFile(path="release-manifests/image-references", link="elsewhere")
BROKEN: dict[str, tuple[SampleLayer, ...]] = {
    "not pinned": (release_layer(files(stream=references(tag(image="quay.io/a/b:4.19")))),),
    "no image": (release_layer(files(stream=references(tag(image=None)))),),
    "an odd digest": (release_layer(files(stream=references(tag(image="quay.io/a/b@sha256:1")))),),
    "a tag twice": (release_layer(files(stream=references(tag(), tag()))),),
    "a tag without a name": (release_layer(files(stream=references(tag(name=None)))),),
    "a tag with a line break": (release_layer(files(stream=references(tag(name="a\nb")))),),
    "a tag that is text": (release_layer(files(stream=references("rhel-coreos"))),),
    "another kind": (release_layer(files(stream=references(tag(), kind="ImageStreamTag"))),),
    "another API": (release_layer(files(stream=references(tag(), apiVersion="v1"))),),
    "no tags": (release_layer(files(stream=references(spec=None))),),
    "metadata that is a list": (release_layer(files(stream=references(tag(), metadata=["x"]))),),
    "a name that is a list": (release_layer(files(stream=references(tag(), metadata={"name": ["x"]}))),),
    "another version in the metadata": (release_layer(files(meta=metadata(version="4.19.3"))),),
    "no version in the metadata": (release_layer(files(meta=metadata(version=None))),),
    "not JSON": (release_layer(files(stream=b"{")),),
    "a key twice": (release_layer(files(meta=b'{"version": "4.19.2", "version": "4.19.2"}')),),
    "the file twice": (
        raw(*[("release-manifests/image-references", references(tag()))] * 2, ("release-manifests/x", b"")),
    ),
    "the file twice, after both were read": (
        raw(
            *((f"release-manifests/{name}", content) for name, content in files().items()),
            ("release-manifests/0000_50_operator.yaml", b""),
            ("release-manifests/image-references", references(tag(image=OTHER_OS))),
        ),
    ),
    "the file twice, once with ./": (
        raw(
            *((f"release-manifests/{name}", content) for name, content in files().items()),
            ("./release-manifests/image-references", references(tag(image=OTHER_OS))),
        ),
    ),
    "the metadata twice, once with /": (
        raw(
            *((f"release-manifests/{name}", content) for name, content in files().items()),
            ("/release-manifests//release-metadata", metadata()),
        ),
    ),
    "a directory of that name": (
        raw(*((f"release-manifests/{name}", content) for name, content in files().items())),
        sample_layer([directory("release-manifests"), directory("release-manifests/image-references")]),
    ),
    "a tag twice, once of another kind": (
        release_layer(files(stream=references(tag(), tag(image="other:latest", kind="ImageStreamTag")))),
    ),
    "a key twice in a tag": (
        release_layer(files(stream=references(tag()).replace(b'"name": "rhel', b'"name": "x", "name": "rhel'))),
    ),
    "a link of that name": (sample_layer([LINK, SampleFile(path="release-manifests/release-metadata", content=b"")]),),
    "not gzip": (SampleLayer(data=b"x" * 600, diff_id=sha256(b"x")),),
    "not a tar": (SampleLayer(data=gzip.compress(b"x" * 2000), diff_id=sha256(b"x")),),
}


@pytest.mark.parametrize("layers", BROKEN.values(), ids=BROKEN)
def test_broken_content_is_not_what_it_claims(place: Place, layers: tuple[SampleLayer, ...]) -> None:
    with pytest.raises(ContentError):
        read_release(place.client, payload(place, *layers))


@pytest.mark.parametrize(
    ("label", "inside"),
    [("4.19.3", VERSION), ("", ""), ("4.19.2\n", "4.19.2\n"), ("../x", "../x"), ("v" * 200, "v" * 200)],
)
def test_the_version_is_one_and_the_same_everywhere(place: Place, label: str, inside: str) -> None:
    layer = release_layer(files(stream=references(tag(), metadata={"name": inside}), meta=metadata(version=inside)))
    with pytest.raises(ContentError, match="version"):
        read_release(place.client, payload(place, layer, labels={RELEASE_LABEL: label}))


def test_tags_of_other_kinds_name_no_image(place: Place) -> None:
    stream = json.loads(references(tag(), tag("other", "other:latest", "ImageStreamTag")))
    assert list(parse_image_references(stream, "x")) == ["rhel-coreos"]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("rhel-coreas", "rhel-coreos"),
        ("rhel-coreos-9", "rhel-coreos"),
        ("zzz", "rhel-coreos, rhel-coreos-10"),
        ("", ""),
    ],
)
def test_a_tag_that_is_not_there_is_answered_with_those_that_are(place: Place, asked: str, hint: str) -> None:
    tags = [tag("rhel-coreos"), tag("rhel-coreos-10"), tag("rhel-coreos-extensions"), tag("cli")]
    release = read_release(place.client, payload(place, release_layer(files(stream=references(*tags)))))
    with pytest.raises(InputError, match="no tag") as caught:
        release.image(asked)
    assert caught.value.reason is Reason.BASE_NOT_FOUND
    assert hint in caught.value.next_step


@pytest.mark.parametrize("platforms", [(AMD64, ARM64), (ARM64, Platform("linux", "s390x")), (ARM64,)])
def test_any_entry_of_a_multi_payload_will_do(place: Place, platforms: tuple[Platform, ...]) -> None:
    image = ImageReference.parse_pinned(OS)
    pushed = push_release(
        place.client, place.repository(), "multi", version=VERSION, images={"rhel-coreos": image}, platforms=platforms
    )
    release = read_release(place.client, pushed)
    assert (release.reference, str(release.image("rhel-coreos"))) == (pushed, OS)
    assert release.architecture == ("multi" if len(platforms) > 1 else None)


def test_a_layer_that_is_not_compressed_is_read(place: Place) -> None:
    plain = SampleLayer(data=gzip.decompress(GOOD.data), diff_id=GOOD.diff_id)
    assert read_release(place.client, place.image([plain], LABELS, layer_type=OCI_LAYER)).version == VERSION


def test_what_inflating_does_not_see_belongs_to_the_digest_all_the_same(place: Place) -> None:
    image = payload(place, GOOD)
    another_time = GOOD.data[:4] + b"!" + GOOD.data[5:]  # RFC 1952, MTIME
    place.server.intercept = lambda asked: (
        Answer(status=200, body=another_time) if str(sha256(GOOD.data)) in asked.target else None
    )
    try:
        with pytest.raises(ContentError, match="not its digest"):
            read_release(place.client, image)
    finally:
        place.server.intercept = None


def test_a_layer_that_is_too_large_to_be_a_releases_is_not_passed_over(place: Place) -> None:
    """It may take away what is below it. Nothing of it is fetched."""
    large = SampleLayer(data=random.Random(1).randbytes((32 << 20) + 1), diff_id=GOOD.diff_id)
    image = payload(place, GOOD, large)
    place.server.requests.clear()
    with pytest.raises(ContentError, match="larger than 33554432"):
        read_release(place.client, image)
    assert str(sha256(large.data)) not in "".join(one.path for one in place.server.requests)
    assert read_release(place.client, payload(place, large, GOOD)).version == VERSION


BOMBS: dict[str, Callable[[], bytes]] = {
    "a file larger than 16 MiB": lambda: release_layer({**files(), "image-references": b" " * (17 << 20)}).data,
    "zeros without end": lambda: _endless(),
}


def _endless() -> bytes:
    """A member of 8 GB that is not wanted, of which 200 MB follow."""
    header = gzip.decompress(sample_layer([SampleFile(path="x", content=b"")]).data)[:512]
    fields = bytearray(header)
    fields[124:136] = b"77777777777\0"
    fields[148:156] = b" " * 8
    fields[148:156] = f"{sum(fields):06o}\0 ".encode()
    return gzip.compress(bytes(fields) + bytes(200 << 20), compresslevel=1)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_bounded(place: Place, bomb: Callable[[], bytes]) -> None:
    with pytest.raises(ContentError, match=r"larger than|more than"):
        read_release(place.client, payload(place, SampleLayer(data=bomb(), diff_id=GOOD.diff_id)))
