"""A branch that gets a commit of GitHub's own, while a person pushes to it: on a GitHub that others wrote."""

from collections.abc import Callable, Iterator

import pytest

from layering.forge.forge import State
from tests.forges.github.emulate_world import EmulateWorld, emulate_world
from tests.forges.proposals import BRANCH, FILE, pinning
from tests.forges.test_behaviour import propose
from tests.git_http import Asked, Served


@pytest.fixture
def world() -> Iterator[EmulateWorld]:
    with emulate_world() as made:
        made.origin.commit({FILE: pinning("0")})
        yield made


def absent(world: EmulateWorld) -> None:
    """The branch is made."""


def merged(world: EmulateWorld) -> None:
    """It was left behind by a merge: all it has is in main."""
    propose(world)
    world.merge()


def older(world: EmulateWorld) -> None:
    """It has a commit of ours, and main went on."""
    propose(world)
    world.origin.commit({"README.md": "elsewhere\n"})


STATES = [absent, merged, older]
BEFORE = ["git/trees", "git/commits", "git-upload-pack", "git-receive-pack"]
"""What is asked for, one after the other, to make a commit, to have it here, and to move the branch to it."""


@pytest.mark.parametrize("state", STATES)
def test_it_is_moved(world: EmulateWorld, state: Callable[[EmulateWorld], None]) -> None:
    state(world)
    made = propose(world, "2")
    assert world.origin.head(BRANCH) == made.commit
    assert world.origin.git("rev-list", f"main..{BRANCH}") == made.commit


@pytest.mark.parametrize("what", BEFORE)
@pytest.mark.parametrize("state", STATES)
def test_a_proposal_yields_to_a_push_meanwhile(
    world: EmulateWorld, state: Callable[[EmulateWorld], None], what: str
) -> None:
    """To the last moment: the branch is moved from what was seen, or not at all."""
    state(world)
    pushed = person_pushes_before(world, what)
    assert propose(world, "2").state is State.HUMAN_EDITED
    assert [world.origin.head(BRANCH)] == pushed


def person_pushes_before(world: EmulateWorld, what: str) -> list[str]:
    """Right before it is asked for, once a commit is being made. Theirs is in the list then."""
    pushed, posted = list[str](), list[str]()

    def between(asked: Asked, serve: Callable[[], Served]) -> Served:
        posted.extend([asked.target] if asked.method == "POST" else [])
        is_begun = any("git/trees" in each for each in posted)
        if is_begun and what in posted[-1] and not pushed:
            onto = BRANCH if world.origin.head(BRANCH) else "main"
            pushed.append(world.origin.commit({"notes.txt": "mine\n"}, branch=BRANCH, on=onto))
        return serve()

    world.emulate.between = between
    return pushed
