"""A new proposal with all that it can be dressed with costs at most eight requests, whatever there was before it.

git's own are not counted, nor are an App's for its token: two of each process.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layering.forge.exchange import Sent
from layering.forge.forge import State
from layering.forge.forges import open_forge
from tests.forges.proposals import FILE, pinning, proposal
from tests.forges.standing import PERSON
from tests.forges.test_behaviour import delete_branch, propose
from tests.forges.world import WORLDS, World, github_app_world

MOST = 8
MILESTONE = "4.19"
PLACES = {**{kind.value: made for kind, made in WORLDS.items()}, "github as an app": github_app_world}
TOKENS = ("/installation", "/access_tokens")


@pytest.fixture(params=PLACES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with PLACES[request.param](tmp_path) as made:
        made.origin.commit({FILE: pinning("0")})
        made.add_milestone(MILESTONE)
        yield made


def nothing(world: World) -> None:
    """It is the first."""


def closed(world: World) -> None:
    """Of an older key, and the branch was left."""
    propose(world)
    world.close()


def merged(world: World) -> None:
    """The branch was left."""
    propose(world)
    world.merge()


def deleted(world: World) -> None:
    """Its branch, while it was open."""
    propose(world)
    delete_branch(world)
    world.pulls()  # once the forge has seen it


def merged_and_deleted(world: World) -> None:
    merged(world)
    delete_branch(world)


@pytest.mark.parametrize("before", [nothing, closed, merged, deleted, merged_and_deleted])
def test_it_costs(world: World, before: Callable[[World], None]) -> None:
    before(world)
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    people: dict[str, Any] = {"reviewers": (PERSON,), "assignees": (PERSON,)}
    manners: dict[str, Any] = {"labels": ("os", "nodes"), "milestone": MILESTONE, "draft": True}
    made = forge.propose(proposal(world.repository, "2", **people, **manners))
    forge.close()
    assert (made.state, made.warnings) == (State.CREATED, ())
    counted = [f"{each.method} {each.path}" for each in sent if not each.path.endswith(TOKENS)]
    assert len(counted) <= MOST, counted
