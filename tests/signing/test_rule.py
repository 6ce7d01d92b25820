"""The rule `signature` of check-image: what satisfies it, and what it says of everything else."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from layering.findings import Severity
from layering.reference import ImageReference, Repository
from layering.registry.manifest import OCI_MANIFEST, Descriptor, sha256
from layering.registry.server_http import Answer
from layering.signing.attachment import SIGNATURE, Attachment, attach, tag_beside
from layering.signing.bundle import bundle, push_bundle
from layering.signing.envelope import Envelope
from layering.signing.keyfile import FileKey
from layering.signing.payload import SIMPLE_SIGNING, payload
from layering.signing.rule import check_signatures
from layering.signing.signer import Signer
from layering.signing.slsa import PREDICATE_TYPE
from layering.signing.statement import SIGNED, statement
from tests.images.conftest import AMD64, ARM64, Place
from tests.signing.keys import new_key

OTHER = f"sha256:{'e' * 64}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """An image that nobody has signed yet, our key and somebody else's."""

    place: Place
    image: ImageReference
    ours: FileKey
    theirs: FileKey

    def attach(self, raw: bytes, signature: bytes | str | None, media_type: str = SIMPLE_SIGNING) -> None:
        """Put one thing at the tag."""
        text = base64.b64encode(signature).decode() if isinstance(signature, bytes) else signature
        annotations = {} if text is None else {SIGNATURE: text}
        attachment = Attachment(media_type=media_type, raw=raw, annotations=annotations)
        attach(self.place.client, tag_beside(self.image, "sig"), attachment)

    def attach_signed(self, raw: bytes, key: FileKey | None = None) -> None:
        """Put a payload there that is signed as it should be, whatever it says."""
        self.attach(raw, (key or self.ours).sign(raw))

    def push_bundle(self, key: FileKey, *, kind: str = SIGNED, about: ImageReference | None = None) -> None:
        """Put a bundle beside the image."""
        raw = bundle(Envelope.sealed(statement(about or self.image, kind, {}), key), key.public)
        size = len(self.place.client.manifest(self.image).raw)
        subject = Descriptor(media_type=OCI_MANIFEST, digest=self.image.pinned, size=size)
        push_bundle(self.place.client, self.image, subject, raw, kind)

    def named(self, repository: str) -> ImageReference:
        """The same digest, called otherwise."""
        return Repository.parse(repository).at(self.image.pinned)

    def findings(self) -> list[tuple[Severity, str]]:
        found = list(check_signatures(self.place.client, self.image, [AMD64], self.ours.public))
        assert {finding.rule for finding in found} <= {"signature"}
        return [(finding.severity, finding.message) for finding in found]


@pytest.fixture
def case(place: Place, image: ImageReference, tmp_path: Path) -> Case:
    return Case(place=place, image=image, ours=new_key(tmp_path, "ours"), theirs=new_key(tmp_path, "theirs"))


def flipped(data: bytes, at: int = -5) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def _moved(case: Case) -> None:
    """A true signature of another image, attached to this one."""
    case.attach_signed(payload(ImageReference.parse(f"{case.image.repository}@{OTHER}")))


def _another_repository(case: Case) -> None:
    case.attach_signed(payload(case.named("quay.io/acme/other")))


def _as_a_release(case: Case) -> None:
    case.attach_signed(payload(case.image).replace(b"cosign container", b"atomic container"))


def _by_our_key_last(case: Case) -> None:
    case.attach_signed(payload(case.image), case.theirs)
    case.attach(b"rubbish", "!")
    case.attach_signed(payload(case.image))


GOOD: Mapping[str, Callable[[Case], None]] = {
    "ours": lambda case: case.attach_signed(payload(case.image)),
    "theirs, rubbish, ours": _by_our_key_last,
    "a payload that names a tag": lambda case: case.attach_signed(
        payload(case.image).replace(b'acme/os"', b'acme/os:latest"')
    ),
}
FAULTS: Mapping[str, tuple[Callable[[Case], None], str]] = {
    "nothing": (lambda case: None, "there is no signature"),
    "by another key": (lambda case: case.attach_signed(payload(case.image), case.theirs), "by another key"),
    "a byte of the payload flipped": (
        lambda case: case.attach(flipped(payload(case.image)), case.ours.sign(payload(case.image))),
        "was changed",
    ),
    "a byte of the signature flipped": (
        lambda case: case.attach(payload(case.image), flipped(case.ours.sign(payload(case.image)))),
        "was changed",
    ),
    "moved here from another digest": (_moved, f"of another image, {'e' * 12}"),
    "of another repository": (_another_repository, "for another repository, quay.io/acme/other"),
    "signed as a release": (_as_a_release, "not as an image"),
    "signed, and no payload": (lambda case: case.attach_signed(b"rubbish"), "not the JSON it should be"),
    "no signature beside the payload": (lambda case: case.attach(payload(case.image), None), "was changed"),
    "a signature that is not base64": (lambda case: case.attach(payload(case.image), "!"), "was changed"),
    "an empty signature": (lambda case: case.attach(payload(case.image), ""), "was changed"),
    "under another media type": (
        lambda case: case.attach(payload(case.image), case.ours.sign(payload(case.image)), "application/json"),
        "there is no signature",
    ),
    "larger than any": (
        lambda case: case.attach_signed(payload(case.image) + b" " * 65536),
        "there is no signature",
    ),
    "a bundle by another key": (lambda case: case.push_bundle(case.theirs), "a bundle is by another key"),
    "a bundle about another image": (
        lambda case: case.push_bundle(case.ours, about=ImageReference.parse(f"{case.image.repository}@{OTHER}")),
        "about something else",
    ),
    "a bundle for another repository": (
        lambda case: case.push_bundle(case.ours, about=case.named("quay.io/acme/other")),
        "about something else",
    ),
    "a bundle that says something else": (
        lambda case: case.push_bundle(case.ours, kind=PREDICATE_TYPE),
        "there is no signature",
    ),
}


@pytest.mark.parametrize("prepare", GOOD.values(), ids=GOOD)
def test_satisfied(case: Case, prepare: Callable[[Case], None]) -> None:
    prepare(case)
    assert case.findings() == []


@pytest.mark.parametrize(("prepare", "said"), FAULTS.values(), ids=FAULTS)
def test_not_satisfied(case: Case, prepare: Callable[[Case], None], said: str) -> None:
    prepare(case)
    ((severity, message),) = case.findings()
    assert severity is Severity.ERROR
    assert message.startswith(f"{case.image.pinned.short} is not signed by key {case.ours.public.fingerprint[:12]}: ")
    assert said in message


def test_a_bundle_alone_is_a_signature_that_nodes_do_not_see(case: Case) -> None:
    case.push_bundle(case.ours)
    ((severity, message),) = case.findings()
    assert severity is Severity.WARNING
    assert f"nodes look at {tag_beside(case.image, 'sig')}" in message


def test_two_payloads_that_say_two_things_each(case: Case) -> None:
    _moved(case)
    _another_repository(case)
    case.attach_signed(payload(case.image), case.theirs)
    case.attach_signed(payload(case.image), case.theirs)
    ((_, message),) = case.findings()
    assert message.count(";") == 2  # each fault once


def test_what_anybody_left_beside_the_image_stops_nothing(case: Case) -> None:
    registry, repository = case.place.client, case.image.repository
    for layers in ([], [case.place.blob(b"[]", "application/vnd.dev.sigstore.bundle.v0.3+json")]):
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "config": case.place.blob(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": layers,
            "subject": {"mediaType": OCI_MANIFEST, "digest": str(case.image.digest), "size": 1},
        }
        raw = json.dumps(document).encode()
        registry.push_manifest(repository.at(sha256(raw)), raw, OCI_MANIFEST)
    case.push_bundle(case.ours)
    assert [severity for severity, _ in case.findings()] == [Severity.WARNING]


def test_where_referrers_are_not_offered_the_tag_decides(case: Case) -> None:
    case.place.server.intercept = lambda asked: Answer(status=404) if "/referrers/" in asked.target else None
    assert "there is no signature" in case.findings()[0][1]
    case.attach_signed(payload(case.image))
    assert case.findings() == []


def test_of_an_index_the_manifests_that_nodes_run_count_as_well(
    place: Place, index: ImageReference, tmp_path: Path
) -> None:
    key = new_key(tmp_path)
    arm64 = place.client.image(index, ARM64)
    for signed, missing in (
        ([index.pinned], [arm64.digest]),
        ([index.pinned, arm64.digest], []),
    ):
        for digest in signed:
            raw = payload(index.repository.at(digest))
            annotations = {SIGNATURE: base64.b64encode(key.sign(raw)).decode()}
            tag = tag_beside(index.repository.at(digest), "sig")
            attach(place.client, tag, Attachment(media_type=SIMPLE_SIGNING, raw=raw, annotations=annotations))
        found = list(check_signatures(place.client, index, [ARM64], key.public))
        assert [finding.message[:12] for finding in found] == [digest.short for digest in missing]
    Signer(registry=place.client, key=key, sleep=lambda seconds: None).sign(index)
    assert list(check_signatures(place.client, index, [AMD64, ARM64], key.public)) == []
