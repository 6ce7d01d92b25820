"""What git told of a repository's refs, and when: pull requests that changed later may not fit them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Refs:
    """`branches` are the commits of those that were asked for and are there; `pulls` those of all pull requests, by
    number, None when they were not asked for. `at` is when that was asked, as time.monotonic() counts.
    """

    branches: Mapping[str, str]
    pulls: Mapping[int, str] | None
    at: float

    def pulls_of(self, branch: str) -> Sequence[int]:
        """The pull requests that have the branch's commit, newest first."""
        commit = self.branches.get(branch)
        return sorted((number for number, head in (self.pulls or {}).items() if head == commit), reverse=True)
