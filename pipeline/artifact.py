"""What an image was made of, as provenance names it."""

from dataclasses import dataclass

from layering.reference import Digest


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A material of SLSA provenance (Tekton Chains: type hint `*ARTIFACT_INPUTS`): where it is from, its digest."""

    uri: str
    digest: Digest
