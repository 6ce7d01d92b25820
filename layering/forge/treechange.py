"""What a commit does to its parent's tree, as git made it here, so that a forge that makes it can be held to that."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeChange:
    """`before` and `after` are git's ids of the whole trees, `parent` is the commit that has the first.

    `files` has the content of each file that differs, `modes` its mode (git's six digits).
    """

    parent: str
    before: str
    after: str
    files: Mapping[str, bytes] = field(repr=False)
    modes: Mapping[str, str]
