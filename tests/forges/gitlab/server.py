"""A GitLab on loopback: its API and its repositories at one address, as a real one has them."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path

from tests.forges.gitlab.api import PREFIX, Api
from tests.forges.gitlab.state import DEVELOPER, GitLab, Project
from tests.forges.origin import new_origin
from tests.git_http import Asked, Served, git_served, serving

BOT, TOKEN = "layerwatch-bot", "glpat-t0ken_with-odd=bytes"
PATH = "acme/infra/cluster-config"


@contextmanager
def gitlab_at(root: Path) -> Iterator[tuple[GitLab, str]]:
    """One that has our user and its token, and its address (HOST:PORT). Repositories are below `root`."""
    gitlab = GitLab()
    gitlab.tokens[TOKEN] = gitlab.user(BOT)
    api = Api(gitlab)

    def answer(asked: Asked, body: bytes) -> Served:
        site = f"http://{asked.headers['host']}"
        if asked.target.startswith(PREFIX):
            served = api.answer(asked, body, site)
            return Served(
                status=served.status,
                headers={**served.headers, "Date": format_datetime(gitlab.now(), usegmt=True)},
                body=served.body,
            )
        return _git(gitlab, root, asked, body)

    with serving(answer, lambda asked, serve: gitlab.between(asked, serve)) as address:
        yield gitlab, address


def add_project(gitlab: GitLab, root: Path, path: str = PATH) -> Project:
    """A new one with a commit, in which our user is a developer."""
    origin = new_origin(root / f"{path}.git")
    origin.commit({"README.md": "the clusters\n"})
    project = Project(id=gitlab.number(), path=path, origin=origin)
    project.members[gitlab.user(BOT).id] = DEVELOPER
    gitlab.projects.append(project)
    return project


def _git(gitlab: GitLab, root: Path, asked: Asked, body: bytes) -> Served:
    """Any user name does with a token; who may not push, and an archived project, are told so with 403."""
    login = asked.headers.get("authorization", "")
    password = base64.b64decode(login.removeprefix("Basic ")).decode().partition(":")[2]
    user = gitlab.tokens.get(password)
    if user is None:
        return Served(status=401, headers={"WWW-Authenticate": 'Basic realm="GitLab"'})
    path = asked.target.lstrip("/").partition(".git/")[0]
    project = gitlab.project(path)
    level = project.members.get(user.id, 0) if project else 0
    if project is None or not (level or project.public):
        return Served(status=404, body=b"The project you were looking for could not be found.")
    if "receive-pack" in asked.target and (project.archived or level < DEVELOPER):
        return Served(status=403, body=b"You are not allowed to push code to this project.")
    return git_served(root, login, asked, body)
