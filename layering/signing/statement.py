"""in-toto statements about images: what is said (a predicate, by its type) of which digest.

in-toto/attestation spec/v1/statement.md. Which predicates there are is not its business.
"""

import json
from collections.abc import Mapping
from typing import Any

from layering.errors import ContentError
from layering.reference import ImageReference
from layering.registry.manifest import parse_object

SIGNED = "https://sigstore.dev/cosign/sign/v1"  # cosign's predicate that says no more than that it is signed
_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")


def statement(image: ImageReference, predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """The bytes to sign about an image that is pinned; the same ones each time."""
    digest = image.pinned
    document = {
        "_type": _TYPES[0],
        "subject": [{"name": str(image.repository), "digest": {digest.algorithm: digest.hex}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def is_about(raw: bytes, image: ImageReference, predicate_type: str) -> bool:
    """Whether it says this of this image. A subject without a name, as cosign writes it, is in any repository."""
    try:
        document = parse_object(raw, "")
    except ContentError:
        return False
    subjects = document.get("subject")
    if document.get("_type") not in _TYPES or document.get("predicateType") != predicate_type:
        return False
    return isinstance(subjects, list) and any(_is(subject, image) for subject in subjects)


def _is(subject: Any, image: ImageReference) -> bool:
    digest = image.pinned
    digests = subject.get("digest") if isinstance(subject, dict) else None
    if not isinstance(digests, dict) or digests.get(digest.algorithm) != digest.hex:
        return False
    return subject.get("name") in (None, "", str(image.repository))
