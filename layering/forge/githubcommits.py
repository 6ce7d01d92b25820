"""Commits that GitHub makes and signs for an App: blobs, a tree, a commit without an author, and the branch on it.

docs.github.com/rest/git; "About commit signature verification" says that what a bot commits without naming an author,
a committer or a signature is signed by GitHub. Which branch and which files, is not decided here.
"""

import base64
import hashlib
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from layering.errors import ConflictError, NotFoundError, UnavailableError
from layering.forge.answers import refusal
from layering.forge.credentials import Credentials
from layering.forge.exchange import Exchange
from layering.forge.githubapp import InstallationTokens
from layering.forge.settings import ForgeSettings
from layering.reasons import Reason

_FILE = "100644"


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
        self, repository: str, branch: str, *, parent: str, old: str | None, message: str, files: Mapping[str, bytes]
    ) -> str:
        """See Host.commit."""
        git = f"repos/{quote(repository)}/git"
        tree = str(_in(self._exchange.get(f"{git}/commits/{parent}").json, "tree", "sha"))
        entries = [
            {"path": path, "mode": self._mode(git, tree, path), "type": "blob", "sha": self._blob(git, content)}
            for path, content in files.items()
        ]
        made = self._made(f"{git}/trees", {"base_tree": tree, "tree": entries})
        commit = self._made(f"{git}/commits", {"message": message, "tree": made, "parents": [parent]})
        self._move(git, branch, commit, old)
        return commit

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

    def _mode(self, git: str, tree: str, path: str) -> str:
        """That of the file as it is; of a new one, a plain file's."""
        *folders, name = path.split("/")
        for folder in folders:
            found = self._entry(git, tree, folder)
            if found is None or found.get("type") != "tree":
                return _FILE
            tree = str(_in(found, "sha"))
        found = self._entry(git, tree, name)
        return str(_in(found, "mode")) if found is not None else _FILE

    def _entry(self, git: str, tree: str, name: str) -> Mapping[str, Any] | None:
        """Of one directory; what a tree is called by never changes, so it is asked for once (ETag)."""
        listed = _in(self._exchange.get(f"{git}/trees/{tree}").json, "tree")
        return next((each for each in listed if each.get("path") == name), None)

    def _blob(self, git: str, content: bytes) -> str:
        """Its name, which says that GitHub has the very bytes (gitformat-pack(5): hash of a header and the content)."""
        made = self._made(f"{git}/blobs", {"content": base64.b64encode(content).decode(), "encoding": "base64"})
        header = b"blob %d\0" % len(content)
        if made != hashlib.sha1(header + content, usedforsecurity=False).hexdigest():
            raise _odd("it stored other bytes than it was sent")
        return made

    def _made(self, path: str, fields: Mapping[str, Any]) -> str:
        return str(_in(self._exchange.send("POST", path, fields).json, "sha"))

    def _move(self, git: str, branch: str, commit: str, old: str | None) -> None:
        """REST has no compare-and-swap: looked at just before. Raises ConflictError when it is not as it was."""
        where = f"{self._settings.name}: {branch}"
        if old is None:
            fields: dict[str, Any] = {"ref": f"refs/heads/{branch}", "sha": commit}
            answer = self._exchange.send("POST", f"{git}/refs", fields, expect=(422,))
        else:
            if self._head(git, branch) != old:
                raise _moved(where)
            path = f"{git}/refs/{quote(f'heads/{branch}', safe='')}"
            answer = self._exchange.send("PATCH", path, {"sha": commit, "force": True}, expect=(422,))
        if answer.status == 422 and ("already exists" in answer.message or "does not exist" in answer.message):
            raise _moved(where)
        if answer.status >= 400:
            raise refusal(answer, where)

    def _head(self, git: str, branch: str) -> str | None:
        try:
            answer = self._exchange.get(f"{git}/ref/{quote(f'heads/{branch}', safe='')}")
        except NotFoundError:
            return None
        return str(_in(answer.json, "object", "sha"))


def _host(url: str) -> str:
    """Which host its no-reply addresses are of: `https://api.github.com`, `https://HOST/api/v3`."""
    return (urlsplit(url).hostname or "").removeprefix("api.")


def _moved(where: str) -> ConflictError:
    return ConflictError("the branch was moved by somebody else", where=where, next_step="look at it again")


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
