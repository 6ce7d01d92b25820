"""Who opened it counts: on some forges an account that may only read opens a pull request of a branch that is there.

Whatever its text says, nothing of a person's is overwritten, no key is refused, and no proposal is held up.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from layering.forge.forge import Proposed, State
from layering.forge.forges import open_forge
from layering.forge.marker import Marker, is_withdrawn, with_marker
from layering.forge.settings import Kind
from layering.reasons import Reason
from tests.forges.proposals import BRANCH, FILE, image, pinning, proposal
from tests.forges.standing import PERSON, STRANGER
from tests.forges.world import WORLDS, Open

KINDS = (Kind.GITHUB, Kind.GITEA)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """With a branch `dev` besides `main`."""
    with WORLDS[request.param](tmp_path) as made:
        made.origin.commit({FILE: pinning("0")})
        made.origin.commit({"README.md": "what comes next\n"}, branch="dev", on="main")
        yield cast(Open, made)


def propose(world: Open, digit: str = "1") -> Proposed:
    """By a process that knows nothing yet."""
    forge = open_forge(world.settings)
    try:
        return forge.propose(proposal(world.repository, digit))
    finally:
        forge.close()


def forged(world: Open, digit: str, old: str = "0") -> str:
    """A text whose marker tells of the branch's commit that we proposed this image with it."""
    marker = Marker(
        key=digit * 64,
        commit=str(world.origin.head(BRANCH)),
        image=str(image(digit)),
        old=str(image(old)),
        base=str(world.origin.head("main")),
        title="Have a look",
        written=datetime.now(UTC),
        comments=0,
    )
    return with_marker("Have a look.", marker)


def nothing(world: Open) -> None:
    """It stays open."""


def close(world: Open) -> None:
    world.close()


TEXTS: dict[str, Callable[[Open], str]] = {
    "without a marker": lambda world: "Have a look.",
    "as if it were for the next key": lambda world: forged(world, "2"),
    "as if the next image were pinned": lambda world: forged(world, "1", old="2"),
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("then", [nothing, close])
def test_a_readers_pull_request_into_another_branch_is_nobodys(
    world: Open, text: str, then: Callable[[Open], None]
) -> None:
    propose(world)
    world.open("dev", TEXTS[text](world), STRANGER)
    then(world)
    assert propose(world).reason is Reason.PROPOSAL_OPEN
    made = propose(world, "2")
    assert (made.state, made.number, len(world.pulls())) == (State.UPDATED, 1, 2)
    assert world.origin.show(BRANCH, FILE) == pinning("2").rstrip()


@pytest.mark.parametrize("base", ["dev", "main"])
def test_a_reader_cannot_call_a_persons_commit_ours(world: Open, base: str) -> None:
    propose(world)
    theirs = world.origin.commit({"notes.txt": "a person was here\n"}, branch=BRANCH)
    if base == "main":
        world.close()
    world.open(base, forged(world, "1"), STRANGER)
    for digit in ("2", "3"):
        assert propose(world, digit).state is State.HUMAN_EDITED
    assert world.origin.head(BRANCH) == theirs


def test_as_long_a_text_as_there_can_be_is_in_nobodys_way(world: Open) -> None:
    propose(world)
    world.close()
    world.open("main", "x" * 65_000, STRANGER)
    assert propose(world, "2").state is State.CREATED


def test_what_a_reader_opened_does_not_count(world: Open) -> None:
    propose(world)
    world.open("dev", forged(world, "1"), STRANGER)
    world.settings = replace(world.settings, max_open=2)
    other = replace(proposal(world.repository).target, pool="infra", file="infra.yaml", create=True)
    forge = open_forge(world.settings)
    made = forge.propose(replace(proposal(world.repository), target=other))
    assert made.state is State.CREATED
    for name in (world.repository, world.repository.upper()):  # forges take it in whatever case
        (orphan,) = forge.orphans([other, replace(other, repository=name)])
        assert orphan.number == 1
    forge.close()


@pytest.mark.parametrize("text", TEXTS)
def test_a_readers_pull_request_in_the_place_of_ours_makes_way(world: Open, text: str) -> None:
    propose(world)
    world.close()
    world.open("main", TEXTS[text](world), STRANGER)
    made = propose(world, "3")
    ours, readers, newest = world.pulls()
    assert (made.state, made.number) == (State.CREATED, newest.number)
    assert [each.state for each in (ours, readers, newest)] == ["closed", "closed", "open"]
    assert is_withdrawn(readers.body)
    assert Marker.parse(readers.body) is None
    assert propose(world, "1").reason is Reason.CLOSED_BY_PERSON, "what was refused before still is"


def test_a_writers_pull_request_into_another_branch_is_left_alone(world: Open) -> None:
    propose(world)
    world.open("dev", "Try it there, too.", PERSON)
    assert propose(world, "2").state is State.UPDATED
    assert [(each.state, each.title) for each in world.pulls()][1:] == [("open", "Have a look")]


def test_a_forged_marker_is_one_of_its_own_words(world: Open) -> None:
    """What the tests above forge could not be told from ours by its form."""
    propose(world)
    ours, other = Marker.parse(world.pulls()[0].body), Marker.parse(forged(world, "1"))
    assert ours is not None
    assert other is not None
    assert replace(other, title=ours.title, written=ours.written) == ours
