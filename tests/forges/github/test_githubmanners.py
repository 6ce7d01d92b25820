"""A list that GitHub refuses: what is asked then, and what people are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from layering.forge.answers import Answer
from layering.forge.exchange import Exchange
from layering.forge.githubmanners import GitHubManners
from layering.forge.manners import Manners

NOT_YET = "Could not resolve to a node with the global id of 'PR_x'."


@dataclass
class Scripted:
    """Takes nobody of `strangers`; the first requests are answered with `first`, whatever they are."""

    strangers: frozenset[str] = frozenset()
    first: list[str] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)

    def send(self, method: str, path: str, fields: Mapping[str, Any], *, expect: object) -> Answer:
        names = list(fields["reviewers"])
        self.asked.append(names)
        message = self.first.pop(0) if self.first else "no collaborator" if self.strangers & {*names} else ""
        return Answer(status=422 if message else 201, json={"message": message} if message else {}, headers={})


@pytest.mark.parametrize(
    ("names", "strangers", "first", "asked", "refused"),
    [
        pytest.param("ab", "", [], ["ab"], "", id="all are taken"),
        pytest.param("ab", "b", [], ["ab", "a"], "b", id="the last one is wrong, and need not be asked"),
        pytest.param("ab", "a", [], ["ab", "a", "b"], "a", id="the first one is wrong"),
        pytest.param("ab", "ab", [], ["ab", "a", "b"], "ab", id="both are wrong"),
        pytest.param("abcd", "c", [], ["abcd", "ab", "cd", "c", "d"], "c", id="one of four"),
        pytest.param("ab", "", [NOT_YET], ["ab", "ab"], "", id="not seen yet, and then it is"),
        pytest.param(
            "ab", "", [NOT_YET] * 2, ["ab", "ab", "a", "b"], "", id="not seen yet for longer: nobody is blamed"
        ),
        pytest.param("", "", ["forbidden"], [], "", id="nobody any more, though it was still to be done"),
    ],
)
def test_a_list_that_is_refused_is_halved(
    names: str, strangers: str, first: list[str], asked: list[str], refused: str
) -> None:
    exchange = Scripted(strangers=frozenset(strangers), first=list(first))
    manners = GitHubManners(cast(Exchange, exchange), "repos/o/r", Manners(reviewers=tuple(names)))
    assert manners.on(1, ("reviewers",), "text", is_new=False) is False
    assert ["".join(each) for each in exchange.asked] == asked
    assert [warning.split("'")[1] for warning in manners.warnings] == list(refused)
