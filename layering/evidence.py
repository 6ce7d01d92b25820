"""What is known about an image that is to be proposed: its base, its checks, and how it differs from the one in use."""

from collections.abc import Sequence
from dataclasses import dataclass

from layering.comparison import Comparison, compare
from layering.errors import InputError, NotFoundError
from layering.findings import Finding
from layering.imagecheck import check_image
from layering.platform import Platform
from layering.reference import ImageReference
from layering.registry.client import RegistryClient


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """`findings` is None when the image was not checked; `comparison` when there is nothing to compare it with."""

    findings: tuple[Finding, ...] | None = None
    comparison: Comparison | None = None


def gather(
    registry: RegistryClient,
    image: ImageReference,
    base: ImageReference,
    platforms: Sequence[Platform],
    previous: ImageReference | None,
) -> Evidence:
    """Check the image and compare it with the previous one, if the registry still has that. Raises registry errors."""
    findings = check_image(registry, image, base, platforms)
    return Evidence(findings=findings, comparison=_compared(registry, previous, image))


def _compared(registry: RegistryClient, previous: ImageReference | None, image: ImageReference) -> Comparison | None:
    if previous is None:
        return None
    try:
        return compare(registry, previous, image)
    except (NotFoundError, InputError):
        return None  # it was deleted, or was for other platforms: nothing to set beside
