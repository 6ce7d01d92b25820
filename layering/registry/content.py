"""Small content that was read and checked, by its repository and digest: it can never be anything else.

By repository, too, because that one repository has a thing says nothing of another. Who asks for what another thread is
reading waits for that.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from layering.once import Remembered
from layering.reference import Digest, Repository

_BYTES_MAX = 8 * 1024 * 1024
_T = TypeVar("_T")


class RememberedContent(Generic[_T]):
    """At most 8 MiB of it, as `size` says in bytes; what was not asked for longest goes first. Thread-safe."""

    def __init__(self, size: Callable[[_T], int], bytes_max: int = _BYTES_MAX) -> None:
        self._held: Remembered[_T] = Remembered(size, bytes_max)

    def __call__(self, repository: Repository, digest: Digest, read: Callable[[], _T]) -> _T:
        """What was remembered, or what `read` gives now. Raises what that raises, to all who wait; it is not kept."""
        return self._held.get((repository, digest), read)
