"""How a forge is reached, and whose name our commits there carry: values from the configuration or from flags.

Secrets are not in it: it says where they are (credentials.py reads them, as late as possible).
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from layering.errors import InputError
from layering.forge.forge import Author
from layering.secrets import Secret

MAX_WAIT_DEFAULT_SECONDS = 60.0
_REPOSITORY_PART = re.compile(r"[A-Za-z0-9_.-]+")
APP_ID = r"[1-9][0-9]*|[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)?"
"""Of an App: its number, or its client id; older ones have a full stop (Iv1.0123…)."""
_AUTHOR = re.compile(r"([^<>]*\w[^<>]*) <([^<>\s]+@[^<>\s]+)>")
_MAIL = re.compile(r".+@.+")
# What git takes off both ends of a name and of an address (ident.c, crud); newer ones leave a full stop there.
_CRUD = "".join(map(chr, range(0x21))) + ".,:;<>\"\\'"


class Kind(StrEnum):
    """Which API a forge speaks. Forgejo speaks Gitea's."""

    LOCAL = "local"
    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


DEFAULT_URLS = {Kind.GITHUB: "https://api.github.com", Kind.GITLAB: "https://gitlab.com/api/v4"}
API_PATHS = {Kind.GITHUB: "/api/v3", Kind.GITLAB: "/api/v4", Kind.GITEA: "/api/v1"}
"""What the address of a kind's API has more than that of its pages, on a host of one's own."""
TOKEN_VARIABLE = "LAYERWATCH_FORGE_TOKEN"  # noqa: S105 a variable's name
TOKEN_VARIABLES = {Kind.GITHUB: "GITHUB_TOKEN", Kind.GITLAB: "GITLAB_TOKEN", Kind.GITEA: "GITEA_TOKEN"}


@dataclass(frozen=True, kw_only=True, slots=True)
class App:
    """A GitHub App: its id (`123` or `Iv23…`), the file with its private key (PEM), its installation's id if known."""

    id: str
    private_key_file: Path
    installation: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgeSettings:
    """One forge. `url` is the REST base without a final slash; empty for the local forge.

    At most one of `token_file`, `token_env` and `app`; without any, `TOKEN_VARIABLE` and then the kind's own variable
    (and after those a workflow's own token, see workflowtoken.py).
    `ca_file`: PEM certificates trusted besides the system's; `insecure`: plain http may be spoken to others than
    loopback. `git_url`: base for git over HTTP, when that is not where the forge serves it.
    `author` is None when it was not said: ours, or with an App GitHub's own. `max_open`: open proposals of ours per
    repository, 0 for no limit. `max_wait_seconds`: how long one call may wait in all for a forge that fails for now.
    """

    name: str
    kind: Kind
    url: str = ""
    token_file: Path | None = None
    token_env: str | None = None
    app: App | None = None
    ca_file: Path | None = None
    insecure: bool = False
    git_url: str | None = None
    author: Author | None = None
    sign_off: bool = False
    commit_prefix: str = ""
    max_open: int = 0
    max_wait_seconds: float = MAX_WAIT_DEFAULT_SECONDS

    @property
    def commits_by(self) -> Author:
        """The author and committer of commits that we make with git."""
        return self.author or Author()


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """What git over HTTP is given: a user name and a password (for forges: the token)."""

    user: str
    password: Secret = field(repr=False)


def parse_author(text: str) -> Author:
    """`NAME <MAIL>`, both as any git writes them into a commit: by that we know our own again. Raises InputError."""
    match = _AUTHOR.fullmatch(text)
    name, email = (part.strip(_CRUD) for part in match.groups()) if match else ("", "")
    if not name or not _MAIL.fullmatch(email) or not text.isprintable():
        raise InputError("an author is NAME <MAIL>", next_step="write it as in Jo Doe <jo@example.com>")
    return Author(name=name, email=email)


def check_app_id(text: str) -> str:
    """The id of a GitHub App itself. Raises InputError."""
    if not re.fullmatch(APP_ID, text):
        raise InputError("no App has such an id", next_step="give its number, or its client id, which begins with Iv")
    return text


def public_forge(name: str) -> ForgeSettings | None:
    """A forge that needs no address: the local one, or one at its public address, by its kind. None for another name.

    Its token comes from the environment.
    """
    kind = next((kind for kind in (Kind.LOCAL, *DEFAULT_URLS) if kind == name), None)
    return ForgeSettings(name=name, kind=kind, url=DEFAULT_URLS.get(kind, "")) if kind else None


def kind_at(url: str) -> Kind | None:
    """The kind that the path of an API's address tells; None when it tells none."""
    return next((kind for kind, path in API_PATHS.items() if url.rstrip("/").endswith(path)), None)


def check_repository(name: str, kind: Kind) -> str:
    """The name itself: OWNER/NAME, of GitLab the full path, of the local forge a path here. Raises InputError."""
    if kind is Kind.LOCAL:
        return name
    parts = name.split("/")
    enough = len(parts) >= 2 if kind is Kind.GITLAB else len(parts) == 2
    if not enough or not all(_REPOSITORY_PART.fullmatch(part) and set(part) != {"."} for part in parts):
        form = "the project's full path, GROUP/…/NAME" if kind is Kind.GITLAB else "OWNER/NAME"
        raise InputError(f"{name!r} is no repository of {kind}", next_step=f"give {form}")
    return name
