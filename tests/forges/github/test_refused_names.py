"""Names that GitHub refuses: who is set all the same, what people are told, and what it costs."""

from collections.abc import Callable
from typing import Any

import pytest

from layering.forge.forge import State
from tests.forges.github.state import Milestone
from tests.forges.github.test_github import Place, app, place  # noqa: F401 fixtures

RIGHT = ("ann", "bob", "cat", "dan", "pat")
MILESTONE = "4.19"
TOKENS = ("/installation", "/access_tokens")
OF_AN_APP = 2  # more: its commit


def proposed(place: Place, **people: Any) -> tuple[list[str], int]:  # noqa: F811
    """The names that warnings are about, and how many requests it took, tokens not counted. All right ones are set."""
    place.found.permissions |= {place.github.user(name).id: "write" for name in RIGHT}
    place.found.milestones.append(Milestone(number=3, title=MILESTONE))
    place.found.teams.append("os")
    made = place.propose(labels=("a", "b"), milestone=MILESTONE, **people)
    assert made.state is State.CREATED
    (pull,) = place.found.pulls
    asked = [*(each.login for each in pull.reviewers), *(f"team:{each}" for each in pull.teams)]
    for given, done in (("reviewers", asked), ("assignees", [each.login for each in pull.assignees])):
        wanted = {name.lower() for name in people.get(given, ())}
        assert sorted(done) == sorted(wanted & {*RIGHT, "team:os"})
    assert (pull.labels, pull.milestone) == (["a", "b"], place.found.milestones[0])
    return (
        [each.split("'")[1] for each in made.warnings],
        len([each for each in place.sent if not each.path.endswith(TOKENS)]),
    )


@pytest.mark.parametrize("is_app", [False, True], ids=["by a token", "by an App"])
@pytest.mark.parametrize(
    ("reviewers", "refused", "cost"),
    [
        pytest.param("pat", "", 6, id="all are right"),
        pytest.param("no1", "no1", 7, id="one of one"),
        pytest.param("pat no1", "no1", 7, id="the last of two"),
        pytest.param("no1 pat", "no1", 8, id="the first of two"),
        pytest.param("no1 no2", "no1 no2", 9, id="two of two"),
        pytest.param("no1 pat ann", "no1", 8, id="one of three"),
        pytest.param("no1 pat no2", "no1 no2", 11, id="two of three"),
        pytest.param("pat ann no1 bob cat", "no1", 8, id="one of five"),
        pytest.param("no1 CAT no2 ann bob", "no1 no2", 11, id="two of five"),
        pytest.param("pat team:none", "team:none", 7, id="a team"),
        pytest.param("no1 team:os", "no1", 8, id="a user beside a team"),
        pytest.param("no1 pat team:os", "no1", 8, id="a user beside a user and a team"),
        pytest.param("no1 team:none", "no1 team:none", 9, id="a user and a team"),
        pytest.param("pat team:none no1 ann", "no1 team:none", 12, id="a user and a team beside users"),
    ],
)
def test_reviewers_that_are_refused(
    place: Place,  # noqa: F811
    request: pytest.FixtureRequest,
    reviewers: str,
    refused: str,
    cost: int,
    is_app: bool,
) -> None:
    if is_app:
        request.getfixturevalue("app")
    told, count = proposed(place, reviewers=tuple(reviewers.split()), assignees=("pat",))
    assert sorted(told) == refused.split()
    assert count == cost + OF_AN_APP * is_app


@pytest.mark.parametrize(
    ("reviewers", "assignees", "refused", "cost"),
    [
        pytest.param("pat", "no1", "no1", 8, id="an assignee"),
        pytest.param("pat", "no1 ann no2", "no1 no2", 8, id="two assignees"),
        pytest.param("no1 pat ann", "no2", "no1 no2", 10, id="a reviewer and an assignee"),
        pytest.param("layerwatch-bot pat", "pat", "layerwatch-bot", 8, id="who opened it"),
        pytest.param("layerwatch-bot pat no1", "pat", "layerwatch-bot no1", 10, id="who opened it, and a reviewer"),
    ],
)
def test_others_that_are_refused(
    place: Place,  # noqa: F811
    reviewers: str,
    assignees: str,
    refused: str,
    cost: int,
) -> None:
    told, count = proposed(place, reviewers=tuple(reviewers.split()), assignees=tuple(assignees.split()))
    assert (sorted(told), count) == (refused.split(), cost)


def forbidden(place: Place) -> None:  # noqa: F811
    """As to somebody from outside of the organization."""
    place.found.shows_collaborators = False


def many(place: Place) -> None:  # noqa: F811
    """More than a page of them, and those who are right are on the other."""
    for number in range(101):
        place.found.permissions[place.github.user(f"other{number}").id] = "read"


@pytest.mark.parametrize("act", [forbidden, many])
def test_where_collaborators_are_not_told_a_list_is_halved(place: Place, act: Callable[[Place], None]) -> None:  # noqa: F811
    act(place)
    assert proposed(place, reviewers=("no1", "pat", "ann")) == (["no1"], 11)


def test_who_is_one_by_a_team_that_the_token_does_not_see_is_asked(place: Place) -> None:  # noqa: F811
    place.found.unseen |= {place.github.user(name).id for name in ("pat", "bob")}
    assert proposed(place, reviewers=("no1", "pat", "ann", "bob"))[0] == ["no1"]


def test_an_app_that_may_be_asked_is_no_collaborator_and_stays(place: Place) -> None:  # noqa: F811
    """GitHub lists no Apps; this one cannot be asked here, so halves find that out, and it alone."""
    told, _ = proposed(place, reviewers=("pat", "copilot[bot]", "no1"))
    assert sorted(told) == ["copilot[bot]", "no1"]
