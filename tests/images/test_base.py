"""Which base is it: matched by the release's tag or the followed name, complete for the platforms, and truly a base."""

from collections.abc import Mapping

import pytest

from layering.base import FollowedImage, ReleaseTag, resolve_base
from layering.errors import ContentError, InputError, NotFoundError
from layering.platform import Platform
from layering.reasons import Reason
from layering.reference import Digest, ImageReference
from layering.release import RELEASE_LABEL
from layering.sample.images import push_os_image, push_release
from tests.images.conftest import AMD64, ARM64, Place

S390X = Platform("linux", "s390x")


def os_image(place: Place, tag: str, *platforms: Platform, version: str = "9.6.1-0") -> ImageReference:
    return push_os_image(
        place.client, place.repository(), tag, version=version, seed=tag, platforms=platforms or (AMD64,)
    )


def test_the_release_decides_and_nothing_newer_is_looked_for(place: Place) -> None:
    old, new = os_image(place, "old", version="9.6.1-0"), os_image(place, "new", version="9.6.9-0")
    images = {"rhel-coreos": old, "rhel-coreos-10": new}
    release = push_release(place.client, place.repository("ocp/release"), "4.19.1", version="4.19.1", images=images)
    place.server.requests.clear()
    base = resolve_base(place.client, ReleaseTag(release, "rhel-coreos"), [AMD64])
    assert (base.reference, base.version, base.release) == (old, "9.6.1-0", "4.19.1")
    assert base.name == str(old.repository)
    assert not [one.path for one in place.server.requests if str(new.pinned) in one.path or "tags/list" in one.path]


def test_a_followed_tag_is_what_it_holds_now(place: Place) -> None:
    reference = place.repository().tagged("stable")
    first = os_image(place, "stable")
    assert resolve_base(place.client, FollowedImage(reference), [AMD64]).reference == first
    second = push_os_image(place.client, place.repository(), "stable", version="9.6.2-0", seed="other")
    base = resolve_base(place.client, FollowedImage(reference), [AMD64])
    assert (base.reference, base.name, base.release) == (second, str(reference), None)


def test_a_followed_digest_is_named_by_its_repository(place: Place) -> None:
    image = os_image(place, "pinned")
    assert resolve_base(place.client, FollowedImage(image), [AMD64]).name == str(image.repository)
    tagged = ImageReference(image.repository, "whatever", image.digest)
    assert resolve_base(place.client, FollowedImage(tagged), [AMD64]).reference == image


def test_of_an_index_the_base_is_the_index_and_each_platform_has_its_manifest(place: Place) -> None:
    image = os_image(place, "multi", AMD64, ARM64)
    base = resolve_base(place.client, FollowedImage(image), [AMD64, ARM64])
    assert base.digest == image.pinned
    assert set(base.platforms) == {AMD64, ARM64}
    assert len({*base.platforms.values(), base.digest}) == 3


@pytest.mark.parametrize("platforms", [(ARM64,), (AMD64, ARM64), (Platform("windows", "amd64"),)])
def test_a_single_image_for_another_platform(place: Place, platforms: tuple[Platform, ...]) -> None:
    with pytest.raises(InputError, match="for linux/amd64 only"):
        resolve_base(place.client, FollowedImage(os_image(place, "single")), platforms)


def test_a_platform_that_the_index_lacks(place: Place) -> None:
    with pytest.raises(InputError, match="linux/s390x"):
        resolve_base(place.client, FollowedImage(os_image(place, "multi", AMD64, ARM64)), [AMD64, S390X])


def test_an_index_that_says_another_platform_than_the_image_itself(place: Place) -> None:
    image = place.image(labels={"containers.bootc": "1"}, platform=AMD64)
    index = place.index([(image, AMD64), (image, ARM64)])
    assert resolve_base(place.client, FollowedImage(index), [AMD64]).digest == index.pinned
    with pytest.raises(ContentError, match="linux/amd64 as one for linux/arm64"):
        resolve_base(place.client, FollowedImage(index), [AMD64, ARM64])


NO_BASES: dict[str, tuple[Mapping[str, str], str]] = {
    "a release payload": ({RELEASE_LABEL: "4.19.2"}, "release payload 4.19.2"),
    "an extensions image": ({"io.openshift.os.extensions": "true"}, "extensions image"),
    "an extensions image, spelt otherwise": ({"io.openshift.os.extensions": "True"}, "extensions image"),
}


@pytest.mark.parametrize(("labels", "said"), NO_BASES.values(), ids=NO_BASES)
def test_what_is_mistaken_for_a_base(place: Place, labels: Mapping[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        resolve_base(place.client, FollowedImage(place.image(labels=labels)), [AMD64])


def test_each_platform_must_be_a_base(place: Place) -> None:
    fine, payload = place.image(), place.image(labels={RELEASE_LABEL: "4.19.2"}, platform=ARM64)
    index = place.index([(fine, AMD64), (payload, ARM64)])
    with pytest.raises(InputError, match="release payload"):
        resolve_base(place.client, FollowedImage(index), [AMD64, ARM64])


@pytest.mark.parametrize(
    ("labels", "version"),
    [
        ({"version": "1", "org.opencontainers.image.version": "2"}, "1"),
        ({"org.opencontainers.image.version": "2"}, "2"),
        ({"version": "", "org.opencontainers.image.version": "2"}, "2"),
        ({"version": "9.6\x1b[2J", "org.opencontainers.image.version": "2"}, "2"),
        ({"version": "9.6\n## a heading"}, None),
        ({"version": "9" * 129}, None),
        ({}, None),
    ],
)
def test_version_is_a_label_or_nothing(place: Place, labels: Mapping[str, str], version: str | None) -> None:
    assert resolve_base(place.client, FollowedImage(place.image(labels=labels)), [AMD64]).version == version


def test_a_tag_the_release_lacks(place: Place) -> None:
    images = {"rhel-coreos": os_image(place, "x")}
    release = push_release(place.client, place.repository("ocp/release"), "t", version="4.19.9", images=images)
    with pytest.raises(InputError, match="no tag 'rhel-coreos-10'") as caught:
        resolve_base(place.client, ReleaseTag(release, "rhel-coreos-10"), [AMD64])
    assert caught.value.reason is Reason.BASE_NOT_FOUND


def test_an_image_behind_the_tag_that_is_gone(place: Place) -> None:
    gone = place.repository().at(Digest("sha256", "e" * 64))
    release = push_release(
        place.client, place.repository("ocp/release"), "g", version="4.19.8", images={"rhel-coreos": gone}
    )
    with pytest.raises(NotFoundError):
        resolve_base(place.client, ReleaseTag(release, "rhel-coreos"), [AMD64])
