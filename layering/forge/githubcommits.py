"""Commits that GitHub makes and signs for an App: a tree, and a commit without an author, on no branch yet.

docs.github.com/rest/git; "About commit signature verification" says that what a bot commits without naming an author,
a committer or a signature is signed by GitHub. Which files, is not decided here.
"""

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from layering.errors import UnavailableError
from layering.excerpt import without_secrets
from layering.forge.credentials import Credentials
from layering.forge.exchange import Exchange
from layering.forge.githubapp import InstallationTokens
from layering.forge.settings import ForgeSettings
from layering.forge.treechange import TreeChange
from layering.git import COMMIT_ID
from layering.reasons import Reason


class GitHubCommits:
    """The commits of one forge. Safe to use from threads."""

    def __init__(self, settings: ForgeSettings, exchange: Exchange, credentials: Credentials) -> None:
        self._settings = settings
        self._exchange = exchange
        self._app = credentials if isinstance(credentials, InstallationTokens) else None
        self._authors: tuple[str, ...] | None = None
        self._guard = threading.Lock()

    @property
    def are_signed(self) -> bool:
        """Whether GitHub makes them: for an App that was not told an author of its own."""
        return self._app is not None and self._settings.author is None

    def commit(self, repository: str, change: TreeChange, message: str) -> tuple[str, tuple[str, ...]]:
        """See Host.commit. The tree's id says that GitHub has the very bytes, modes and names (gitformat-pack(5))."""
        git = f"repos/{quote(repository)}/git"
        entries = [
            {"path": path, "mode": change.modes[path], "type": "blob", "content": change.files[path].decode()}
            for path in change.modes
        ]
        made = self._exchange.send("POST", f"{git}/trees", {"base_tree": change.before, "tree": entries}).json
        if _in(made, "sha") != change.after:
            raise _odd("it made another tree than the one it was told to make")
        fields = {"message": message, "tree": change.after, "parents": [change.parent]}
        answer = self._exchange.send("POST", f"{git}/commits", fields)
        commit = str(_in(answer.json, "sha"))
        if not COMMIT_ID.fullmatch(commit):
            raise _odd("its answer names no commit")
        return commit, _unsigned(answer.json, commit)

    def authors(self) -> tuple[str, ...]:
        """The App's user, who is the author, and GitHub, the committer. Two requests, once.

        Enterprise Server, and GitHub with data residency, have addresses of their own host.
        """
        with self._guard:
            if self._authors is None and self._app is not None:
                login = f"{self._app.slug()}[bot]"
                number = _in(self._exchange.get(f"users/{quote(login)}").json, "id")
                host = _host(self._settings.url)
                self._authors = (f"{number}+{login}@users.noreply.{host}", f"noreply@{host}", "noreply@github.com")
            return self._authors or ()


def _host(url: str) -> str:
    """Which host its no-reply addresses are of: `https://api.github.com`, `https://HOST/api/v3`."""
    return (urlsplit(url).hostname or "").removeprefix("api.")


def _unsigned(made: Any, commit: str) -> tuple[str, ...]:
    """A line for people when GitHub says that it did not sign the commit; it goes on the branch all the same."""
    told = made.get("verification") if isinstance(made, Mapping) else None
    if not isinstance(told, Mapping) or told.get("verified") is not False:
        return ()
    why = str(told.get("reason") or "without a reason")
    return (
        f"GitHub did not sign commit {commit[:12]} ({without_secrets(why)}): "
        "where a rule wants signed commits, it cannot be merged",
    )


def _in(document: Any, *names: str) -> Any:
    for name in names:
        if not isinstance(document, Mapping) or name not in document:
            raise _odd(f"its answer has no {name}")
        document = document[name]
    return document


def _odd(what: str) -> UnavailableError:
    return UnavailableError(
        what, where="GitHub", next_step="see whether `url` is GitHub's API", reason=Reason.FORGE_UNREACHABLE
    )
