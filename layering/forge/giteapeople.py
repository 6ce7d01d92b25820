"""Whose name Gitea refuses, as far as its answer tells: one wrong reviewer or assignee refuses all that came with it.

routers/api/v1/repo/pull.go (CreatePullRequest, EditPullRequest) and pull_review.go (parseReviewersByNames) of Gitea
1.26. Sends nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from layering.forge.answers import Answer

FAILED = 500  # its answer, without a word, to some who are wrong
_PEOPLE = ("reviewers", "team_reviewers", "assignees")
_SAID = {
    "reviewers": "User '{}' not exist",
    "team_reviewers": "Team '{}' not exist",
    "assignees": "user does not exist [uid: 0, name: {}]",
}


def named_in(answer: Answer, fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """The field, and the one of its names, that the refusal names."""
    named = (
        (field, name)
        for field, said in _SAID.items()
        for name in fields.get(field, ())
        if said.format(name) in answer.message
    )
    return next(named, None)


def is_without_access(answer: Answer) -> bool:
    """Whether an assignee may not be one: Gitea tells a number, and no name."""
    return "user doesn't have access to repo" in answer.message


def without(field: str, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """All but that name."""
    return {**fields, field: [each for each in fields[field] if each != name]}


def without_people(fields: Mapping[str, Any], people: Sequence[str] = _PEOPLE) -> Mapping[str, Any]:
    """The fields that are for none of these."""
    return {field: value for field, value in fields.items() if field not in people}


def has_people(fields: Mapping[str, Any]) -> bool:
    """Whether a name is among them."""
    return any(fields.get(field) for field in _PEOPLE)
