"""What is known about an image that is to be proposed: its base, its checks, and how it differs from the one in use."""

from collections.abc import Sequence
from dataclasses import dataclass

from layering.comparison import Comparison, compare
from layering.errors import LayerwatchError
from layering.findings import Finding
from layering.imagecheck import check_image
from layering.platform import Platform
from layering.reference import ImageReference
from layering.registry.client import RegistryClient


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """`findings` is None when the image was not checked; `comparison` when there is nothing to compare it with.

    `not_compared` says why there is none although an image is in use.
    """

    findings: tuple[Finding, ...] | None = None
    comparison: Comparison | None = None
    not_compared: str | None = None


def gather(
    registry: RegistryClient,
    image: ImageReference,
    base: ImageReference,
    platforms: Sequence[Platform],
    previous: ImageReference | None,
) -> Evidence:
    """Check the image, and compare it with the one in use as far as that can be read. Raises registry errors.

    The image in use may be anybody's, anywhere: when it cannot be read, that is said and stops nothing.
    """
    findings = check_image(registry, image, base, platforms)
    if previous is None:
        return Evidence(findings=findings)
    try:
        return Evidence(findings=findings, comparison=compare(registry, previous, image))
    except LayerwatchError as error:
        return Evidence(findings=findings, not_compared=error.what)
