"""Which base image should it be: out of a release payload, or behind a followed name."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from layering.base import BaseSource, FollowedImage, ReleaseTag, resolve_base
from layering.errors import InputError
from layering.platform import Platform
from layering.reference import Digest, ImageReference
from layering.registry.deadline import Allowance
from layering.registry.settings import RegistrySettings
from layering.releasesignatures.stores import Stores
from layering.releasesignatures.verification import ReleaseVerifier, State, Verification
from pipeline.mirrornotes import MirrorNotes, Tried
from pipeline.mounted import given_text
from pipeline.platform_flags import add_platform_arguments, read_platforms
from pipeline.registry_flags import registry_settings, step_client
from pipeline.signature_flags import (
    SignatureFlags,
    add_signature_arguments,
    read_signature_flags,
    refuse_signature_flags,
)

SUMMARY = "Which base image should it be: the one a release payload names, or the one behind a name."
EXAMPLE = (
    "layerwatch-step resolve-base --tag rhel-coreos --release quay.io/openshift-release-dev/ocp-release:4.19.2-x86_64"
)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is followed, and for which platforms."""

    source: BaseSource
    platforms: tuple[Platform, ...]
    registries: RegistrySettings
    signatures: SignatureFlags


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """`base` is pinned; `digest` is the index's when it is an index, `platforms` has the manifests'.

    All names are the sources'; `pulled_from` is where the base was really read, `tried` which places failed before.
    `verification` is what is known of the release's signatures.
    """

    base: ImageReference
    name: str
    digest: Digest
    platforms: Mapping[Platform, Digest]
    version: str | None
    labels: Mapping[str, str]
    release: str | None
    pulled_from: ImageReference
    tried: tuple[Tried, ...]
    verification: Verification


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--release", type=given_text, metavar="PULLSPEC", help="a release payload; needs --tag")
    what.add_argument("--image", type=given_text, metavar="PULLSPEC", help="an OS image, by tag or digest")
    parser.add_argument("--tag", type=given_text, help="the payload's tag, for instance rhel-coreos")
    add_platform_arguments(parser)
    add_signature_arguments(parser)


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError."""
    return Inputs(
        source=_source(arguments),
        platforms=read_platforms(arguments),
        registries=registry_settings(arguments),
        signatures=read_signature_flags(arguments),
    )


def _source(arguments: argparse.Namespace) -> BaseSource:
    if arguments.release is None:
        if arguments.tag is not None:
            raise InputError("--tag goes with --release", next_step="write the tag into --image: REPOSITORY:TAG")
        refuse_signature_flags(arguments)
        return FollowedImage(ImageReference.parse(arguments.image))
    if not arguments.tag:
        raise InputError("--release needs --tag", next_step="add --tag rhel-coreos")
    return ReleaseTag(ImageReference.parse(arguments.release), arguments.tag)


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Ask the registry."""
    notes, allowance = MirrorNotes(say), Allowance(inputs.registries.timeout_seconds)
    with step_client(inputs.registries, notes) as registry, Stores(inputs.registries) as stores:
        verifier = ReleaseVerifier(
            inputs.signatures.rules,
            lambda release: inputs.signatures.stores(release, stores),
            say,
            deadline=lambda: allowance.deadline().share(2),  # the base is still to be read after it
        )
        base = resolve_base(registry, inputs.source, inputs.platforms, verifier)
    of = f"release {base.release}" if base.release else base.name
    say(f"base of {of}: {base.reference} ({base.version or 'no version label'})")
    if base.verification.state is State.VERIFIED:
        say(f"signed as {base.verification.reference} by {base.verification.key}")
    return Outputs(
        base=base.reference,
        name=base.name,
        digest=base.digest,
        platforms=base.platforms,
        version=base.version,
        labels=base.labels,
        release=base.release,
        pulled_from=notes.pulled_from(base.reference),
        tried=notes.tried(base.reference.repository),
        verification=base.verification,
    )
