"""Signing an image: what is written where, in which order, once, and beside what others wrote."""

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layering.errors import ContentError, InputError, NotFoundError, UnavailableError
from layering.provenance import BASE_DIGEST, BUILD_KEY
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_INDEX, OCI_MANIFEST, ImageIndex, ImageManifest, sha256
from layering.registry.mirrors import load_mirrors
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked
from layering.registry.settings import RegistrySettings
from layering.registry.storage import DirectoryStorage
from layering.signing.attachment import SIGNATURE, Attachment, attach, attachments, tag_beside
from layering.signing.bundle import find_bundles
from layering.signing.envelope import DSSE, Envelope
from layering.signing.payload import SIMPLE_SIGNING, payload
from layering.signing.signer import Signer
from layering.signing.signingkey import SigningKey
from layering.signing.slsa import PREDICATE_TYPE
from layering.signing.statement import SIGNED
from layering.signing.verification import Standing, standing
from tests.images.conftest import AMD64, Place
from tests.signing.conftest import BUILT
from tests.signing.keys import new_key


def sign(place: Place, image: ImageReference, key: SigningKey, *, attest: bool = False) -> list[ImageReference]:
    """Sign without waiting; what is signed then."""
    signer = Signer(registry=place.client, key=key, attest=attest, sleep=lambda seconds: None)
    return [target.image for target in signer.sign(image)]


def writes(place: Place) -> list[str]:
    """What was put under a name, in order."""
    puts = [one.path for one in place.server.requests if one.method == "PUT" and "/manifests/" in one.path]
    return [path.rpartition("/")[2] for path in puts]


def children(place: Place, index: ImageReference) -> list[ImageReference]:
    found = place.client.manifest(index)
    assert isinstance(found, ImageIndex)
    return [index.repository.at(one.digest) for one in found.manifests]


def bundles(client: RegistryClient, image: ImageReference, kind: str) -> list[Envelope]:
    found = find_bundles(client, image, kind)
    assert found is not None
    return list(found)


def document(place: Place, tag: ImageReference) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(place.client.manifest(tag).raw)
    return found


def layers(place: Place, tag: ImageReference) -> list[str]:
    return [str(layer["digest"]) for layer in document(place, tag)["layers"]]


def diff_ids(place: Place, tag: ImageReference) -> list[str]:
    """What the configuration there tells of its layers, which tools that add one go by."""
    found = place.client.manifest(tag)
    assert isinstance(found, ImageManifest)
    config = json.loads(place.client.read_blob(tag.repository, found.config, limit_bytes=1 << 16))
    assert isinstance(config["rootfs"]["diff_ids"], list)
    return [str(digest) for digest in config["rootfs"]["diff_ids"]]


def test_at_the_tag_is_a_payload_with_its_signature(place: Place, image: ImageReference, tmp_path: Path) -> None:
    key = new_key(tmp_path)
    sign(place, image, key)
    tag = tag_beside(image, "sig")
    assert tag.tag == f"sha256-{image.pinned.hex}.sig"
    (layer,) = document(place, tag)["layers"]
    assert (layer["mediaType"], layer["digest"]) == (SIMPLE_SIGNING, str(sha256(payload(image))))
    assert key.public.verifies(base64.b64decode(layer["annotations"][SIGNATURE]), payload(image))


def test_beside_the_image_is_a_bundle(place: Place, image: ImageReference, tmp_path: Path) -> None:
    key = new_key(tmp_path)
    sign(place, image, key)
    (envelope,) = bundles(place.client, image, SIGNED)
    assert envelope.is_by(key.public)
    said = json.loads(envelope.statement)
    assert said["subject"] == [{"name": str(image.repository), "digest": {"sha256": image.pinned.hex}}]


def test_an_index_is_signed_after_every_manifest_in_it(place: Place, index: ImageReference, tmp_path: Path) -> None:
    within = children(place, index)
    place.server.requests.clear()
    assert sign(place, index, new_key(tmp_path)) == [*within, index]
    tags = [name for name in writes(place) if name.endswith(".sig")]
    assert tags == [tag_beside(one, "sig").tag for one in [*within, index]]


def test_an_index_of_which_a_manifest_is_missing_is_not_signed(place: Place, tmp_path: Path) -> None:
    index = place.index([(place.image(), AMD64)])
    raw = place.client.manifest(index).raw.replace(
        str(children(place, index)[0].digest).encode(), b"sha256:" + b"0" * 64
    )
    sparse = place.repository().at(place.client.push_manifest(place.repository().at(sha256(raw)), raw, OCI_INDEX))
    place.server.requests.clear()
    with pytest.raises(NotFoundError):
        sign(place, sparse, new_key(tmp_path))
    assert writes(place) == []


@pytest.mark.parametrize("attest", [False, True], ids=["signature", "with provenance"])
def test_the_same_key_again_writes_nothing(place: Place, index: ImageReference, tmp_path: Path, attest: bool) -> None:
    key = new_key(tmp_path)
    sign(place, index, key, attest=attest)
    place.server.requests.clear()
    sign(place, index, key, attest=attest)
    assert {one.method for one in place.server.requests} <= {"GET", "HEAD"}


def test_a_second_key_is_added_to_the_first(place: Place, image: ImageReference, tmp_path: Path) -> None:
    one, two = new_key(tmp_path, "one"), new_key(tmp_path, "two", "RSA")
    for key in (one, two, one):
        sign(place, image, key, attest=True)
    for suffix, kind in (("sig", SIMPLE_SIGNING), ("att", DSSE)):
        assert len(list(attachments(place.client, tag_beside(image, suffix), kind))) == 2
        assert diff_ids(place, tag_beside(image, suffix)) == layers(place, tag_beside(image, suffix))
    for kind in (SIGNED, PREDICATE_TYPE):
        found = bundles(place.client, image, kind)
        assert sorted((e.is_by(one.public), e.is_by(two.public)) for e in found) == [(False, True), (True, False)]


def test_what_others_attached_stays_as_it_is(place: Place, image: ImageReference, tmp_path: Path) -> None:
    tag = tag_beside(image, "sig")
    foreign: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": place.blob(b"{}", "application/vnd.example.config"),
        "layers": [{**place.blob(b"x" * 70_000, "application/vnd.example"), "annotations": {"a": "b"}, "more": 1}],
        "annotations": {"theirs": "yes"},
    }
    place.client.push_manifest(tag, json.dumps(foreign).encode(), OCI_MANIFEST)
    key = new_key(tmp_path)
    sign(place, image, key)
    now = document(place, tag)
    assert now["layers"][0] == foreign["layers"][0]
    assert now["annotations"] == foreign["annotations"]
    assert standing(place.client, image, key.public) is Standing.AT_TAG


def test_an_index_where_signatures_should_be(place: Place, image: ImageReference, tmp_path: Path) -> None:
    raw = place.client.manifest(place.index([(image, AMD64)])).raw
    place.client.push_manifest(tag_beside(image, "sig"), raw, OCI_INDEX)
    with pytest.raises(ContentError, match="an index where signatures should be"):
        sign(place, image, new_key(tmp_path))


def test_a_tag_that_others_filled_up(place: Place, image: ImageReference, tmp_path: Path) -> None:
    for number in range(100):
        attach(place.client, tag_beside(image, "sig"), Attachment(media_type="x/y", raw=b"%d" % number, annotations={}))
    with pytest.raises(ContentError, match="100 things are attached"):
        sign(place, image, new_key(tmp_path))


def test_a_sha512_digest_has_no_tag_for_signatures(place: Place, image: ImageReference, tmp_path: Path) -> None:
    longer = ImageReference.parse(f"{image.repository}@sha512:{'a' * 128}")
    with pytest.raises(InputError, match="longer than"):
        sign(place, longer, new_key(tmp_path))


def test_where_referrers_are_not_offered_there_is_the_tag_alone(
    place: Place, image: ImageReference, tmp_path: Path
) -> None:
    place.server.intercept = lambda asked: Answer(status=404) if "/referrers/" in asked.target else None
    key = new_key(tmp_path)
    place.server.requests.clear()
    sign(place, image, key, attest=True)
    assert writes(place) == [tag_beside(image, "sig").tag, tag_beside(image, "att").tag]
    assert standing(place.client, image, key.public) is Standing.AT_TAG


def test_a_registry_that_is_slow_to_list_a_bundle_gets_it_once(
    place: Place, image: ImageReference, tmp_path: Path
) -> None:
    empty = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    late = Answer(status=200, headers={"Content-Type": OCI_INDEX}, body=empty)
    place.server.intercept = lambda asked: late if "/referrers/" in asked.target else None
    place.server.requests.clear()
    sign(place, image, new_key(tmp_path))
    assert len(writes(place)) == 2


def test_no_mirror_is_asked_of_what_is_written_to(place: Place, image: ImageReference, tmp_path: Path) -> None:
    """A mirror may not have yet what others signed, and what is not seen would be lost."""
    one, two = new_key(tmp_path, "one"), new_key(tmp_path, "two")
    sign(place, image, one)
    conf = tmp_path / "registries.conf"
    with RegistryServer() as mirror:
        conf.write_text(
            f'[[registry]]\nlocation = "{place.server.address}"\ninsecure = true\n'
            f'[[registry.mirror]]\nlocation = "{mirror.address}"\ninsecure = true\n'
        )
        with RegistryClient(RegistrySettings(mirrors=load_mirrors(conf))) as client:
            assert client.find(image) is not None
            asked = len(mirror.requests)
            assert asked > 0
            Signer(registry=client, key=two, sleep=lambda seconds: None).sign(image)
            assert len(mirror.requests) == asked
    for key in (one, two):
        assert standing(place.client, image, key.public) is Standing.AT_TAG


# Others who write at the same time


def test_whoever_is_overwritten_writes_again(place: Place, image: ImageReference, tmp_path: Path) -> None:
    """The slow one has read the tag when the quick one writes it; its own write undoes that."""
    quick_key, slow_key = new_key(tmp_path, "quick"), new_key(tmp_path, "slow")
    quick_wrote, slow_ended = threading.Event(), threading.Event()

    def wait(seconds: float) -> None:
        quick_wrote.set()
        assert slow_ended.wait(30)

    with RegistryClient(RegistrySettings(insecure=frozenset({place.server.address}))) as other:
        quick = threading.Thread(target=Signer(registry=other, key=quick_key, sleep=wait).sign, args=(image,))

        def hold(asked: Asked) -> None:
            if asked.method == "PUT" and asked.target.endswith(".sig") and quick.ident is None:
                quick.start()
                assert quick_wrote.wait(30)

        place.server.intercept = hold
        sign(place, image, slow_key)
        (alone,) = attachments(place.client, tag_beside(image, "sig"), SIMPLE_SIGNING)
        assert slow_key.public.verifies(base64.b64decode(alone.annotations[SIGNATURE]), alone.raw)
        slow_ended.set()
        quick.join(30)
    for key in (quick_key, slow_key):
        assert standing(place.client, image, key.public) is Standing.AT_TAG


class Rests:
    """Pauses that are longer than anybody needs between reading and writing: each ends when all others came to one of
    theirs, or to their end.
    """

    def __init__(self, count: int) -> None:
        self._changed = threading.Condition()
        self._begun = [0] * count
        self._idle: set[int] = set()

    def rest(self, me: int) -> None:
        with self._changed:
            self._begun[me] += 1
            before = list(self._begun)
            self._is_idle(me)
            assert self._changed.wait_for(
                lambda: all(who in self._idle or now > before[who] for who, now in enumerate(self._begun)), 60
            )
            self._idle.discard(me)

    def ended(self, me: int) -> None:
        with self._changed:
            self._is_idle(me)

    def _is_idle(self, who: int) -> None:
        self._idle.add(who)
        self._changed.notify_all()


def test_signers_at_the_same_time_all_survive(place: Place, index: ImageReference, tmp_path: Path) -> None:
    keys = [new_key(tmp_path, str(number)) for number in range(4)]
    rests = Rests(len(keys))

    def run(number: int, key: SigningKey) -> None:
        try:
            with RegistryClient(RegistrySettings(insecure=frozenset({place.server.address}))) as client:
                Signer(registry=client, key=key, attest=True, sleep=lambda _: rests.rest(number)).sign(index)
        finally:
            rests.ended(number)

    threads = [threading.Thread(target=run, args=numbered) for numbered in enumerate(keys)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for image in [*children(place, index), index]:
        assert {standing(place.client, image, key.public) for key in keys} == {Standing.AT_TAG}
        assert len(list(attachments(place.client, tag_beside(image, "att"), DSSE))) == len(keys)


def test_a_signature_that_never_stays_is_no_success(place: Place, image: ImageReference, tmp_path: Path) -> None:
    def forget(asked: Asked) -> Answer | None:
        if asked.method != "PUT" or not asked.target.endswith(".sig"):
            return None
        digest = str(sha256(asked.body.whole(1 << 20)))
        return Answer(status=201, headers={"Docker-Content-Digest": digest})

    place.server.intercept = forget
    with pytest.raises(UnavailableError, match="all the time"):
        sign(place, image, new_key(tmp_path))


def _at_the_tag(asked: Asked) -> bool:
    return asked.method == "PUT" and asked.target.endswith(".sig")


def _at_the_bundle(asked: Asked) -> bool:
    return asked.method == "PUT" and "/manifests/sha256:" in asked.target


@pytest.mark.parametrize("deadly", [_at_the_tag, _at_the_bundle])
def test_a_registry_that_dies_between_blob_and_manifest(tmp_path: Path, deadly: Callable[[Asked], bool]) -> None:
    """What is missing is written when it is back; what was written before stays the only one."""
    key, data, dead = new_key(tmp_path), tmp_path / "data", threading.Event()

    def die(asked: Asked) -> None:
        if dead.is_set() or deadly(asked):
            dead.set()
            raise ConnectionResetError

    with RegistryServer(DirectoryStorage(data)) as server, _client(server) as client:
        image = Place(server=server, client=client).image()
        server.intercept = die
        with pytest.raises(UnavailableError):
            Signer(registry=client, key=key, sleep=lambda seconds: None).sign(image)
    with RegistryServer(DirectoryStorage(data)) as server, _client(server) as client:
        again = Repository(server.address, image.repository.path).at(image.pinned)
        Signer(registry=client, key=key, sleep=lambda seconds: None).sign(again)
        assert standing(client, again, key.public) is Standing.AT_TAG
        assert len(bundles(client, again, SIGNED)) == 1


def _client(server: RegistryServer) -> RegistryClient:
    settings = RegistrySettings(insecure=frozenset({server.address}), timeout_seconds=20)
    return RegistryClient(settings, sleep=lambda seconds: None)


# Provenance


def test_provenance_is_what_the_image_says_of_itself(place: Place, index: ImageReference, tmp_path: Path) -> None:
    key = new_key(tmp_path)
    sign(place, index, key, attest=True)
    image = children(place, index)[0]
    (attached,) = attachments(place.client, tag_beside(image, "att"), DSSE)
    assert attached.annotations["predicateType"] == PREDICATE_TYPE
    envelope = Envelope.parse(attached.raw, "")
    assert envelope.is_by(key.public)
    (beside,) = bundles(place.client, image, PREDICATE_TYPE)
    assert beside.statement == envelope.statement
    said = json.loads(envelope.statement)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    assert said["subject"] == [{"name": str(image.repository), "digest": {"sha256": image.pinned.hex}}]
    assert said["predicate"] == {
        "buildDefinition": {
            "buildType": "urn:layerwatch:layered-image:v1",
            "externalParameters": {
                "base": "quay.io/openshift-release-dev/ocp-v4.0-art-dev",
                "source": "https://git.example.com/acme/os-images.git",
                "revision": "d" * 40,
            },
            "internalParameters": {"buildKey": "c" * 64, "baseVersion": "4.19.2"},
            "resolvedDependencies": [
                {"name": "quay.io/openshift-release-dev/ocp-v4.0-art-dev", "digest": {"sha256": "b" * 64}},
                {"uri": "git+https://git.example.com/acme/os-images.git", "digest": {"gitCommit": "d" * 40}},
            ],
        },
        "runDetails": {"builder": {"id": "urn:layerwatch:builder:compose"}},
    }


@pytest.mark.parametrize("left_out", [BASE_DIGEST, BUILD_KEY])
def test_an_image_that_does_not_say_how_it_was_built_is_not_half_signed(
    place: Place, tmp_path: Path, left_out: str
) -> None:
    image = place.image(annotations={name: BUILT[name] for name in BUILT if name != left_out})
    place.server.requests.clear()
    with pytest.raises(InputError, match="do not say"):
        sign(place, image, new_key(tmp_path), attest=True)
    assert writes(place) == []
