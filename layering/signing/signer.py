"""Signing what is in a registry: each manifest of an index and then the index, so that none is signed before its parts.

For every digest there is a payload at the tag that nodes read and, where the registry offers referrers, a bundle; the
same for provenance. What a key has signed already it does not sign again. Adding to a tag is reading and writing, so
tags are looked at once more after a pause, and written again if somebody else's write undid ours.
"""

import base64
import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from layering.errors import ContentError, UnavailableError
from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import Descriptor, ImageIndex, ImageManifest
from layering.signing.attachment import SIGNATURE, Attachment, attach, attachments, tag_beside
from layering.signing.bundle import bundle, find_bundles, push_bundle
from layering.signing.envelope import DSSE, Envelope
from layering.signing.payload import SIMPLE_SIGNING, payload
from layering.signing.signingkey import SigningKey, signed
from layering.signing.slsa import PREDICATE_TYPE, slsa_predicate
from layering.signing.statement import SIGNED, is_about, statement
from layering.signing.verification import fault

_PASSES_MAX = 8
_PAUSE_SECONDS = (0.5, 1.5)  # longer than anybody needs between reading a tag and writing it


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One manifest or index to sign; `annotations` are its own over those of the index it is in."""

    image: ImageReference
    descriptor: Descriptor
    annotations: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """One key at one registry."""

    registry: RegistryClient
    key: SigningKey
    attest: bool = False
    sleep: Callable[[float], None] = time.sleep

    def sign(self, image: ImageReference) -> tuple[Target, ...]:
        """Sign an image that is pinned, and what is in it; what is signed now. Nothing is written twice.

        Raises errors of the registry and of the key, InputError when provenance is asked for and the image tells none,
        UnavailableError when others overwrite the signature again and again.
        """
        tag_beside(image, "sig")
        self.registry.read_where_written(image.repository)
        targets = tuple(targets_of(self.registry, image))
        statements = {target.image: self._statements(target) for target in targets}
        for _ in range(_PASSES_MAX):
            added = [self._add_at_tags(target.image, statements[target.image]) for target in targets]
            if not any(added):
                break
            self.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 so that two who collide do not do so again
        else:
            raise UnavailableError(
                "others write signatures of this image all the time",
                where=str(tag_beside(image, "sig")),
                next_step="try again when they have finished",
            )
        for target in targets:  # once: a bundle undoes no other, and a registry may be slow to list it
            for kind, text in statements[target.image].items():
                self._add_bundle(target, kind, text)
        return targets

    def _statements(self, target: Target) -> dict[str, bytes]:
        """What is said of it, by predicate type; made first, so that nothing is signed when it cannot be said."""
        said = {SIGNED: statement(target.image, SIGNED, {})}
        if self.attest:
            predicate = slsa_predicate(target.image, target.annotations)
            said[PREDICATE_TYPE] = statement(target.image, PREDICATE_TYPE, predicate)
        return said

    def _add_at_tags(self, image: ImageReference, statements: Mapping[str, bytes]) -> bool:
        """Add what is missing; whether anything was."""
        added = [self._add_signature(image)]
        if PREDICATE_TYPE in statements:
            added.append(self._add_attestation(image, statements[PREDICATE_TYPE]))
        return any(added)

    def _add_signature(self, image: ImageReference) -> bool:
        tag = tag_beside(image, "sig")
        for found in attachments(self.registry, tag, SIMPLE_SIGNING):
            if fault(found, image, self.key.public) is None:
                return False
        raw = payload(image)
        signature = base64.b64encode(signed(self.key, raw)).decode()
        attach(self.registry, tag, Attachment(media_type=SIMPLE_SIGNING, raw=raw, annotations={SIGNATURE: signature}))
        return True

    def _add_attestation(self, image: ImageReference, text: bytes) -> bool:
        tag = tag_beside(image, "att")
        for found in attachments(self.registry, tag, DSSE):
            with contextlib.suppress(ContentError):  # somebody else's, which is no envelope
                envelope = Envelope.parse(found.raw, str(tag))
                if envelope.statement == text and envelope.is_by(self.key.public):
                    return False
        annotations = {SIGNATURE: "", "predicateType": PREDICATE_TYPE}
        raw = Envelope.sealed(text, self.key).raw()
        attach(self.registry, tag, Attachment(media_type=DSSE, raw=raw, annotations=annotations))
        return True

    def _add_bundle(self, target: Target, predicate_type: str, text: bytes) -> None:
        found = find_bundles(self.registry, target.image, predicate_type)
        if found is None or any(self._said(one, target.image, predicate_type, text) for one in found):
            return
        raw = bundle(Envelope.sealed(text, self.key), self.key.public)
        push_bundle(self.registry, target.image, target.descriptor, raw, predicate_type)

    def _said(self, envelope: Envelope, image: ImageReference, predicate_type: str, text: bytes) -> bool:
        """Whether this key has said it already. That it is signed, cosign says in other words than we do."""
        is_same = (
            is_about(envelope.statement, image, SIGNED) if predicate_type == SIGNED else envelope.statement == text
        )
        return is_same and envelope.is_by(self.key.public)


def targets_of(registry: RegistryClient, image: ImageReference) -> Iterator[Target]:
    """What is in an index, and then the image itself; all of it was read. Raises errors of the registry."""
    found = registry.manifest(image)
    children = dict.fromkeys(one.digest for one in found.manifests) if isinstance(found, ImageIndex) else ()
    for digest in children:
        child = registry.manifest(image.repository.at(digest))
        if isinstance(child, ImageIndex):
            raise ContentError("an index inside an index", where=str(image))
        yield _target(image.repository, child, found.annotations)
    yield _target(image.repository, found, {})


def _target(repository: Repository, found: ImageManifest | ImageIndex, outer: Mapping[str, str]) -> Target:
    return Target(
        image=repository.at(found.digest),
        descriptor=Descriptor(media_type=found.media_type, digest=found.digest, size=len(found.raw)),
        annotations={**outer, **found.annotations},
    )
