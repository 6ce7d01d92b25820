"""What is asked of a release's signatures: whether they are needed, whose they must be, and what they must name.

Without a word of the user's, only the product's own source name needs them, by the key that is built in.
"""

from dataclasses import dataclass
from enum import StrEnum

from layering.errors import InputError
from layering.reference import ImageReference, Repository
from layering.releasesignatures.keyring import Keyring, built_in

PRODUCT = Repository("quay.io", "openshift-release-dev/ocp-release")


class Policy(StrEnum):
    """What becomes of a release that is not verified."""

    REQUIRE = "require"
    WARN = "warn"
    IGNORE = "ignore"


@dataclass(frozen=True, kw_only=True, slots=True)
class SignatureRules:
    """What the flags or the configuration say. Every keyring of `keys` must be satisfied by a signature.

    `policy` None: required when there is a key. `identity` is the repository that the signature must name.
    """

    policy: Policy | None = None
    keys: tuple[Keyring, ...] = ()
    identity: Repository = PRODUCT

    def keys_for(self, release: ImageReference) -> tuple[Keyring, ...]:
        """Those that were named, else the one built in for the product."""
        return tuple(dict.fromkeys(self.keys)) or ((built_in(),) if release.repository == PRODUCT else ())

    def policy_for(self, release: ImageReference) -> Policy:
        """For a release of this name. Raises InputError when signatures are required and there is no key."""
        has_key = bool(self.keys_for(release))
        if self.policy is Policy.REQUIRE and not has_key:
            raise InputError(
                "signatures are required, and there is no key to verify them with",
                where=str(release),
                next_step="name the key with --release-key (registries.releaseSignatures.keys in the configuration)",
            )
        return self.policy or (Policy.REQUIRE if has_key else Policy.IGNORE)
