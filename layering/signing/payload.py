"""What is signed of an image in the form that nodes read: a digest, and the repository it is in.

containers/image docs/signature-protocols.md and docs/containers-signature.5.md ("critical"); cosign's SIGNATURE_SPEC.md
has the same JSON under a type of its own. Which tag an image had is no part of what we sign: tags move.
"""

import json
from dataclasses import dataclass
from typing import Any

from layering.errors import ContentError, InputError
from layering.reference import Digest, ImageReference, Repository
from layering.registry.manifest import parse_object

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
_TYPE = "cosign container image signature"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What a payload says: this digest, under this repository's name."""

    repository: Repository
    digest: Digest


def payload(image: ImageReference) -> bytes:
    """The bytes to sign for an image that is pinned; the same ones each time."""
    critical = {
        "identity": {"docker-reference": str(image.repository)},
        "image": {"docker-manifest-digest": str(image.pinned)},
        "type": _TYPE,
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def read_payload(raw: bytes, where: str = "") -> Claim:
    """What a payload says; `optional` may say anything. Raises ContentError for what is none, or more than one."""
    document = parse_object(raw, where)
    critical = _object(document, "critical", where)
    if set(document) - {"critical", "optional"} or set(critical) != {"identity", "image", "type"}:
        raise ContentError("a payload with fields that it should not have, or without some it should", where=where)
    if critical["type"] != _TYPE:
        raise ContentError(f"signed as {str(critical['type'])[:80]!r}, not as an image", where=where)
    try:
        return Claim(
            repository=ImageReference.parse(_text(critical, "identity", "docker-reference", where)).repository,
            digest=Digest.parse(_text(critical, "image", "docker-manifest-digest", where)),
        )
    except InputError as error:
        raise ContentError(error.what, where=where) from None


def _object(document: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise ContentError(f"a payload without {name}", where=where)
    return value


def _text(critical: dict[str, Any], name: str, field: str, where: str) -> str:
    inner = _object(critical, name, where)
    if set(inner) != {field} or not isinstance(inner[field], str):
        raise ContentError(f"a payload whose {name} is not {field} alone", where=where)
    return str(inner[field])
