"""Commits that GitHub makes and signs for an App: a tree, a commit without an author, and the branch on it.

docs.github.com/rest/git; "About commit signature verification" says that what a bot commits without naming an author,
a committer or a signature is signed by GitHub. Which branch and which files, is not decided here.
"""

import re
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from layering.errors import ConflictError, NotFoundError, UnavailableError
from layering.excerpt import without_secrets
from layering.forge.answers import Answer, refusal
from layering.forge.credentials import Credentials
from layering.forge.exchange import Exchange
from layering.forge.githubapp import InstallationTokens
from layering.forge.settings import ForgeSettings
from layering.forge.treechange import TreeChange
from layering.reasons import Reason

_LOSES_COMMITS = re.compile(r"not a fast.forward", re.IGNORECASE)
_MOVED = re.compile(r"already exists|does not exist")


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

    def commit(
        self, repository: str, branch: str, change: TreeChange, *, old: str | None, message: str
    ) -> tuple[str, tuple[str, ...]]:
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
        self._move(git, branch, commit, old)
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

    def _move(self, git: str, branch: str, commit: str, old: str | None) -> None:
        """Raises ConflictError when the branch is not as it was.

        REST has no compare-and-swap. Making a branch is refused by GitHub when it is there; so is moving it without
        `force` when that would lose a commit, whoever pushed it and when, which is tried first. What is left is our
        commit in the place of an older one of ours, on another tip: it needs `force`, so the branch is read once more,
        right before. A push between these two requests is lost, and nothing that REST answers would tell of it.
        """
        where = f"{self._settings.name}: {branch}"
        if old is None:
            fields = {"ref": f"refs/heads/{branch}", "sha": commit}
            answer = self._exchange.send("POST", f"{git}/refs", fields, expect=(422,))
        else:
            self._check_head(git, branch, old, where)
            answer = self._moved(git, branch, commit, force=False)
            if answer.status == 422 and _LOSES_COMMITS.search(answer.message):
                self._check_head(git, branch, old, where)
                answer = self._moved(git, branch, commit, force=True)
        if answer.status == 422 and _MOVED.search(answer.message):
            raise _conflict(where)
        if answer.status >= 400:
            raise refusal(answer, where)

    def _moved(self, git: str, branch: str, commit: str, *, force: bool) -> Answer:
        path = f"{git}/refs/{quote(f'heads/{branch}', safe='')}"
        return self._exchange.send("PATCH", path, {"sha": commit, "force": force}, expect=(422,))

    def _check_head(self, git: str, branch: str, old: str, where: str) -> None:
        if self._head(git, branch) != old:
            raise _conflict(where)

    def _head(self, git: str, branch: str) -> str | None:
        try:
            answer = self._exchange.get(f"{git}/ref/{quote(f'heads/{branch}', safe='')}")
        except NotFoundError:
            return None
        return str(_in(answer.json, "object", "sha"))


def _host(url: str) -> str:
    """Which host its no-reply addresses are of: `https://api.github.com`, `https://HOST/api/v3`."""
    return (urlsplit(url).hostname or "").removeprefix("api.")


def _conflict(where: str) -> ConflictError:
    return ConflictError("the branch was moved by somebody else", where=where, next_step="look at it again")


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
