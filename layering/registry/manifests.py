"""Manifests as one place has them: what a tag or digest names there, and the bytes, checked.

OCI distribution-spec v1.1, "Pulling manifests" and "Checking if content exists in the registry". What a tag named is
remembered to ask whether it still does; nothing is believed of it without asking.
"""

from collections.abc import Callable
from dataclasses import replace

from layering.reference import ImageReference
from layering.registry import answers
from layering.registry.deadline import Deadline
from layering.registry.host import Asking, RegistryHost
from layering.registry.manifest import (
    ACCEPT,
    MANIFEST_BYTES_MAX,
    Descriptor,
    ImageIndex,
    ImageManifest,
    parse_manifest,
)
from layering.registry.mirrorrule import DEFAULT_TAG, Place


class Manifests:
    """Safe to use from threads. Raises what RegistryHost raises, and ContentError for what is not what it should be."""

    def __init__(self, host_of: Callable[[Place], RegistryHost]) -> None:
        self._host_of = host_of
        self._named: dict[ImageReference, Descriptor] = {}

    def resolve(self, place: Place, deadline: Deadline) -> Descriptor:
        """What the place's reference names: one HEAD, and the manifest itself where that says too little.

        Registries whose ETag is the digest say in short (304) that a tag names what it named.
        """
        reference, host = place.reference, self._host_of(place)
        known = self._named.get(reference)
        asking = manifest_asking("HEAD", reference, deadline)
        if known is not None:
            asking = replace(asking, headers={**asking.headers, "If-None-Match": f'"{known.digest}"'})
        with host.ask(asking) as answer:
            if answer.status == 304 and known is not None:
                return known
            if answer.status == 200 and (descriptor := answers.described(answer, reference)) is not None:
                if reference.digest is None:
                    self._named[reference] = descriptor
                return descriptor
            if answer.status not in (200, 405, 501):
                raise host.refusal(answer, asking)
        manifest = self.read(place, deadline)
        return Descriptor(media_type=manifest.media_type, digest=manifest.digest, size=len(manifest.raw))

    def read(self, place: Place, deadline: Deadline) -> ImageManifest | ImageIndex:
        """The manifest or index that the place's reference names."""
        reference = place.reference
        where, wanted = str(reference), reference.digest
        fetched = self._host_of(place).fetch(manifest_asking("GET", reference, deadline), MANIFEST_BYTES_MAX)
        answers.check_bytes(fetched.raw, wanted, where)
        answers.check_bytes(fetched.raw, answers.claimed_digest(fetched, where), where)
        parsed = parse_manifest(fetched.raw, fetched.headers.get("Content-Type"), where)
        return parsed if wanted is None else replace(parsed, digest=wanted)  # it may be a sha512


def manifest_asking(method: str, reference: ImageReference, deadline: Deadline) -> Asking:
    """A request for a manifest by its tag or digest, of any kind that we read."""
    repository = reference.repository
    return Asking(
        method=method,
        path=f"/v2/{repository.path}/manifests/{reference.digest or reference.tag or DEFAULT_TAG}",
        repository=repository,
        deadline=deadline,
        headers={"Accept": ACCEPT},
        what=str(reference),
    )
