"""A GitHub on loopback: its API and its repositories at one address, as GitHub Enterprise Server has them."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path

from tests.forges.github.api import PREFIX, Api
from tests.forges.github.described import judged
from tests.forges.github.state import PUSHERS, GitHub, Repository
from tests.forges.origin import new_origin
from tests.git_http import Asked, Served, git_served, serving

BOT, TOKEN = "layerwatch-bot", "ghp_0123456789abcdefABCDEF0123456789abcd"
NAME = "acme/cluster-config"


@contextmanager
def github_at(root: Path) -> Iterator[tuple[GitHub, Api, str]]:
    """One that has our user and its token, its API, to plug routes in, and its address (HOST:PORT).

    Repositories are below `root`. What its API is asked and answers must be as GitHub describes it (described.py).
    """
    github = GitHub()
    github.tokens[TOKEN] = github.user(BOT)
    api = Api(github)

    def answer(asked: Asked, body: bytes) -> Served:
        if asked.target.startswith(PREFIX):
            served = heard.note(asked, body, api.answer(asked, body, f"http://{asked.headers['host']}"))
            date = {"Date": format_datetime(github.now(), usegmt=True)}
            return Served(status=served.status, headers={**served.headers, **date}, body=served.body)
        return _git(github, root, asked, body)

    with judged() as heard, serving(answer, lambda asked, serve: github.between(asked, serve)) as address:
        yield github, api, address


def add_repository(github: GitHub, root: Path, name: str = NAME) -> Repository:
    """A new one with a commit, into which our user may push."""
    origin = new_origin(root / f"{name}.git")
    origin.commit({"README.md": "the clusters\n"})
    made = Repository(id=github.number(), name=name, origin=origin)
    made.permissions[github.user(BOT).id] = "write"
    github.repositories.append(made)
    return made


def _git(github: GitHub, root: Path, asked: Asked, body: bytes) -> Served:
    """Any user name does with a token; who may not push, and an archived repository, are told so with 403."""
    login = asked.headers.get("authorization", "")
    password = base64.b64decode(login.removeprefix("Basic ")).decode().partition(":")[2]
    user = github.tokens.get(password)
    if user is None:
        return Served(status=401, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
    found = github.repository(asked.target.lstrip("/").partition(".git/")[0])
    if found is None or (user.id not in found.permissions and not found.public):
        return Served(status=404, body=b"Repository not found.")
    if "receive-pack" in asked.target and (found.archived or found.permissions.get(user.id) not in PUSHERS):
        return Served(status=403, body=b"Permission to it denied.")
    return git_served(root, login, asked, body)
