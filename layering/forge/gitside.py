"""The git side of one repository on a forge: found where the forge serves git, and asked for refs.

The forge tells that address with each pull request. Before it has told any, git is tried beside the API, where forges
serve it unless somebody put another server in between: then the forge is asked, for one request more.
"""

import threading
import time
from collections.abc import Callable, Sequence

from layering.errors import LayerwatchError, UnavailableError
from layering.forge.host import Host
from layering.forge.pullrequest import Repository
from layering.forge.refs import Refs
from layering.forge.remotegit import RemoteGit

OpenGit = Callable[[str, str, Callable[[], bool]], RemoteGit]
"""Makes a RemoteGit from the repository's name, its URL, and whether it may be waited for."""


class GitSide:
    """Safe to use from threads. Raises what Host and RemoteGit raise."""

    def __init__(self, host: Host, name: str, told: Callable[[], str | None], open_git: OpenGit) -> None:
        """`told` is the URL that pull requests told so far."""
        self._host = host
        self._name = name
        self._told = told
        self._open_git = open_git
        self._git: RemoteGit | None = None
        self._url = ""
        self._is_sure = False  # that git is served there
        self._described: Repository | None = None
        self._guard = threading.RLock()

    @property
    def git(self) -> RemoteGit:
        """git at the address that is believed to be it by now."""
        with self._guard:
            if self._git is None:
                url = self._host.git_url(self._name, self._told())
                self._is_sure = url is not None
                url = url or self._host.git_url_beside_the_api(self._name)
                self._git = self._opened(url) if url is not None else self._opened_as_told()
            return self._git

    def refs(self, branches: Sequence[str], *, with_pulls: bool) -> Refs:
        """Those branches (as RemoteGit.refs takes them), with the heads of all pull requests when told so."""
        with self._guard:
            git, is_sure, url = self.git, self._is_sure, self._url
        refused: LayerwatchError | None = None
        try:
            refs = _read(git, branches, with_pulls)
        except LayerwatchError as error:
            if is_sure:
                raise
            refused = None if isinstance(error, UnavailableError) else error
        else:
            if is_sure or refs.branches:  # a page of something else looks like a repository without branches
                self._is_sure = True
                return refs
        with self._guard:
            if self._git is git:
                self._opened_as_told()
            if refused is not None and self._url == url:
                raise refused  # it would be again
            git = self.git
        return _read(git, branches, with_pulls)

    def described(self) -> Repository:
        """What the forge says of the repository, asked once."""
        with self._guard:
            if self._described is None:
                self._described = self._host.repository(self._name)
            return self._described

    def forget_described(self) -> None:
        """Ask for it again the next time."""
        with self._guard:
            self._described = None

    def close(self) -> None:
        """Take away what git fetched."""
        if self._git is not None:
            self._git.close()

    def _opened(self, url: str) -> RemoteGit:
        self._url = url
        return self._open_git(self._name, url, lambda: self._is_sure)

    def _opened_as_told(self) -> RemoteGit:
        """Raises what is wrong, when the forge knows of no such repository."""
        told = self.described().clone_url
        self._git = self._opened(self._host.git_url(self._name, told) or told)
        self._is_sure = True
        return self._git


def _read(git: RemoteGit, branches: Sequence[str], with_pulls: bool) -> Refs:
    at = time.monotonic()
    if not with_pulls:
        return Refs(branches=git.refs(branches), pulls=None, at=at)
    heads, pulls = git.refs_and_pulls(branches)
    return Refs(branches=heads, pulls=pulls, at=at)
