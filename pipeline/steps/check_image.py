"""Is the image really FROM its base, complete, and an OS image."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from layering.errors import ExitCode, InputError
from layering.findings import Finding, passed
from layering.imagecheck import check_image
from layering.platform import Platform
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from pipeline.mirrornotes import MirrorNotes
from pipeline.platform_flags import add_platform_arguments, read_platforms
from pipeline.registry_flags import registry_settings

SUMMARY = "Is the image FROM the base, for the right platforms, and an OS image? Exit code 7 when not."
EXAMPLE = "layerwatch-step check-image --image registry.example.com/acme/worker-os@sha256:… --base quay.io/…@sha256:…"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The image, and the base it should be FROM."""

    image: ImageReference
    base: ImageReference
    platforms: tuple[Platform, ...]
    registries: RegistrySettings


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Findings, the worst of which decides `passed`."""

    passed: bool
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> ExitCode:
        """7 when the check says no."""
        return ExitCode.DONE if self.passed else ExitCode.CHECK_SAID_NO


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    parser.add_argument("--image", required=True, metavar="PULLSPEC", help="REPOSITORY@sha256:…")
    parser.add_argument("--base", required=True, metavar="PULLSPEC", help="REPOSITORY@sha256:…")
    add_platform_arguments(parser)


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError."""
    return Inputs(
        image=ImageReference.parse(arguments.image),
        base=_pinned_base(arguments.base),
        platforms=read_platforms(arguments),
        registries=registry_settings(arguments),
    )


def _pinned_base(text: str) -> ImageReference:
    try:
        return ImageReference.parse_pinned(text)
    except InputError as error:
        raise InputError(error.what, where="--base", next_step=error.next_step) from None


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Ask the registry; finding nothing is passing."""
    with RegistryClient(inputs.registries, on_asked=MirrorNotes(say)) as registry:
        findings = check_image(registry, inputs.image, inputs.base, inputs.platforms)
    for finding in findings:
        say(f"{finding.severity}: {finding.rule}: {finding.message}")
    say(f"{inputs.image}: {'passed' if passed(findings) else 'did not pass'}")
    return Outputs(passed=passed(findings), findings=findings)
