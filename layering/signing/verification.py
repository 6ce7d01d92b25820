"""Whether an image is signed by one key, and if not, what is there instead.

At the tag first, because nodes look nowhere else; a bundle is a signature as well, only none that they see.
"""

from collections.abc import Iterable
from enum import Enum

from layering.errors import ContentError
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.signing.attachment import SIGNATURE, Attachment, attachments, tag_beside
from layering.signing.bundle import find_bundles
from layering.signing.payload import SIMPLE_SIGNING, read_payload
from layering.signing.publickey import PublicKey, decoded
from layering.signing.statement import SIGNED, is_about


class Standing(Enum):
    """Where a signature that holds was found."""

    AT_TAG = "at the tag"
    IN_BUNDLE = "in a bundle only"


def standing(registry: RegistryClient, image: ImageReference, key: PublicKey) -> Standing | tuple[str, ...]:
    """Where the key's signature of this very image is, or else what is wrong with those that are there."""
    faults = []
    for found in attachments(registry, tag_beside(image, "sig"), SIMPLE_SIGNING):
        wrong = fault(found, image, key)
        if wrong is None:
            return Standing.AT_TAG
        faults.append(wrong)
    for envelope in find_bundles(registry, image, SIGNED) or ():
        if is_about(envelope.statement, image, SIGNED) and envelope.is_by(key):
            return Standing.IN_BUNDLE
        faults.append("a bundle is by another key, or about something else")
    return tuple(faults)


def fault(found: Attachment, image: ImageReference, key: PublicKey) -> str | None:
    """Why an attachment is no signature of this image by this key; None when it is one."""
    signature = decoded(found.annotations.get(SIGNATURE))
    if not signature or not key.verifies(signature, found.raw):
        return "one is by another key, or was changed"
    try:
        claim = read_payload(found.raw)
    except ContentError as error:
        return error.what
    if claim.digest != image.pinned:
        return f"one is of another image, {claim.digest.short}"
    if claim.repository != image.repository:
        return f"one is for another repository, {claim.repository}"
    return None


def told(faults: Iterable[str]) -> str:
    """Faults in one line, each once."""
    return "; ".join(dict.fromkeys(faults)) or "there is no signature"
