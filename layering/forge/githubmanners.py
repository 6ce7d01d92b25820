"""What a pull request on GitHub is dressed with: labels, reviewers, assignees, a milestone. Whether it is due is not
known here.

docs.github.com/rest: "Add labels to an issue" (makes those that are missing), "Request reviewers for a pull request",
"List repository collaborators", "Add assignees to an issue", "List milestones". What GitHub does not take is one line
for people, each.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from layering.errors import RefusedError
from layering.forge.answers import Answer
from layering.forge.exchange import Exchange
from layering.forge.likegithub import REFUSED, by_field
from layering.forge.manners import TEAM, Manners

_PER_PAGE = 100
_MANY = 3  # reviewers; of two, one more request tells which is wrong
_NOT_YET = "Could not resolve to a node"  # of what was opened a moment ago
_NO_COLLABORATOR = "Reviews may only be requested from collaborators"  # and GitHub does not say who is none


class GitHubManners:
    """For one pull request. `path` is the repository's; `warnings` is what could not be set so far."""

    def __init__(self, exchange: Exchange, path: str, manners: Manners) -> None:
        self._exchange = exchange
        self._path = path
        self._manners = manners
        self.warnings: list[str] = []

    def on(self, number: int, todo: Sequence[str], body: str, *, is_new: bool) -> bool:
        """Set them, the milestone with the text; whether that is written. One that is new gets assignees with it, too,
        where an answer just told who else is assigned: that replaces them. Labels, which robots set at once, are added.
        """
        if "labels" in todo:
            self._add(f"issues/{number}/labels", self._manners.labels, lambda names: {"labels": list(names)}, "label")
        milestone = {"milestone": self._milestone} if "milestone" in todo and self._milestone else {}
        stands, is_next = None, not {"labels", "reviewers"} & {*todo}
        if "reviewers" in todo:
            path = f"pulls/{number}/requested_reviewers"
            stands = self._add(path, self._manners.reviewers, by_field, "reviewer")
        if "assignees" in todo:
            assignees = [*sorted(_assigned(stands)), *self._manners.assignees]
            fields = {"assignees": list(dict.fromkeys(assignees)), **milestone, "body": body}
            knows = stands is not None or is_next  # who else is assigned
            if is_new and knows and (answer := self._changed(number, fields)).status < 400:
                self._tell_who_is_none(answer)
                return True
            self._assign(number)
        if not milestone:
            return False
        answer = self._changed(number, {**milestone, "body": body})
        if answer.status >= 400:
            self._warn(f"milestone {self._manners.milestone!r}", answer)
        return answer.status < 400

    def _changed(self, number: int, fields: Mapping[str, Any]) -> Answer:
        return self._exchange.send("PATCH", f"{self._path}/issues/{number}", fields, expect=REFUSED)

    def _add(
        self, path: str, names: Sequence[str], fields: Callable[[Sequence[str]], Mapping[str, Any]], what: str
    ) -> Any:
        """All at once; when that is refused, in two parts, because GitHub takes none of a list with one that is wrong.
        The last answer to what was taken, None when nothing was.
        """
        if not names:
            return None
        answer = self._exchange.send("POST", f"{self._path}/{path}", fields(names), expect=REFUSED)
        if _NOT_YET in answer.message:
            answer = self._exchange.send("POST", f"{self._path}/{path}", fields(names), expect=REFUSED)
        if answer.status < 400:
            return answer.json
        if len(names) == 1:
            self._warn(f"{what} {names[0]!r}", answer)
            return None
        first, second = self._parted(names, answer)
        told = len(self.warnings)
        taken = self._add(path, first, fields, what)
        is_last = len(second) == 1 and len(self.warnings) == told
        if is_last and _NOT_YET not in answer.message:  # then it is this one
            self._warn(f"{what} {second[0]!r}", answer)
            return taken
        return self._add(path, second, fields, what) or taken

    def _parted(self, names: Sequence[str], answer: Answer) -> tuple[Sequence[str], Sequence[str]]:
        """A refused list in two: teams and those whom GitHub lists as collaborators, who can be reviewers, before all
        others; or halves. The others may be right as well: Apps, and who is one by a team that the token does not see.
        """
        if _NO_COLLABORATOR in answer.message and len(names) >= _MANY:
            listed = [name for name in names if name.startswith(TEAM) or name.lower() in self._collaborators]
            if 0 < len(listed) < len(names):
                return listed, [name for name in names if name not in listed]
        middle = (len(names) + 1) // 2
        return names[:middle], names[middle:]

    @cached_property
    def _collaborators(self) -> Collection[str]:
        """In lower case, of the first page; none when the token may not see them."""
        answer = self._exchange.get(f"{self._path}/collaborators", {"per_page": _PER_PAGE}, expect=REFUSED)
        listed = answer.json if answer.status < 400 and isinstance(answer.json, list) else ()
        return {str(each.get("login")).lower() for each in listed if isinstance(each, Mapping)}

    def _assign(self, number: int) -> None:
        names = {"assignees": list(self._manners.assignees)}
        answer = self._exchange.send("POST", f"{self._path}/issues/{number}/assignees", names, expect=REFUSED)
        self._tell_who_is_none(answer)

    def _tell_who_is_none(self, answer: Answer) -> None:
        """GitHub passes over who cannot be assigned, without a word."""
        there = {login.lower() for login in _assigned(answer.json)}
        for name in self._manners.assignees:
            if answer.status >= 400 or name.lower() not in there:
                said = answer.message if answer.status >= 400 else "only who may write to the repository can be one"
                self.warnings.append(f"GitHub takes no assignee {name!r}: {said or f'status {answer.status}'}")

    def _warn(self, what: str, answer: Answer) -> None:
        self.warnings.append(f"GitHub takes no {what}: {answer.message or f'status {answer.status}'}")

    @cached_property
    def _milestone(self) -> int | None:
        """Its number; None, and a line for people, when there is none."""
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


def _assigned(found: Any) -> set[str]:
    """Who is assigned to what an answer tells of; nobody when it tells nothing."""
    listed = found.get("assignees") if isinstance(found, Mapping) else None
    return {str(each["login"]) for each in listed or () if isinstance(each, Mapping) and "login" in each}
