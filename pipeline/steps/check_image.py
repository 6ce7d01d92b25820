"""Is the image really FROM its base, complete, and an OS image."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layering.errors import ExitCode, InputError
from layering.findings import Finding, passed
from layering.imagecheck import check_image
from layering.platform import Platform
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.settings import RegistrySettings
from pipeline.mirrornotes import MirrorNotes
from pipeline.mounted import given_path
from pipeline.platform_flags import add_platform_arguments, read_platforms
from pipeline.registry_flags import registry_settings, step_client
from pipeline.signing_keys import public_key

if TYPE_CHECKING:
    from layering.signing.publickey import PublicKey

SUMMARY = "Is the image FROM the base, for the right platforms, and an OS image? Exit code 7 when not."
EXAMPLE = "layerwatch-step check-image --image registry.example.com/acme/worker-os@sha256:… --base quay.io/…@sha256:…"
_UNKNOWN = {"pinned", "platforms"}  # what is wrong when it cannot be told whose signatures to look for


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The image, the base it should be FROM, and whose signature it should have."""

    image: ImageReference
    base: ImageReference
    platforms: tuple[Platform, ...]
    signed_by: "PublicKey | None"
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
    parser.add_argument(
        "--signed-by",
        type=given_path,
        metavar="PUBKEY",
        help="a file with a public key (PEM) that the image, and its manifest for each platform, must be signed by",
    )


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError."""
    return Inputs(
        image=ImageReference.parse(arguments.image),
        base=_pinned_base(arguments.base),
        platforms=read_platforms(arguments),
        signed_by=public_key(arguments.signed_by, "--signed-by") if arguments.signed_by else None,
        registries=registry_settings(arguments),
    )


def _pinned_base(text: str) -> ImageReference:
    try:
        return ImageReference.parse_pinned(text)
    except InputError as error:
        raise InputError(error.what, where="--base", next_step=error.next_step) from None


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Ask the registry; finding nothing is passing."""
    with step_client(inputs.registries, MirrorNotes(say)) as registry:
        findings = check_image(registry, inputs.image, inputs.base, inputs.platforms)
        if inputs.signed_by is not None and _UNKNOWN.isdisjoint(finding.rule for finding in findings):
            findings += _signatures(registry, inputs, inputs.signed_by)
    for finding in findings:
        say(f"{finding.severity}: {finding.rule}: {finding.message}")
    say(f"{inputs.image}: {'passed' if passed(findings) else 'did not pass'}")
    return Outputs(passed=passed(findings), findings=findings)


def _signatures(registry: RegistryClient, inputs: Inputs, key: "PublicKey") -> tuple[Finding, ...]:
    from layering.signing.rule import check_signatures

    return tuple(check_signatures(registry, inputs.image, inputs.platforms, key))
