"""The rule `signature` of check-image: the image, and what of it a node may run, is signed by one key."""

from collections.abc import Iterable, Sequence

from layering.findings import Finding, Severity
from layering.platform import Platform
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.signing.attachment import tag_beside
from layering.signing.publickey import PublicKey
from layering.signing.verification import Standing, standing, told

_RULE = "signature"


def check_signatures(
    registry: RegistryClient, image: ImageReference, platforms: Sequence[Platform], key: PublicKey
) -> Iterable[Finding]:
    """A finding for each digest without a signature by `key`. `image` is pinned and for `platforms`.

    The manifest of a platform counts as well as the index: nodes check the one that they run.
    """
    repository = image.repository
    digests = [image.pinned, *(registry.image(image, platform).digest for platform in platforms)]
    for digest in dict.fromkeys(digests):
        one = repository.at(digest)
        found = standing(registry, one, key)
        if found is Standing.IN_BUNDLE:
            message = f"{digest.short} is signed in a bundle only: nodes look at {tag_beside(one, 'sig')}"
            yield Finding(rule=_RULE, severity=Severity.WARNING, message=message)
        elif not isinstance(found, Standing):
            message = f"{digest.short} is not signed by key {key.fingerprint[:12]}: {told(found)}"
            yield Finding(rule=_RULE, severity=Severity.ERROR, message=message)
