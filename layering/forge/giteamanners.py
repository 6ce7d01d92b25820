"""What a pull request on Gitea is dressed with: names of the configuration turned into the numbers it wants.

A label that is missing is made; what Gitea does not know is one line for people, each. Who is wrong of those that it
refuses is in giteapeople.py. Whether a pull request is due is not known here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layering.errors import RefusedError
from layering.forge.answers import Answer
from layering.forge.exchange import Exchange
from layering.forge.giteapeople import is_without_access, named_in, without, without_people
from layering.forge.likegithub import REFUSED, by_field
from layering.forge.manners import TEAM, Manners

_COLOR = "#0f6fc5"
_PER_PAGE = 50


class GiteaManners:
    """For one pull request. `path` is the repository's, `warnings` what could not be set so far."""

    def __init__(self, exchange: Exchange, path: str, manners: Manners) -> None:
        self._exchange = exchange
        self._path = path
        self._manners = manners
        self._refused: set[str] = set()
        self._there: list[str] = []  # who is assigned already
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
            fields |= by_field(manners.reviewers)
        return fields

    def less(self, fields: Mapping[str, Any], answer: Answer) -> Mapping[str, Any]:
        """What to open it with next, when `answer` refuses these: all but the one that is wrong; without people when
        that cannot be told; nothing then.
        """
        if (wrong := named_in(answer, fields)) is not None:
            return self._left_out(*wrong, fields, answer)
        if is_without_access(answer) and (assignees := fields.get("assignees")):
            if len(doubtful := self._doubtful(assignees)) == 1:
                return self._left_out("assignees", doubtful[0], fields, answer)
            return without_people(fields, ("assignees",))
        things = without_people(fields)
        return things if things != fields else {}

    def on(self, number: int, opener: str | None, todo: Sequence[str], *, is_new: bool) -> Mapping[str, Any]:
        """Set what has a request of its own; the rest are fields of EditPullRequest, for the last write."""
        if "labels" in todo and (labels := self._label_ids()):
            answer = self._post(f"issues/{number}/labels", {"labels": labels})
            if answer.status >= 400:
                self._warn("labels", answer)
        if "reviewers" in todo:
            self._ask_for_reviews(number, opener)
        fields: dict[str, Any] = {}
        if "milestone" in todo and (milestone := self._milestone_id()) is not None:
            fields["milestone"] = milestone
        if "assignees" in todo:
            is_next = is_new and "reviewers" not in todo
            there = None if is_next else self._exchange.get(f"{self._path}/pulls/{number}").json
            self._there = [each["login"] for each in (there or {}).get("assignees") or ()]
            fields["assignees"] = list(dict.fromkeys([*self._there, *self._manners.assignees]))
        return fields

    def less_on(
        self, fields: Mapping[str, Any], answer: Answer, change: Callable[[Mapping[str, Any]], Answer]
    ) -> Mapping[str, Any]:
        """What to `change` it to next, when `answer` refuses these. When it does not say whose name is wrong, each of
        those who were not there is added alone.
        """
        if (wrong := named_in(answer, fields)) is not None:
            return self._left_out(*wrong, fields, answer)
        if "assignees" not in fields:
            self._warn(", ".join(sorted(fields)), answer)
            return {}
        taken = list(self._there)
        for name in [each for each in fields["assignees"] if each not in self._there]:
            if (refused := change({"assignees": [*taken, name]})).status < 400:
                taken.append(name)
            else:
                self._warn(f"assignee {name!r}", refused)
        return without_people(fields)

    def tell_of_teams(self, pull: Any) -> None:
        """Gitea passes over the teams of who is no organization, without a word: `pull` has those that were asked."""
        listed = pull.get("requested_reviewers_teams") if isinstance(pull, Mapping) else None
        if isinstance(listed, list):
            there = {f"{TEAM}{each.get('name')}".lower() for each in listed if isinstance(each, Mapping)}
            teams = [name for name in self._manners.reviewers if name.startswith(TEAM) and name not in self._refused]
            missing = [name for name in teams if name.lower() not in there]
            self.warnings += [f"Gitea takes no reviewer {name!r}: it is no team of the owner's" for name in missing]

    def _ask_for_reviews(self, number: int, opener: str | None) -> None:
        """Who opened it can be asked for none. When Gitea does not say who else is wrong, each is asked alone."""
        path = f"pulls/{number}/requested_reviewers"
        own = [name for name in self._manners.reviewers if opener and name.lower() == opener.lower()]
        self.warnings += [f"Gitea takes no reviewer {name!r}: it opened the pull request" for name in own]
        fields = by_field([name for name in self._manners.reviewers if name not in own])
        while any(fields.values()) and (answer := self._post(path, fields)).status >= 400:
            if (wrong := named_in(answer, fields)) is not None:
                fields = self._left_out(*wrong, fields, answer)
                continue
            for field, name in [(field, name) for field, names in fields.items() for name in names]:
                if (refused := self._post(path, {field: [name]})).status >= 400:
                    self._left_out(field, name, fields, refused)
            return

    def _left_out(self, field: str, name: str, fields: Mapping[str, Any], answer: Answer) -> Mapping[str, Any]:
        whole = f"{TEAM}{name}" if field == "team_reviewers" else name
        self._refused.add(whole)
        self._warn(f"{'assignee' if field == 'assignees' else 'reviewer'} {whole!r}", answer)
        return without(field, name, fields)

    def _doubtful(self, names: Sequence[str]) -> Sequence[str]:
        """Those that Gitea does not list among who may be assigned; it lists not all of who may only read."""
        if len(names) == 1:
            return names
        listed = self._exchange.get(f"{self._path}/assignees", expect=REFUSED).json
        found = listed if isinstance(listed, list) else ()
        known = {str(each.get("login")).lower() for each in found if isinstance(each, Mapping)}
        return [name for name in names if name.lower() not in known]

    def _post(self, path: str, fields: Mapping[str, Any]) -> Answer:
        return self._exchange.send("POST", f"{self._path}/{path}", fields, expect=REFUSED)

    def _warn(self, what: str, answer: Answer) -> None:
        self.warnings.append(f"Gitea takes no {what}: {answer.message or f'status {answer.status}'}")

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
