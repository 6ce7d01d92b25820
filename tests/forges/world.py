"""One repository on a forge, and what people do to the newest pull request in it: the same acts on every forge.

Implementations are the real Gitea, and GitHub's and GitLab's of the tests. What is done with git is the same
everywhere: see `origin`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from layering.forge.settings import ForgeSettings, Kind
from tests.forges.gitea.world import gitea_world
from tests.forges.github import server as github_server
from tests.forges.github.api import Api
from tests.forges.github.apps import installed
from tests.forges.github.state import GitHub, Repository
from tests.forges.github.state import Milestone as GitHubMilestone
from tests.forges.github.state import Pull as GitHubPull
from tests.forges.gitlab import server as gitlab_server
from tests.forges.gitlab.state import DEVELOPER, REPORTER, GitLab, MergeRequest, Project
from tests.forges.gitlab.state import Milestone as GitLabMilestone
from tests.forges.origin import BRANCH, Origin
from tests.forges.standing import PERSON, STRANGER, Standing

_LATER = timedelta(seconds=10)


class World(Protocol):
    """`settings` say how our forge reaches it. Acts are PERSON's, who may push; they come later than ours so far."""

    settings: ForgeSettings
    repository: str
    origin: Origin

    def pulls(self) -> list[Standing]:
        """All there are, oldest first."""

    def add_milestone(self, title: str) -> None:
        """One that is open."""

    def close(self) -> None:
        """Without merging it."""

    def reopen(self) -> None:
        """After it was closed."""

    def merge(self) -> None:
        """By the forge's button; the branch stays."""

    def retarget(self, base: str) -> None:
        """Into another branch."""

    def write(self, *, title: str | None = None, body: str | None = None) -> None:
        """Another title or body."""

    def label(self, name: str) -> None:
        """One more label."""

    def say(self, text: str, who: str = PERSON, *, at_once: bool = False) -> None:
        """A comment; `at_once`: in the second in which we wrote."""


class Crowded(World, Protocol):
    """A forge into which a test lets more people."""

    def let_read(self, who: str) -> None:
        """Somebody who may read, comment, and no more."""


class Open(World, Protocol):
    """A forge on which somebody who may only read can open a pull request of a branch that is there."""

    def open(self, base: str, body: str, who: str) -> None:
        """From our branch into that one. It is the newest then."""


@dataclass(kw_only=True)
class GitHubWorld:
    """See World."""

    settings: ForgeSettings
    repository: str
    origin: Origin
    github: GitHub
    found: Repository

    def pulls(self) -> list[Standing]:
        self.github.after_pushes(self.found)
        return [
            Standing(
                number=each.number,
                state="merged" if each.merged else "open" if each.is_open else "closed",
                title=each.title,
                body=each.body,
                draft=each.draft,
                labels=tuple(each.labels),
                comments=tuple(said.body for said in each.comments),
                answers=sum(len(said.reactions) for said in each.comments),
            )
            for each in self.found.pulls
        ]

    def close(self) -> None:
        self._change(is_open=False)

    def reopen(self) -> None:
        self._change(is_open=True)

    def merge(self) -> None:
        self.github.merge(self.found, self._newest)

    def retarget(self, base: str) -> None:
        self._change(base=base)

    def write(self, *, title: str | None = None, body: str | None = None) -> None:
        given = {"title": title, "body": body}
        self._change(**{name: value for name, value in given.items() if value is not None})

    def label(self, name: str) -> None:
        self._change(labels=[*self._newest.labels, name])

    def say(self, text: str, who: str = PERSON, *, at_once: bool = False) -> None:
        self.github.ahead += timedelta() if at_once else _LATER
        self.github.say(self._newest, self.github.user(who), text)

    def let_read(self, who: str) -> None:
        self.found.permissions[self.github.user(who).id] = "read"

    def open(self, base: str, body: str, who: str) -> None:
        self.github.ahead += _LATER
        self.github.create(self.found, self.github.user(who), BRANCH, base, "Have a look", body)

    def add_milestone(self, title: str) -> None:
        self.found.milestones.append(GitHubMilestone(number=1, title=title))

    @property
    def _newest(self) -> GitHubPull:
        return self.found.pulls[-1]

    def _change(self, **fields: object) -> None:
        self.github.ahead += _LATER
        self.github.change(self._newest, **fields)


@dataclass(kw_only=True)
class GitLabWorld:
    """See World."""

    settings: ForgeSettings
    repository: str
    origin: Origin
    gitlab: GitLab
    project: Project

    def pulls(self) -> list[Standing]:
        self.gitlab.after_pushes(self.project)
        return [
            Standing(
                number=each.iid,
                state={"opened": "open"}.get(each.state, each.state),
                title=each.title.removeprefix("Draft: "),
                body=each.description,
                draft=each.title.startswith("Draft: "),
                labels=tuple(each.labels),
                comments=tuple(said.body for said in each.notes if not said.system),
                answers=sum(len(said.awards) for said in each.notes),
            )
            for each in self.project.merge_requests
        ]

    def close(self) -> None:
        self._change(state="closed")

    def reopen(self) -> None:
        self._change(state="opened")

    def merge(self) -> None:
        self.gitlab.merge(self.project, self._newest, self.gitlab.user(PERSON))

    def retarget(self, base: str) -> None:
        self._change(target_branch=base)

    def write(self, *, title: str | None = None, body: str | None = None) -> None:
        given = {"title": title, "description": body}
        self._change(**{name: value for name, value in given.items() if value is not None})

    def label(self, name: str) -> None:
        self._change(labels=[*self._newest.labels, name])

    def say(self, text: str, who: str = PERSON, *, at_once: bool = False) -> None:
        self.gitlab.ahead += timedelta() if at_once else _LATER
        self.gitlab.note(self._newest, self.gitlab.user(who), text)

    def let_read(self, who: str) -> None:
        self.project.members[self.gitlab.user(who).id] = REPORTER

    def add_milestone(self, title: str) -> None:
        self.project.milestones.append(GitLabMilestone(id=self.gitlab.number(), title=title))

    @property
    def _newest(self) -> MergeRequest:
        return self.project.merge_requests[-1]

    def _change(self, **fields: object) -> None:
        self.gitlab.ahead += _LATER
        self.gitlab.change(self._newest, self.gitlab.user(PERSON), "changed something", **fields)


@contextmanager
def github_world(directory: Path) -> Iterator[World]:
    """A GitHub with one repository."""
    token = directory / "token"
    token.write_text(f"{github_server.TOKEN}\n")
    with _github(directory, {"token_file": token}) as (made, _):
        yield made


@contextmanager
def github_app_world(directory: Path) -> Iterator[World]:
    """The same, in which we are an App whose commits GitHub signs."""
    with _github(directory, {}) as (made, api):
        _, app = installed(made.github, api, directory)
        made.settings = replace(made.settings, app=app)
        yield made


@contextmanager
def _github(directory: Path, keys: Mapping[str, Any]) -> Iterator[tuple[GitHubWorld, Api]]:
    with github_server.github_at(directory / "repositories") as (github, api, address):
        found = github_server.add_repository(github, directory / "repositories")
        found.permissions |= {github.user(PERSON).id: "write", github.user(STRANGER).id: "read"}
        url = f"http://{address}/api/v3"
        settings = ForgeSettings(name="github", kind=Kind.GITHUB, url=url, max_wait_seconds=60, **keys)
        world = GitHubWorld(settings=settings, repository=found.name, origin=found.origin, github=github, found=found)
        yield world, api


@contextmanager
def gitlab_world(directory: Path) -> Iterator[World]:
    """A GitLab with one project."""
    token = directory / "token"
    token.write_text(f"{gitlab_server.TOKEN}\n")
    with gitlab_server.gitlab_at(directory / "repositories") as (gitlab, address):
        project = gitlab_server.add_project(gitlab, directory / "repositories")
        project.members[gitlab.user(PERSON).id] = DEVELOPER
        gitlab.user(STRANGER)
        settings = ForgeSettings(
            name="gitlab", kind=Kind.GITLAB, url=f"http://{address}/api/v4", token_file=token, max_wait_seconds=60
        )
        yield GitLabWorld(
            settings=settings, repository=project.path, origin=project.origin, gitlab=gitlab, project=project
        )


WORLDS: dict[Kind, Callable[[Path], AbstractContextManager[World]]] = {
    Kind.GITHUB: github_world,
    Kind.GITLAB: gitlab_world,
    Kind.GITEA: gitea_world,
}
