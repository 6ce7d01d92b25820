"""Forges in which a test makes many repositories, sees each of our requests, and looks at what came of them.

The same of all kinds: what one of them can do, or gets wrong, is in its own directory here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from layering.forge.settings import ForgeSettings, Kind
from tests.forges.gitea.server import BOT, OWNER, gitea
from tests.forges.gitea.world import GiteaWorld, gitea_settings, new_world
from tests.forges.github.server import BOT as GITHUB_BOT
from tests.forges.github.server import TOKEN as GITHUB_TOKEN
from tests.forges.github.server import add_repository, github_at
from tests.forges.github.state import Milestone as GitHubMilestone
from tests.forges.gitlab.server import BOT as GITLAB_BOT
from tests.forges.gitlab.server import TOKEN, add_project, gitlab_at
from tests.forges.gitlab.state import DEVELOPER, MergeRequest, Milestone
from tests.forges.origin import Origin
from tests.forges.standing import PERSON
from tests.forges.watched import Watched, watched

MILESTONE = "4.19"
LATER = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Pull:
    """One pull request as the forge itself has it."""

    is_open: bool
    head: str
    title: str
    body: str
    labels: frozenset[str]
    reviewers: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Place:
    """`add` makes a repository of that name, with these files, in which PERSON may push; `pulls` are all it has.

    `comment` lets PERSON say something in each of them, some time after all that was written there so far. `open` is a
    pull request of our own user's, of a branch of this name, with a title and a body: as if we had made it before.
    """

    forge: Watched
    add: Callable[[str, Mapping[str, str]], Origin]
    pulls: Callable[[str], list[Pull]]
    comment: Callable[[str, str], None]
    open: Callable[[str, str, str, str], object]


@contextmanager
def gitlab_place(directory: Path) -> Iterator[Place]:
    """The GitLab of the tests."""
    root, token = directory / "gitlab", directory / "token"
    token.write_text(f"{TOKEN}\n")
    with gitlab_at(root) as (gitlab, address):

        def add(name: str, files: Mapping[str, str]) -> Origin:
            project = add_project(gitlab, root, name)
            project.members[gitlab.user(PERSON).id] = DEVELOPER
            project.milestones.append(Milestone(id=gitlab.number(), title=MILESTONE))
            project.origin.commit(files)
            return project.origin

        def comment(name: str, text: str) -> None:
            gitlab.ahead += LATER
            for each in requests(name):
                gitlab.note(each, gitlab.user(PERSON), text)

        def requests(name: str) -> Sequence[MergeRequest]:
            project = gitlab.project(name)
            assert project is not None
            return project.merge_requests

        def pulls(name: str) -> list[Pull]:
            return [
                Pull(
                    is_open=each.state == "opened",
                    head=each.source_branch,
                    title=each.title,
                    body=each.description,
                    labels=frozenset(each.labels),
                    reviewers=frozenset(user.username for user in each.reviewers),
                )
                for each in requests(name)
            ]

        def open_pull(name: str, head: str, title: str, body: str) -> object:
            project = gitlab.project(name)
            assert project is not None
            return gitlab.create(project, gitlab.user(GITLAB_BOT), head, "main", title, body)

        settings = ForgeSettings(
            name="gitlab", kind=Kind.GITLAB, url=f"http://{address}/api/v4", token_file=token, max_wait_seconds=20
        )
        with watched(settings, f"http://{address}") as forge:
            yield Place(forge=forge, add=add, pulls=pulls, comment=comment, open=open_pull)


@contextmanager
def github_place(directory: Path) -> Iterator[Place]:
    """The GitHub of the tests."""
    root, token = directory / "github", directory / "github-token"
    token.write_text(f"{GITHUB_TOKEN}\n")
    with github_at(root) as (github, _, address):

        def add(name: str, files: Mapping[str, str]) -> Origin:
            made = add_repository(github, root, name)
            made.permissions[github.user(PERSON).id] = "write"
            made.milestones.append(GitHubMilestone(number=1, title=MILESTONE))
            made.origin.commit(files)
            return made.origin

        def comment(name: str, text: str) -> None:
            github.ahead += LATER
            found = github.repository(name)
            assert found is not None
            for each in found.pulls:
                github.say(each, github.user(PERSON), text)

        def pulls(name: str) -> list[Pull]:
            found = github.repository(name)
            assert found is not None
            return [
                Pull(
                    is_open=each.is_open,
                    head=each.head,
                    title=each.title,
                    body=each.body,
                    labels=frozenset(each.labels),
                    reviewers=frozenset(user.login for user in each.reviewers),
                )
                for each in found.pulls
            ]

        def open_pull(name: str, head: str, title: str, body: str) -> object:
            found = github.repository(name)
            assert found is not None
            return github.create(found, github.user(GITHUB_BOT), head, "main", title, body)

        settings = ForgeSettings(
            name="github", kind=Kind.GITHUB, url=f"http://{address}/api/v3", token_file=token, max_wait_seconds=20
        )
        with watched(settings, f"http://{address}") as forge:
            yield Place(forge=forge, add=add, pulls=pulls, comment=comment, open=open_pull)


@contextmanager
def gitea_place(directory: Path) -> Iterator[Place]:
    """The real Gitea of this process. Repositories go in the end, so that the next place has none."""
    running, worlds = gitea(), dict[str, GiteaWorld]()

    def add(name: str, files: Mapping[str, str]) -> Origin:
        made = new_world(directory, forge.settings, name.removeprefix(f"{OWNER}/"), files)
        worlds[name] = made
        made.api("POST", "milestones", title=MILESTONE)
        return made.origin

    def comment(name: str, text: str) -> None:
        for each in worlds[name].listed():
            worlds[name].say_in(each["number"], text)

    def pulls(name: str) -> list[Pull]:
        return [
            Pull(
                is_open=each["state"] == "open",
                head=each["head"]["ref"],
                title=each["title"],
                body=each["body"],
                labels=frozenset(label["name"] for label in each["labels"]),
                reviewers=frozenset(user["login"] for user in each["requested_reviewers"] or ()),
            )
            for each in worlds[name].listed()
        ]

    def open_pull(name: str, head: str, title: str, body: str) -> object:
        return worlds[name].api("POST", "pulls", BOT, head=head, base="main", title=title, body=body)

    with watched(gitea_settings(directory, running.address), f"http://{running.address}") as forge:
        yield Place(forge=forge, add=add, pulls=pulls, comment=comment, open=open_pull)
    for name in worlds:
        running.api("DELETE", f"repos/{name}")


PLACES: Mapping[Kind, Callable[[Path], AbstractContextManager[Place]]] = {
    Kind.GITHUB: github_place,
    Kind.GITLAB: gitlab_place,
    Kind.GITEA: gitea_place,
}
OUR_OWN = (Kind.GITHUB, Kind.GITLAB)  # a push into the real one takes half a second
