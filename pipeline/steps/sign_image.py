"""Sign an image that is in a registry, with a key, as cosign does and nodes check."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from layering.errors import InputError
from layering.reference import ImageReference
from layering.registry.settings import RegistrySettings
from pipeline.registry_flags import registry_settings, step_client
from pipeline.signing_keys import signing_key

if TYPE_CHECKING:
    from layering.signing.signingkey import SigningKey

SUMMARY = "Sign an image, and every manifest of it when it is an index, so that nodes and cosign can verify it."
EXAMPLE = "layerwatch-step sign-image --image registry.example.com/acme/worker-os@sha256:… --key cosign.key"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The image, the key, and whether to say how it was built."""

    image: ImageReference
    key: "SigningKey" = field(repr=False)
    attest: bool
    registries: RegistrySettings


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Tags beside the image; `attestation` is null without --attest. `key` is the SHA-256 of the public key (DER)."""

    signature: ImageReference
    attestation: ImageReference | None
    key: str
    signed: tuple[ImageReference, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    parser.add_argument("--image", required=True, metavar="PULLSPEC", help="REPOSITORY@sha256:…")
    parser.add_argument(
        "--key",
        required=True,
        metavar="FILE|exec:PROGRAM",
        help="a private key: PKCS #8 in PEM form (EC, RSA, Ed25519), or cosign's, which $COSIGN_PASSWORD opens; a "
        "directory with cosign.key and cosign.password; or a program that prints its public key (PEM) when it is given "
        "the word public-key, and with sign the signature of its stdin (base64)",
    )
    parser.add_argument(
        "--attest", action="store_true", help="also say how it was built, in SLSA provenance made of its annotations"
    )


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError."""
    return Inputs(
        image=_pinned(arguments.image),
        key=signing_key(arguments.key),
        attest=arguments.attest,
        registries=registry_settings(arguments),
    )


def _pinned(text: str) -> ImageReference:
    """A tag may name another image when it is read next: what is signed must be said. Raises InputError."""
    try:
        return ImageReference.parse_pinned(text).without_tag()
    except InputError as error:
        raise InputError(error.what, where="--image", next_step=error.next_step) from None


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Sign; what is signed already stays as it is."""
    from layering.signing.attachment import tag_beside
    from layering.signing.signer import Signer

    with step_client(inputs.registries) as registry:
        targets = Signer(registry=registry, key=inputs.key, attest=inputs.attest).sign(inputs.image)
    for target in targets:
        say(f"{target.image}: signed by key {inputs.key.public.fingerprint[:12]}")
    return Outputs(
        signature=tag_beside(inputs.image, "sig"),
        attestation=tag_beside(inputs.image, "att") if inputs.attest else None,
        key=inputs.key.public.fingerprint,
        signed=tuple(target.image for target in targets),
    )
