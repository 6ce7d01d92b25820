"""Labels, people and milestone in GitLab's numbers, and what of them it took.

GitLab makes labels that are missing when the token may. It leaves out without a word what the token may not set, people
who may not see the project, and all but the first reviewer where its edition knows one alone: so each answer is
compared with what was asked for. Decides nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layering.forge.answers import Answer
from layering.forge.exchange import Exchange
from layering.forge.manners import TEAM, Manners

_FEW = 2  # people that are looked for one by one
_PER_PAGE = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked for: `names` of the fields of Manners; people and milestone with their numbers.

    `faults`: by the field's name, what GitLab does not know, one line each, for people.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    reviewers: Mapping[str, int]
    assignees: Mapping[str, int]
    milestone: tuple[str, int] | None
    faults: tuple[tuple[str, str], ...]

    def fields(self, labels_key: str, now: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """For a request that creates or changes. `now` is the merge request: who is on it stays, and its milestone."""
        fields: dict[str, Any] = {}
        if self.labels:
            fields[labels_key] = ",".join(self.labels)
        for name, people in (("reviewers", self.reviewers), ("assignees", self.assignees)):
            there = [each["id"] for each in (now or {}).get(name) or ()]
            if set(people.values()) - set(there):
                fields[f"{name[:-1]}_ids"] = list(dict.fromkeys((*there, *people.values())))
        if self.milestone and not (now or {}).get("milestone"):
            fields["milestone_id"] = self.milestone[1]
        return fields

    def warnings(self, answer: Mapping[str, Any]) -> tuple[str, ...]:
        """One line for each that it has not."""
        return tuple(dict.fromkeys((*self.unknown, *(text for _, text in self._missing(answer)))))

    @property
    def unknown(self) -> tuple[str, ...]:
        """What GitLab does not know."""
        return tuple(dict.fromkeys(text for _, text in self.faults))

    def _missing(self, answer: Mapping[str, Any]) -> list[tuple[str, str]]:
        labels = set(answer.get("labels") or ())
        missing = [("labels", f"GitLab left out label {each!r}") for each in self.labels if each not in labels]
        for name, people in (("reviewers", self.reviewers), ("assignees", self.assignees)):
            there = {each["id"] for each in answer.get(name) or ()}
            missing += [
                (name, f"GitLab left out {name[:-1]} {each!r}")
                for each, number in people.items()
                if number not in there
            ]
        if self.milestone and not answer.get("milestone"):
            missing.append(("milestone", f"GitLab left out milestone {self.milestone[0]!r}"))
        return missing


def wanted(exchange: Exchange, project: str, manners: Manners, todo: Sequence[str]) -> Wanted:
    """Those fields of `manners` that `todo` names. Asks for numbers alone; `project` is the project's path in the API.

    Raises what the exchange raises, but for people and milestones that it does not show.
    """
    labels = manners.labels if "labels" in todo else ()
    reviewers = manners.reviewers if "reviewers" in todo else ()
    assignees = manners.assignees if "assignees" in todo else ()
    people = _people(exchange, project, [each for each in (*reviewers, *assignees) if not each.startswith(TEAM)])
    title = manners.milestone if "milestone" in todo else None
    milestone = _milestone(exchange, project, title) if title is not None else None
    faults = [("labels", f"label {each!r}: GitLab's have no comma") for each in labels if "," in each]
    faults += _unknown("reviewers", reviewers, people) + _unknown("assignees", assignees, people)
    if title is not None and milestone is None:
        faults.append(("milestone", f"the project has no open milestone {title!r}"))
    return Wanted(
        names=tuple(todo),
        labels=tuple(each for each in labels if "," not in each),
        reviewers={each: people[each] for each in reviewers if each in people},
        assignees={each: people[each] for each in assignees if each in people},
        milestone=(title, milestone) if title is not None and milestone is not None else None,
        faults=tuple(faults),
    )


def _unknown(field: str, names: Sequence[str], people: Mapping[str, int]) -> list[tuple[str, str]]:
    teams = [(field, f"{each!r}: GitLab asks people, no teams") for each in names if each.startswith(TEAM)]
    return teams + [
        (field, f"GitLab knows no user {each!r}") for each in names if each not in people and not each.startswith(TEAM)
    ]


def _people(exchange: Exchange, project: str, names: Sequence[str]) -> Mapping[str, int]:
    """Numbers by user name. When there are many, they are looked for among the project's own first: one request."""
    found: dict[str, int] = {}
    if len(set(names)) > _FEW:
        found |= _users(exchange, f"{project}/users", {"per_page": _PER_PAGE})
    for name in names:
        if name.lower() not in found:
            found |= _users(exchange, "users", {"username": name})
    return {name: found[name.lower()] for name in names if name.lower() in found}


def _users(exchange: Exchange, path: str, params: Mapping[str, str | int]) -> Mapping[str, int]:
    """Numbers by user name in lower case, which is how GitLab tells them apart."""
    found = entries(exchange.get(path, params, expect=(403, 404)))
    return {each["username"].lower(): each["id"] for each in found if {"username", "id"} <= each.keys()}


def _milestone(exchange: Exchange, project: str, title: str) -> int | None:
    """The number of an open one, the project's own or that of a group above."""
    params = {"title": title, "state": "active", "include_ancestors": "true"}
    found = entries(exchange.get(f"{project}/milestones", params, expect=(403, 404)))
    return next((each["id"] for each in found if each.get("title") == title and "id" in each), None)


def entries(answer: Answer) -> list[Mapping[str, Any]]:
    """The objects of a list; none when it is not there, or is none."""
    return [each for each in answer.json if isinstance(each, Mapping)] if isinstance(answer.json, list) else []
