"""git over HTTP to a forge's repository: its refs, the files of a commit, one commit of ours pushed with a lease.

Content goes by git, pull requests by the forge's API. Nothing but `refs/heads/<branch>` is ever written; the token
never stands in an argument, a URL, a configuration file or an output.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from layering.forge.forge import Author
from layering.forge.settings import Login
from layering.gitrepository import Commit


class RemoteGit:
    """One repository behind a URL, with what was fetched of it kept in a temporary directory until `close`.

    Safe to use from threads. Every method raises RefusedError (ForgeRefused: login, protected branch, hook),
    NotFoundError, UnavailableError (ForgeUnreachable).
    """

    def __init__(self, url: str, login: Login | None, ca_pem_file: str | None, insecure: bool) -> None: ...

    def refs(self, branches: Sequence[str]) -> Mapping[str, str]:
        """The commits of those branches (short names; one ending in `/*` for all below) that are there. 2 requests."""
        raise NotImplementedError

    def file(self, commit: str, path: str) -> bytes | None:
        """A file of a commit, fetched without history and other files' bytes."""
        raise NotImplementedError

    def commit(self, commit: str) -> Commit:
        """A commit's facts."""
        raise NotImplementedError

    def changed_files(self, commit: str) -> Sequence[str]:
        """The paths that differ between a commit and its first parent."""
        raise NotImplementedError

    def add_commit(self, parent: str, files: Mapping[str, bytes], message: str, by: Author, when: datetime) -> str:
        """Make a commit here, not there: `parent` with these files replaced or added. Its id."""
        raise NotImplementedError

    def push(self, commit: str, branch: str, old: str | None) -> bool:
        """Move the branch to `commit` when it still holds `old` (None: is not there). False when it does not."""
        raise NotImplementedError

    def close(self) -> None:
        """Take away what was fetched."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
