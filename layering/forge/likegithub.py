"""What GitHub's REST API and Gitea's, which was made after it, have in common: issues' comments, and lists of pulls.

Subclasses say what one of their pull requests is. Where the two differ, each does it by itself.
"""

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from layering.forge.answers import Answer
from layering.forge.apihost import ApiHost
from layering.forge.manners import TEAM
from layering.forge.pullrequest import Comment, PullPage, PullRequest, Repository

REFUSED = (400, 403, 404, 409, 410, 422)  # answers that say no to what was asked, and not to who asked


class LikeGitHub(ApiHost):
    """Part of Host. `newest_change_first` are the parameters that sort pull requests so, `page` is a page's length."""

    newest_change_first: Mapping[str, str | int]
    page: Mapping[str, str | int]

    @abstractmethod
    def _of(self, found: Any) -> PullRequest:
        """One pull request. Raises TypeError, KeyError, ValueError, AttributeError for what is none."""

    def repository(self, name: str) -> Repository:
        """See Host."""
        return self._repository(self._exchange.get(path_of(name)).json)

    def _repository(self, found: Any) -> Repository:
        return self._read(
            lambda: Repository(
                clone_url=found["clone_url"], url=found["html_url"], archived=found.get("archived") is True
            ),
            "a repository",
        )

    def changed_pulls(self, repository: str, since: datetime, *, below: str) -> Sequence[PullRequest]:
        """See Host."""
        listed = self._listed(repository, {"state": "all", **self.newest_change_first})
        changed = itertools.takewhile(lambda pull: pull.updated >= since, listed)
        return [pull for pull in changed if pull.head.startswith(below)][::-1]

    def pull(self, repository: str, number: int) -> PullRequest:
        """See Host."""
        return self._pull(self._exchange.get(f"{path_of(repository)}/pulls/{number}").json)

    def open_pulls(self, repository: str) -> Sequence[PullRequest]:
        """See Host."""
        return list(self._listed(repository, {"state": "open"}))

    def comment(self, repository: str, number: int, text: str) -> None:
        """See Host."""
        self._exchange.send("POST", f"{path_of(repository)}/issues/{number}/comments", {"body": text})

    def acknowledge(self, repository: str, number: int, comment: Comment) -> None:
        """See Host."""
        path = f"{path_of(repository)}/issues/comments/{comment.id}/reactions"
        if self._exchange.send("POST", path, {"content": "+1"}, expect=REFUSED).status >= 400:
            self.comment(repository, number, f"Done, as {comment.author} asked.")

    def _listed(self, repository: str, params: Mapping[str, str | int]) -> Iterator[PullRequest]:
        """Of the repository itself, page by page, as far as they are read."""
        for page in self._pages(repository, params):
            yield from page.pulls

    def _pages(self, repository: str, params: Mapping[str, str | int]) -> Iterator[PullPage]:
        for answer in self._exchange.pages(f"{path_of(repository)}/pulls", {**params, **self.page}, limit=None):
            yield PullPage(pulls=self._pulls_in(answer), is_last=answer.next_page is None)

    def _pulls_in(self, answer: Answer) -> Sequence[PullRequest]:
        """Of the repository itself, on one page. Raises UnavailableError for what is none."""
        if not isinstance(answer.json, list):
            raise self._unreadable("pull requests")
        return [self._pull(each) for each in answer.json if is_of_the_repository(each)]

    def _pull(self, found: Any) -> PullRequest:
        """One pull request of an answer. Raises UnavailableError for what is none."""
        return self._read(lambda: self._of(found), "a pull request")


def by_field(reviewers: Sequence[str]) -> Mapping[str, Any]:
    """The fields of a request that users and teams go in."""
    return {
        "reviewers": [name for name in reviewers if not name.startswith(TEAM)],
        "team_reviewers": [name.removeprefix(TEAM) for name in reviewers if name.startswith(TEAM)],
    }


def without_milestone(todo: Sequence[str], pull: PullRequest) -> Sequence[str]:
    """What is still to be set of a pull request: a person's milestone stays."""
    return [name for name in todo if name != "milestone" or not pull.has_milestone]


def path_of(repository: str) -> str:
    """Its path in the API."""
    return f"repos/{quote(repository)}"


def is_of_the_repository(found: Any) -> bool:
    """Whether its branch is not a fork's; `repo` is null when the fork is gone."""
    try:
        return bool(found["head"]["repo"]["id"] == found["base"]["repo"]["id"])
    except (TypeError, KeyError):
        return False
