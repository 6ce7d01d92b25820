"""Whether one release is what its publisher signed: keys, stores and rules put together.

A release is verified when for each keyring there is a signature by one of its keys, of this digest, under the name
IDENTITY:VERSION-ARCHITECTURE. That name is what keeps an old release, signed as what it is, from being a newer one.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from layering.errors import ContentError, InputError, LayerwatchError, RefusedError, UnavailableError
from layering.once import Once
from layering.reasons import Reason
from layering.reference import ImageReference
from layering.registry.deadline import Deadline
from layering.release import ReleasePayload
from layering.releasesignatures.claim import parse_claim
from layering.releasesignatures.keyring import Keyring
from layering.releasesignatures.openpgp import verify
from layering.releasesignatures.rules import Policy, SignatureRules
from layering.releasesignatures.stores import Store

_PUBLISHED_TAG = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+.*-(?:x86_64|aarch64|ppc64le|s390x|multi)")
_HINT = "find out where the release comes from; if it is your own, name its key and the store of its signatures"


class State(StrEnum):
    """What was found out about a release."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What is known of a release's signatures. All but `policy` and `state` are None unless it is verified.

    `key` is the fingerprint of the key that signed, of several keyrings all of them with commas between; `reference`
    the name that was signed; `store` where the signature was found; `time` when it was made, as RFC 3339 has it.
    """

    policy: Policy
    state: State
    key: str | None = None
    reference: str | None = None
    store: str | None = None
    time: str | None = None


NOT_ASKED = Verification(policy=Policy.IGNORE, state=State.SKIPPED)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Evidence:
    """A signature that satisfies one keyring."""

    fingerprint: str
    reference: str
    store: str
    created: datetime | None


class ReleaseVerifier:
    """Verifies releases by one set of rules, each once. Safe to use from threads.

    `stores_for` gives the stores of a release of this name, `say` hears of releases that are not verified and may be
    used all the same; `deadline` gives, for a release, the end of what is asked of all stores together.
    """

    def __init__(
        self,
        rules: SignatureRules,
        stores_for: Callable[[ImageReference], Sequence[Store]],
        say: Callable[[str], None],
        *,
        deadline: Callable[[], Deadline],
    ) -> None:
        self._rules = rules
        self._stores_for = stores_for
        self._say = say
        self._deadline = deadline
        self._once = Once(self._verified)

    def __call__(self, release: ReleasePayload, asked: ImageReference) -> Verification:
        """Verify a release that was asked for by this name.

        Raises ContentError (ReleaseUnverified) when it must be verified and is not, UnavailableError and RefusedError
        when no store could say, InputError when there is no key, no store, or nothing to verify with.
        """
        policy = self._rules.policy_for(asked)
        if policy is Policy.IGNORE:
            return NOT_ASKED
        try:
            return self._once(release.reference, release.name, asked, policy)
        except LayerwatchError as error:
            if policy is Policy.REQUIRE:
                raise
            self._say(f"the release is not verified: {error}")
            return Verification(policy=policy, state=State.UNVERIFIED)

    def _verified(self, release: ImageReference, name: str, asked: ImageReference, policy: Policy) -> Verification:
        if asked.tag is not None and _PUBLISHED_TAG.fullmatch(asked.tag) and asked.tag != name:
            raise _unverified(f"asked for as {asked.tag}, and it is {name}", release)
        found = self._search(release, f"{self._rules.identity}:{name}", self._rules.keys_for(asked), asked)
        return Verification(
            policy=policy,
            state=State.VERIFIED,
            key=",".join(one.fingerprint for one in found),
            reference=found[0].reference,
            store=found[0].store,
            time=found[0].created.strftime("%Y-%m-%dT%H:%M:%SZ") if found[0].created else None,
        )

    def _search(
        self, release: ImageReference, name: str, keys: Sequence[Keyring], asked: ImageReference
    ) -> Sequence[_Evidence]:
        """Evidence for each keyring; no store is asked for more once there is."""
        stores = self._stores(asked, keys)
        found: dict[Keyring, _Evidence] = {}
        faults: list[LayerwatchError] = []
        deadline = self._deadline()
        for number, store in enumerate(stores):
            try:
                for signature in store.signatures(release.pinned, deadline.share(len(stores) - number)):
                    for keyring in (one for one in keys if one not in found):
                        try:
                            found[keyring] = _evidence(signature, keyring, release, name, store.name)
                        except ContentError as fault:
                            faults.append(fault)
                    if all(keyring in found for keyring in keys):
                        return [found[keyring] for keyring in keys]
            except InputError:
                raise
            except LayerwatchError as fault:
                faults.append(fault)
        raise _refusal(release, stores, faults)

    def _stores(self, asked: ImageReference, keys: Sequence[Keyring]) -> Sequence[Store]:
        if not keys:
            raise InputError("there is no key to verify it with", where=str(asked))
        if stores := self._stores_for(asked):
            return stores
        raise InputError(
            "there is no store to look for signatures in",
            where=str(asked),
            next_step="name one with --signature-store (registries.releaseSignatures.stores in the configuration)",
        )


def _evidence(signature: bytes, keyring: Keyring, release: ImageReference, name: str, store: str) -> _Evidence:
    """What one signature is worth. Raises ContentError when it does not satisfy the keyring for this release."""
    signed = verify(signature, keyring)
    claim = parse_claim(signed.content, store)
    if claim.digest != release.pinned:
        raise ContentError(f"signed is another image, {claim.digest.short}", where=store)
    if str(claim.reference) != name:
        raise ContentError(f"signed as {claim.reference}, and it should be {name}", where=store)
    return _Evidence(
        fingerprint=signed.fingerprint, reference=str(claim.reference), store=store, created=signed.created
    )


def _refusal(release: ImageReference, stores: Sequence[Store], faults: Sequence[LayerwatchError]) -> LayerwatchError:
    """A store that did not answer may have the signature: then nothing is known. Else what is false comes first."""
    for kind in (UnavailableError, ContentError, RefusedError):
        told = [fault for fault in faults if isinstance(fault, kind)]
        if told and kind is ContentError:
            return _unverified("; ".join(dict.fromkeys(fault.what for fault in told)), release)
        if told:
            return told[0]
    return _unverified(f"there is no signature of it in {', '.join(store.name for store in stores)}", release)


def _unverified(why: str, release: ImageReference) -> ContentError:
    return ContentError(
        f"the release is not verified: {why}",
        where=str(release),
        next_step=_HINT,
        reason=Reason.RELEASE_UNVERIFIED,
    )
