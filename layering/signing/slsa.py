"""SLSA provenance of an image of ours, from what it says of itself (slsa.dev/spec/v1.0/provenance).

It repeats the image's annotations, and whoever signs it vouches for them: nothing is found out here. It names no time,
so that the same image gives the same text.
"""

from collections.abc import Mapping
from typing import Any

from layering.errors import InputError
from layering.provenance import Provenance, provenance_of
from layering.reference import ImageReference

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:layerwatch:layered-image:v1"  # docs/signing.md says what its parameters are
_BUILDER = "urn:layerwatch:builder"


def slsa_predicate(image: ImageReference, annotations: Mapping[str, str]) -> dict[str, Any]:
    """The predicate. Raises InputError for an image that does not say what it was built from."""
    said = provenance_of(annotations)
    if said.base_digest is None or said.key is None:
        raise InputError(
            "its annotations do not say from which base, and by which build key, it was built",
            where=str(image),
            next_step="build it with build-image, or sign without --attest",
        )
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": _present(base=said.base_name, source=said.source, revision=said.revision),
        "internalParameters": _present(buildKey=said.key, baseVersion=said.base_version),
        "resolvedDependencies": _dependencies(said),
    }
    return {"buildDefinition": definition, "runDetails": {"builder": {"id": f"{_BUILDER}:{said.builder or 'unknown'}"}}}


def _dependencies(said: Provenance) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if said.base_digest is not None:
        digest = {said.base_digest.algorithm: said.base_digest.hex}
        found.append({**_present(name=said.base_name), "digest": digest})
    if said.source and said.revision:
        found.append({"uri": f"git+{said.source}", "digest": {"gitCommit": said.revision}})
    return found


def _present(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
