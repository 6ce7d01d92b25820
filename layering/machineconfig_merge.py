"""Which of several MachineConfigs decides a pool's osImageURL, and why.

The rule is the Machine Config Operator's (openshift/machine-config-operator, pkg/controller/common/helpers.go,
`MergeMachineConfigs`): first those labelled `worker`, by name, then all others, by name; the last one with an
osImageURL stands. What lies in the cluster and not in the file is not seen here.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_WORKER = "worker"
_POOLS_OF_THEIR_OWN = frozenset({"master", "arbiter", _WORKER})
"""These pools select by their own label alone; a custom pool is one of workers and selects `worker` as well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One MachineConfig that may set osImageURL. `role` is its pool label; `generated` ones do not count."""

    name: str
    role: str | None
    image: str | None
    line: int
    generated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The claim that stands, those it overrides, and the rule in a sentence."""

    winner: Claim
    overridden: tuple[Claim, ...]
    why: str


def winner(claims: Iterable[Claim], pool: str) -> Verdict | None:
    """Whose osImageURL the nodes of `pool` get. None when no claim for that pool has one."""
    roles = {pool} if pool in _POOLS_OF_THEIR_OWN else {pool, _WORKER}
    counted = [claim for claim in claims if claim.role in roles and claim.image and not claim.generated]
    if not counted:
        return None
    *overridden, last = sorted(counted, key=lambda claim: (claim.role != _WORKER, claim.name.encode()))
    return Verdict(winner=last, overridden=tuple(overridden), why=_why(last, overridden))


def _why(last: Claim, overridden: list[Claim]) -> str:
    if not overridden:
        return "it is the only one that sets osImageURL"
    if all(claim.role == last.role for claim in overridden):
        return "of one pool's MachineConfigs the last by name decides"
    return f"those labelled {last.role} are applied after those labelled {_WORKER}, whatever their names"
