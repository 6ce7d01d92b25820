"""What a signature says: this digest is the image of that name. Read strictly, believed only when it was verified.

github.com/containers/image, docs/containers-signature.5.md, "The JSON payload". Nothing may stand in it that has no
meaning here, as in github.com/openshift/library-go, pkg/verify/verify.go.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from layering.errors import ContentError, InputError
from layering.reference import Digest, ImageReference
from layering.registry.manifest import parse_object

_TYPE = "atomic container signature"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The image that was signed: its digest, and the name it was given."""

    digest: Digest
    reference: ImageReference


def parse_claim(raw: bytes, where: str) -> Claim:
    """Read the JSON that was signed. Raises ContentError for anything but its exact form."""
    document = parse_object(raw, where)
    _has_only(document, ("critical",), ("optional",), where)
    critical = _object(document, "critical", where)
    _has_only(critical, ("type", "image", "identity"), (), where)
    if critical["type"] != _TYPE:
        raise ContentError(f"not of type {_TYPE!r}", where=where)
    image, identity = _object(critical, "image", where), _object(critical, "identity", where)
    _has_only(image, ("docker-manifest-digest",), (), where)
    _has_only(identity, ("docker-reference",), (), where)
    if "optional" in document:
        _check_optional(_object(document, "optional", where), where)
    try:
        return Claim(
            digest=Digest.parse(_text(image, "docker-manifest-digest", where)),
            reference=ImageReference.parse(_text(identity, "docker-reference", where)),
        )
    except InputError as error:
        raise ContentError(f"the signature: {error.what}", where=where) from None


def _check_optional(optional: Mapping[str, Any], where: str) -> None:
    _has_only(optional, (), ("creator", "timestamp"), where)
    if "creator" in optional:
        _text(optional, "creator", where)
    if type(optional.get("timestamp", 0)) is not int:  # a bool is an int, and no time
        raise ContentError("the signature's timestamp is not a number of seconds", where=where)


def _has_only(document: Mapping[str, Any], needed: Collection[str], allowed: Collection[str], where: str) -> None:
    missing = [key for key in needed if key not in document]
    unknown = [key for key in document if key not in needed and key not in allowed]
    if missing or unknown:
        what = f"has no {missing[0]}" if missing else f"has {unknown[0][:100]!r}, which is unknown"
        raise ContentError(f"the signature {what}", where=where)


def _object(document: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = document[key]
    if not isinstance(value, dict):
        raise ContentError(f"the signature's {key} is not an object", where=where)
    return value


def _text(document: Mapping[str, Any], key: str, where: str) -> str:
    value = document[key]
    if not isinstance(value, str):
        raise ContentError(f"the signature's {key} is not text", where=where)
    return value
