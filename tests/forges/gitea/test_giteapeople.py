"""Names that a real Gitea refuses: who is set all the same, what people are told, and what it costs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layering.forge.answers import Answer
from layering.forge.exchange import Sent
from layering.forge.forge import Proposed, State
from layering.forge.forges import open_forge
from layering.forge.gitea import GiteaHost
from layering.forge.giteapeople import named_in
from layering.forge.likegithub import by_field
from layering.forge.marker import Marker
from tests.forges.gitea.server import BOT, OWNER
from tests.forges.gitea.world import GiteaWorld, Pushed, gitea_world
from tests.forges.proposals import FILE, pinning, proposal
from tests.forges.standing import PERSON
from tests.forges.test_behaviour import propose

LONELY, OTHER = "lonely", "other"  # have accounts, and see no private repository
MILESTONE = "4.19"
TEAM = "people"
ORGANIZATION = "people-of-tests"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GiteaWorld]:
    """A private one, of an organization's that has a TEAM, with a milestone and without labels."""
    with gitea_world(tmp_path) as made:
        made.gitea.user(LONELY)
        made.gitea.user(OTHER)
        of_an_organization(made)
        made.origin.commit({FILE: pinning("0")})
        made.add_milestone(MILESTONE)
        yield made


def of_an_organization(world: GiteaWorld) -> None:
    """Each has its own."""
    running, name = world.gitea, world.repository.partition("/")[2]
    owner = f"org-of-{name}"
    running.api("POST", "orgs", OWNER, username=owner)
    running.ask("POST", "orgs", OWNER, username=ORGANIZATION)  # there already, but for the first test
    running.api("POST", f"repos/{world.repository}/transfer", OWNER, new_owner=owner)
    running.api("PATCH", f"repos/{owner}/{name}", OWNER, private=True)
    team = running.api("POST", f"orgs/{owner}/teams", OWNER, name=TEAM, units_map={"repo.pulls": "read"})
    running.api("PUT", f"teams/{team['id']}/repos/{owner}/{name}", OWNER)
    world.repository = f"{owner}/{name}"
    assert isinstance(world.origin, Pushed)
    world.origin.remote = world.origin.remote.replace(f"/{OWNER}/", f"/{owner}/")


def proposed(world: GiteaWorld, digit: str = "1", **manners: Any) -> tuple[Proposed, list[Sent]]:
    """With one label, which is made the first time, and all else that there is."""
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    made = forge.propose(proposal(world.repository, digit, labels=("os",), milestone=MILESTONE, draft=True, **manners))
    forge.close()
    return made, sent


def set_on(world: GiteaWorld) -> dict[str, list[str]]:
    """Who is asked and assigned of the only one, in order of their names. Only a single one is told with its teams."""
    (listed,) = world.api("GET", "pulls?state=all")  # no refused try opened one
    found = world.api("GET", f"pulls/{listed['number']}")
    asked = [each["login"] for each in found["requested_reviewers"] or ()]
    asked += [f"team:{each['name']}" for each in found["requested_reviewers_teams"] or ()]
    assigned = [each["login"] for each in found["assignees"] or ()]
    assert [each["name"] for each in found["labels"]] == ["os"]
    assert (found["milestone"]["title"], found["draft"]) == (MILESTONE, True)
    return {"reviewers": sorted(asked), "assignees": sorted(assigned)}


def refused_of(made: Proposed) -> list[str]:
    """What each warning is about."""
    told = [re.fullmatch(r"Gitea takes no ((?:reviewer|assignee) '[^']*'): .+", each) for each in made.warnings]
    return [each[1] if each else "" for each in told]


RIGHT = {"reviewers": (PERSON, f"team:{TEAM}"), "assignees": (PERSON,)}
ALL_SET = {name: sorted(who) for name, who in RIGHT.items()}


def beside_right_ones(reviewers: tuple[str, ...], assignees: tuple[str, ...]) -> dict[str, Any]:
    return {"reviewers": (*reviewers, *RIGHT["reviewers"]), "assignees": (*assignees, *RIGHT["assignees"])}


@pytest.mark.parametrize(
    ("reviewers", "assignees", "refused", "cost"),
    [
        pytest.param((), (), [], 6, id="nobody"),
        pytest.param(("nobody",), (), ["reviewer 'nobody'"], 7, id="a reviewer"),
        pytest.param((), ("nobody",), ["assignee 'nobody'"], 7, id="an assignee"),
        pytest.param(("team:none",), (), ["reviewer 'team:none'"], 7, id="a team"),
        pytest.param(("nobody", "no-one"), (), ["reviewer 'nobody'", "reviewer 'no-one'"], 8, id="two reviewers"),
        pytest.param(("nobody",), ("nobody",), ["assignee 'nobody'", "reviewer 'nobody'"], 8, id="one as both"),
        pytest.param(("nobody", "team:none"), (), ["reviewer 'nobody'", "reviewer 'team:none'"], 8, id="user and team"),
        pytest.param((), (LONELY,), ["assignee 'lonely'"], 8, id="an assignee who sees nothing of it"),
        pytest.param((BOT,), (), [f"reviewer '{BOT}'"], 9, id="a reviewer who opened it"),
        pytest.param((LONELY,), (), ["reviewer 'lonely'"], 12, id="a reviewer who sees nothing of it"),
        pytest.param((), (LONELY, OTHER), ["assignee 'lonely'", "assignee 'other'"], 13, id="two who see nothing"),
        pytest.param(
            (),
            ("nobody", LONELY, OTHER),
            ["assignee 'nobody'", "assignee 'lonely'", "assignee 'other'"],
            15,
            id="one who is tried twice",
        ),
        pytest.param((), (ORGANIZATION,), [f"assignee '{ORGANIZATION}'"], 14, id="an organization, assigned"),
    ],
)
def test_names_that_are_refused_beside_right_ones(
    world: GiteaWorld, reviewers: tuple[str, ...], assignees: tuple[str, ...], refused: list[str], cost: int
) -> None:
    """`cost` is of all requests: more than eight where Gitea does not say whose name it is."""
    named = beside_right_ones(reviewers, assignees)
    made, sent = proposed(world, **named)
    assert (made.state, refused_of(made), set_on(world)) == (State.CREATED, refused, ALL_SET)
    assert len(sent) == cost, sent
    made, _ = proposed(world, **named)
    assert (made.state, made.warnings) == (State.UNCHANGED, ())


@pytest.mark.parametrize(
    ("reviewers", "assignees", "refused"),
    [
        pytest.param(("nobody", BOT), (), [f"reviewer '{BOT}'", "reviewer 'nobody'"], id="reviewers"),
        pytest.param((LONELY,), (), ["reviewer 'lonely'"], id="a reviewer who sees nothing of it"),
        pytest.param((), ("nobody", LONELY), ["assignee 'nobody'", "assignee 'lonely'"], id="assignees"),
    ],
)
def test_names_that_are_refused_on_a_newer_key(
    world: GiteaWorld, reviewers: tuple[str, ...], assignees: tuple[str, ...], refused: list[str]
) -> None:
    proposed(world)
    made, _ = proposed(world, "2", **beside_right_ones(reviewers, assignees))
    assert (made.state, refused_of(made), set_on(world)) == (State.UPDATED, refused, ALL_SET)


def test_opened_without_some_people_and_killed_then(world: GiteaWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text that it was opened with tells what is still to be set."""
    named = beside_right_ones((), (LONELY, OTHER))

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as here:
        here.setattr(GiteaHost, "dress", killed)
        with pytest.raises(KeyboardInterrupt):
            proposed(world, **named)
    assert set_on(world) == {**ALL_SET, "assignees": []}
    (found,) = world.api("GET", "pulls")
    marker = Marker.parse(found["body"])
    assert marker is not None
    assert marker.todo == ("assignees",)
    made, _ = proposed(world, **named)
    assert (made.state, refused_of(made)) == (State.UPDATED, ["assignee 'lonely'", "assignee 'other'"])
    assert set_on(world) == ALL_SET
    assert proposed(world, **named)[0].state is State.UNCHANGED


def test_a_team_where_no_organization_owns_the_repository_is_told(tmp_path: Path) -> None:
    """Gitea passes over it; when it is opened, and later."""
    with gitea_world(tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        for digit in "12":
            made = propose(world, digit, reviewers=(PERSON, "team:none"))
            assert refused_of(made) == ["reviewer 'team:none'"]


ASSIGNEE = "Assignee does not exist: [name: user does not exist [uid: 0, name: bo]]"


@pytest.mark.parametrize(
    ("message", "named"),
    [
        pytest.param("User 'bo' not exist", ("reviewers", "bo"), id="a reviewer"),
        pytest.param("Team 'bo' not exist", ("team_reviewers", "bo"), id="a team of the same name"),
        pytest.param(ASSIGNEE, ("assignees", "bo"), id="an assignee"),
        pytest.param("User 'b' not exist", None, id="nobody we named"),
        pytest.param("Reviewer can't read [user_id: 2, repo_id: 6]", None, id="nobody by name"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_whose_name_a_refusal_names(message: str, named: tuple[str, str] | None) -> None:
    fields = {**by_field(("bob", "bo", "team:bo")), "assignees": ["bob", "bo"], "milestone": 1}
    assert named_in(Answer(status=422, json={"message": message}, headers={}), fields) == named
