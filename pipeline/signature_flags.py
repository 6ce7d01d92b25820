"""The flags that say whether a release must be signed, by whom, and where its signatures are."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layering.errors import InputError
from layering.reference import ImageReference
from layering.releasesignatures.keyring import Keyring
from layering.releasesignatures.rules import PRODUCT, Policy, SignatureRules
from layering.releasesignatures.stores import Store, Stores, default_places, parse_place
from pipeline.mounted import given_text


def add_signature_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --release-key, --signature-store and --release-signatures."""
    group = parser.add_argument_group("release signatures")
    group.add_argument(
        "--release-key",
        action="append",
        default=[],
        type=given_text,
        metavar="FILE",
        help="public keys, armored or binary, one of which must have signed the release; each FILE must be satisfied "
        f"(repeatable; default for {PRODUCT}: Red Hat's, built in)",
    )
    group.add_argument(
        "--signature-store",
        action="append",
        default=[],
        type=given_text,
        metavar="DIR|URL",
        help="where signatures are: sha256=HEX/signature-N below it (repeatable; default for "
        f"{PRODUCT}: Red Hat's two public ones)",
    )
    group.add_argument(
        "--release-signatures",
        type=given_text,
        metavar="require|warn|ignore",
        help=f"what becomes of a release that is not verified (default: require with a key or for {PRODUCT}, "
        "else ignore)",
    )


@dataclass(frozen=True, kw_only=True)
class SignatureFlags:
    """What is asked of a release, and where its signatures are looked for when any place is named."""

    rules: SignatureRules
    places: tuple[Path | str, ...]

    def stores(self, release: ImageReference, opened: Stores) -> Sequence[Store]:
        """The places that were named, else the public ones for the product."""
        return [opened.open(place) for place in self.places or default_places(release)]


def read_signature_flags(arguments: argparse.Namespace) -> SignatureFlags:
    """Raises InputError for what is no policy, no key and no store."""
    return SignatureFlags(
        rules=SignatureRules(
            policy=_policy(arguments.release_signatures),
            keys=tuple(Keyring.read(Path(name)) for name in arguments.release_key if name),
        ),
        places=tuple(_place(text) for text in arguments.signature_store if text),
    )


def refuse_signature_flags(arguments: argparse.Namespace) -> None:
    """Raises InputError when one of them is given where there is no release."""
    if any((*arguments.release_key, *arguments.signature_store, arguments.release_signatures)):
        raise InputError(
            "--release-key, --signature-store and --release-signatures go with --release",
            next_step="an image that is followed by its own name is not signed as a release; leave them out",
        )


def _policy(text: str | None) -> Policy | None:
    try:
        return Policy(text) if text else None
    except ValueError:
        raise InputError(
            f"{text!r} is none of {', '.join(Policy)}", where="--release-signatures", next_step="write one of them"
        ) from None


def _place(text: str) -> Path | str:
    place = parse_place(text)
    if isinstance(place, Path) and not place.is_dir():
        raise InputError(f"{place} is not a directory", where="--signature-store")
    return place
