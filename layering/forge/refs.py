"""What git told of a repository's refs, and when: pull requests that changed later may not fit them."""

from collections.abc import Mapping
from dataclasses import dataclass

from layering.forge.forge import OUR_BRANCHES


@dataclass(frozen=True, kw_only=True, slots=True)
class Refs:
    """`branches` are the commits of those that were asked for and are there; `pulls` those of all pull requests, by
    number, None when they were not asked for. `at` is when that was asked, as time.monotonic() counts.
    """

    branches: Mapping[str, str]
    pulls: Mapping[int, str] | None
    at: float

    def only_pull_of(self, branch: str) -> int | None:
        """The pull request that has the branch's commit. None when several have it or none, and when the branch is not
        the only one of ours: who looks at several is told of all their pull requests by one listing.
        """
        ours = [name for name in self.branches if name.startswith(OUR_BRANCHES)]
        commit = self.branches.get(branch)
        numbers = [number for number, head in (self.pulls or {}).items() if head == commit]
        return numbers[0] if ours == [branch] and len(numbers) == 1 else None
