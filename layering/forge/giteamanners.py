"""What a pull request on Gitea is dressed with: names of the configuration turned into the numbers it wants.

A label that is missing is made; what Gitea does not know is one line for people. Whether a pull request is due is not
known here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from layering.errors import RefusedError
from layering.forge.exchange import Exchange
from layering.forge.likegithub import REFUSED
from layering.forge.manners import TEAM, Manners

_COLOR = "#0f6fc5"
_PER_PAGE = 50


class GiteaManners:
    """For one pull request. `path` is the repository's, `warnings` what could not be set so far."""

    def __init__(self, exchange: Exchange, path: str, manners: Manners) -> None:
        self._exchange = exchange
        self._path = path
        self._manners = manners
        self.warnings: list[str] = []

    def when_opening(self) -> Mapping[str, Any]:
        """Fields of CreatePullRequest; those that are named as in `Manners.todo` are for what is called so there."""
        manners, fields = self._manners, dict[str, Any]()
        if manners.labels:
            fields["labels"] = self._label_ids()
        if manners.milestone:
            fields["milestone"] = self._milestone_id() or 0
        if manners.assignees:
            fields["assignees"] = list(manners.assignees)
        if manners.reviewers:
            fields |= self._reviewers()
        return fields

    def on(self, number: int, todo: Sequence[str], *, is_new: bool) -> Mapping[str, Any]:
        """Set what has a request of its own; the rest are fields of EditPullRequest, for the last write."""
        if "labels" in todo and (labels := self._label_ids()):
            self._set(f"issues/{number}/labels", {"labels": labels}, "labels")
        if "reviewers" in todo:
            self._set(f"pulls/{number}/requested_reviewers", self._reviewers(), "reviewers")
        fields: dict[str, Any] = {}
        if "milestone" in todo and (milestone := self._milestone_id()) is not None:
            fields["milestone"] = milestone
        if "assignees" in todo:
            is_next = is_new and "reviewers" not in todo
            there = None if is_next else self._exchange.get(f"{self._path}/pulls/{number}").json
            names = [each["login"] for each in (there or {}).get("assignees") or ()]
            fields["assignees"] = list(dict.fromkeys([*names, *self._manners.assignees]))
        return fields

    def _set(self, path: str, fields: Mapping[str, Any], what: str) -> None:
        answer = self._exchange.send("POST", f"{self._path}/{path}", fields, expect=REFUSED)
        if answer.status >= 400:
            self.warnings.append(f"Gitea takes no {what}: {answer.message or f'status {answer.status}'}")

    def _reviewers(self) -> Mapping[str, Any]:
        names = self._manners.reviewers
        return {
            "reviewers": [name for name in names if not name.startswith(TEAM)],
            "team_reviewers": [name.removeprefix(TEAM) for name in names if name.startswith(TEAM)],
        }

    def _label_ids(self) -> list[int]:
        """The repository's and its organization's; one that is in neither is made."""
        known = self._shown(f"{self._path}/labels", "name")
        if known is None:
            return []
        if missing := [name for name in self._manners.labels if name not in known]:
            owner = self._path.split("/")[1]
            known |= self._of_organization(owner)
            for name in missing:
                if name not in known and (made := self._make_label(name)) is not None:
                    known[name] = made
        return [known[name] for name in self._manners.labels if name in known]

    def _of_organization(self, owner: str) -> Mapping[str, int]:
        """Of an owner that is a person, none."""
        try:
            return self._by_name(f"orgs/{owner}/labels", "name")
        except RefusedError:
            return {}

    def _make_label(self, name: str) -> int | None:
        answer = self._exchange.send("POST", f"{self._path}/labels", {"name": name, "color": _COLOR}, expect=REFUSED)
        if answer.status >= 400 or not isinstance(answer.json, Mapping):
            self.warnings.append(f"label {name!r} cannot be made: {answer.message or f'status {answer.status}'}")
            return None
        return int(answer.json["id"])

    def _milestone_id(self) -> int | None:
        title = self._manners.milestone or ""
        shown = self._shown(f"{self._path}/milestones", "title")
        if shown is not None and title not in shown:
            self.warnings.append(f"there is no open milestone {title!r}")
        return shown.get(title) if shown else None

    def _shown(self, path: str, name: str) -> dict[str, int] | None:
        """None, and a warning, when the token may not see them."""
        try:
            return self._by_name(path, name)
        except RefusedError as error:
            self.warnings.append(f"Gitea does not show its {path.rpartition('/')[2]}: {error.what}")
            return None

    def _by_name(self, path: str, name: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for answer in self._exchange.pages(path, {"limit": _PER_PAGE}):
            for each in answer.json if isinstance(answer.json, list) else ():
                found.setdefault(str(each[name]), int(each["id"]))
        return found
