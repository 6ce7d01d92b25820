"""Commands by many accounts at once: what they cost a process that knows nothing yet, and whom it heeds."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from layering.forge.exchange import Sent
from layering.forge.forge import Proposed
from layering.forge.forges import open_forge
from layering.forge.settings import Kind
from layering.reasons import Reason
from tests.forges.proposals import FILE, pinning, proposal
from tests.forges.standing import PERSON
from tests.forges.test_budget import TOUCHED_API_MAX
from tests.forges.world import WORLDS, Crowded

STRANGERS = [f"stranger-{number}" for number in range(5)]
AT_ONCE = (Kind.GITLAB, Kind.GITEA)  # GitHub tells of one account at a time
WHO_MAY_PUSH = {
    Kind.GITHUB: rf"/collaborators/({PERSON}|stranger-\d)/permission$",
    Kind.GITLAB: r"/members/all$",
    Kind.GITEA: r"/assignees$",
}


@contextmanager
def opened(kind: Kind, directory: Path) -> Iterator[Crowded]:
    """With a pull request of ours."""
    with WORLDS[kind](directory) as made:
        world = cast(Crowded, made)
        world.origin.commit({FILE: pinning("0")})
        for who in STRANGERS:
            world.let_read(who)
        proposed(world)
        yield world


def proposed(world: Crowded) -> tuple[Proposed, Sequence[Sent]]:
    """And the API requests that it took."""
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    try:
        return forge.propose(proposal(world.repository)), sent
    finally:
        forge.close()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("kind", WORLDS)
def test_strangers_are_not_heeded(kind: Kind, count: int, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as world:
        for who in STRANGERS[:count]:
            world.say("/layerwatch ignore", who)
        made, sent = proposed(world)
    assert made.reason is Reason.PROPOSAL_OPEN
    assert len(sent) == (TOUCHED_API_MAX if kind in AT_ONCE else TOUCHED_API_MAX - 1 + count)


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize(
    ("speakers", "one_by_one"),
    [
        pytest.param([PERSON], 1, id="alone"),
        pytest.param([PERSON, *STRANGERS], 6, id="before them"),
        pytest.param([*STRANGERS, PERSON], 1, id="after them"),
        pytest.param([*STRANGERS[:3], PERSON, *STRANGERS[3:]], 3, id="between them"),
        pytest.param([PERSON, *STRANGERS[:1] * 3], 2, id="before one who says it thrice"),
    ],
)
def test_a_pusher_among_strangers_is(kind: Kind, speakers: Sequence[str], one_by_one: int, tmp_path: Path) -> None:
    with opened(kind, tmp_path) as world:
        for who in speakers:
            world.say("/layerwatch ignore" if who == PERSON else "/layerwatch rebase", who)
        made, sent = proposed(world)
    assert made.reason is Reason.IGNORED_BY_COMMAND
    asked = sum(re.search(WHO_MAY_PUSH[kind], each.path) is not None for each in sent)
    assert asked == (1 if kind in AT_ONCE else one_by_one)
