"""A release as it was read, and stores of signatures of it."""

from collections.abc import Sequence
from pathlib import Path

from layering.platform import Platform
from layering.reference import ImageReference, Repository
from layering.registry.manifest import sha256
from layering.release import ReleasePayload
from layering.releasesignatures.stores import DirectoryStore
from tests.signatures.gpg import IDENTITY

DIGEST = sha256(b"the payload of 4.19.2")
OLDER = sha256(b"the payload of 4.16.1")
MIRROR = Repository.parse("mirror.example.com:5000/openshift/release-images")


def release(
    version: str = "4.19.2",
    *,
    repository: Repository = MIRROR,
    architecture: str = "amd64",
    multi: bool = False,
    digest: object = DIGEST,
) -> ReleasePayload:
    return ReleasePayload(
        reference=ImageReference.parse(f"{repository}@{digest}"),
        version=version,
        images={},
        platform=Platform("linux", architecture),
        architecture="multi" if multi else None,
    )


def name(version: str = "4.19.2", machine: str = "x86_64") -> str:
    return f"{IDENTITY}:{version}-{machine}"


def store(directory: Path, signatures: Sequence[bytes], *, digest: object = DIGEST, first: int = 1) -> DirectoryStore:
    """Files of one image as `oc adm release mirror` and mirrors of the public stores lay them out."""
    of = directory / str(digest).replace(":", "=")
    of.mkdir(parents=True, exist_ok=True)
    for number, signature in enumerate(signatures, first):
        (of / f"signature-{number}").write_bytes(signature)
    return DirectoryStore(directory)
