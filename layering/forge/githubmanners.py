"""What a pull request on GitHub is dressed with: labels, reviewers, assignees, a milestone. Whether it is due is not
known here.

docs.github.com/rest: "Add labels to an issue" (makes those that are missing), "Request reviewers for a pull request",
"Add assignees to an issue", "List milestones". What GitHub does not take is one line for people, each.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layering.errors import RefusedError
from layering.forge.answers import Answer
from layering.forge.exchange import Exchange
from layering.forge.likegithub import REFUSED
from layering.forge.manners import TEAM, Manners

_PER_PAGE = 100
_NOT_YET = "Could not resolve to a node"  # of what was opened a moment ago


class GitHubManners:
    """For one pull request. `path` is the repository's; `warnings` is what could not be set so far."""

    def __init__(self, exchange: Exchange, path: str, manners: Manners) -> None:
        self._exchange = exchange
        self._path = path
        self._manners = manners
        self.warnings: list[str] = []

    def on(self, number: int, todo: Sequence[str]) -> int | None:
        """Set what has a request of its own. The milestone's number, for the last write; None when there is none."""
        if "labels" in todo:
            self._add(f"issues/{number}/labels", self._manners.labels, lambda names: {"labels": list(names)}, "label")
        if "reviewers" in todo:
            self._add(f"pulls/{number}/requested_reviewers", self._manners.reviewers, _reviewers, "reviewer")
        if "assignees" in todo:
            self._assign(number)
        return self._milestone() if "milestone" in todo else None

    def warn(self, what: str, answer: Answer) -> None:
        """GitHub did not take `what`."""
        self.warnings.append(f"GitHub takes no {what}: {answer.message or f'status {answer.status}'}")

    def _add(
        self, path: str, names: Sequence[str], fields: Callable[[Sequence[str]], Mapping[str, Any]], what: str
    ) -> None:
        """All at once; when that is refused, one by one, because GitHub takes none of a list with one that is wrong."""
        answer = self._exchange.send("POST", f"{self._path}/{path}", fields(names), expect=REFUSED)
        if answer.status < 400:
            return
        if len(names) == 1 and _NOT_YET not in answer.message:
            self.warn(f"{what} {names[0]!r}", answer)
            return
        for name in names:
            answer = self._exchange.send("POST", f"{self._path}/{path}", fields([name]), expect=REFUSED)
            if answer.status >= 400:
                self.warn(f"{what} {name!r}", answer)

    def _assign(self, number: int) -> None:
        """GitHub passes over who cannot be assigned, without a word."""
        names = self._manners.assignees
        path = f"{self._path}/issues/{number}/assignees"
        answer = self._exchange.send("POST", path, {"assignees": list(names)}, expect=REFUSED)
        found = answer.json.get("assignees") if answer.status < 400 and isinstance(answer.json, Mapping) else None
        there = {str(each["login"]).lower() for each in found or ()}
        for name in names:
            if name.lower() not in there:
                said = answer.message if answer.status >= 400 else "only who may write to the repository can be one"
                self.warnings.append(f"GitHub takes no assignee {name!r}: {said or f'status {answer.status}'}")

    def _milestone(self) -> int | None:
        title = self._manners.milestone
        pages: Mapping[str, str | int] = {"state": "open", "per_page": _PER_PAGE}
        try:
            for answer in self._exchange.pages(f"{self._path}/milestones", pages):
                for each in answer.json if isinstance(answer.json, list) else ():
                    if each.get("title") == title:
                        return int(each["number"])
        except RefusedError as error:
            self.warnings.append(f"GitHub does not show its milestones: {error.what}")
        else:
            self.warnings.append(f"there is no open milestone {title!r}")
        return None


def _reviewers(names: Sequence[str]) -> Mapping[str, Any]:
    return {
        "reviewers": [name for name in names if not name.startswith(TEAM)],
        "team_reviewers": [name.removeprefix(TEAM) for name in names if name.startswith(TEAM)],
    }
