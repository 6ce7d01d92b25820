"""What a registry's answers say about manifests and tags, held against what was asked for.

Headers are hints: a digest in one must be that of the bytes, and a header that says too little says nothing.
"""

import hashlib
import sys

from layering.errors import ContentError, InputError
from layering.linkheader import next_in
from layering.reference import Digest, ImageReference, Repository
from layering.registry.addresses import absolute
from layering.registry.host import Fetched
from layering.registry.manifest import INDEX_TYPES, MANIFEST_BYTES_MAX, MANIFEST_TYPES, Descriptor, parse_object
from layering.registry.response import Response

_DIGEST_HEADER = "Docker-Content-Digest"


def described(answer: Response, reference: ImageReference) -> Descriptor | None:
    """What a HEAD says, when it says enough. Raises ContentError when it contradicts the digest asked for."""
    media_type = sys.intern(answer.headers.get("Content-Type", "").partition(";")[0].strip().lower())
    digest = claimed_digest(answer, str(reference))
    length = answer.headers.get("Content-Length", "")
    if media_type not in (*MANIFEST_TYPES, *INDEX_TYPES) or digest is None or not length.isdecimal():
        return None
    wanted = reference.digest
    if wanted is not None and digest.algorithm == wanted.algorithm and digest != wanted:
        raise ContentError(f"the registry answers with {digest}", where=str(reference))
    if int(length) > MANIFEST_BYTES_MAX:
        raise ContentError(f"a manifest of more than {MANIFEST_BYTES_MAX} bytes", where=str(reference))
    return Descriptor(media_type=media_type, digest=wanted or digest, size=int(length))


def claimed_digest(answer: Response | Fetched, where: str) -> Digest | None:
    """The digest that an answer names in its header. Raises ContentError when that is none."""
    claimed = answer.headers.get(_DIGEST_HEADER)
    try:
        return Digest.parse(claimed) if claimed else None
    except InputError as error:
        raise ContentError(f"{_DIGEST_HEADER}: {error.what}", where=where) from None


def check_bytes(raw: bytes, digest: Digest | None, where: str) -> None:
    """Raises ContentError when `raw` is not what `digest` addresses."""
    if digest is not None and (actual := hashlib.new(digest.algorithm, raw).hexdigest()) != digest.hex:
        raise ContentError(f"the content is not its digest: it should be {digest}, it is {actual}", where=where)


def tags_of(page: Fetched, repository: Repository) -> list[str]:
    """The tags on one page of the list (distribution-spec, "Listing Tags"). Raises ContentError."""
    tags = parse_object(page.raw, str(repository)).get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ContentError("not a list of tags", where=str(repository))
    for tag in tags:
        try:
            repository.tagged(tag)
        except InputError as error:
            raise ContentError(f"in its list of tags: {error.what}", where=str(repository)) from None
    return tags


def next_page(page: Fetched, repository: Repository) -> str | None:
    """The URL of the page after this one (RFC 8288, rel="next")."""
    found = next_in(page.headers.get("Link", ""))
    return absolute(found, page.url, str(repository)) if found is not None else None
