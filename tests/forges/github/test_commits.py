"""A branch that is moved by the API, while a person pushes to it: at each moment, on a GitHub that others wrote.

Fast-forwards are judged by emulate, not by us (see test_emulate.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from layering.errors import ConflictError
from layering.forge.exchange import Exchange
from layering.forge.forge import State
from layering.forge.github import HEADERS
from layering.forge.githubapp import InstallationTokens
from layering.forge.githubcommits import GitHubCommits
from layering.forge.patience import Patience
from layering.forge.treechange import TreeChange
from layering.gitrepository import GitRepository, signature
from tests.forges.github.emulate_world import EmulateWorld, emulate_world
from tests.forges.proposals import BRANCH, FILE, pinning
from tests.forges.test_behaviour import propose
from tests.git_http import Asked, Served


@dataclass(kw_only=True)
class Place:
    world: EmulateWorld
    commits: GitHubCommits

    def commit(self, old: str | None) -> str:
        """Ours, on the tip of main."""
        tip, files = str(self.world.origin.head("main")), {FILE: pinning("1").encode()}
        here = GitRepository(path=self.world.origin.path)
        made = here.add_commit(tip, files, "Layer it", signature("a", "a@b", datetime.now(UTC)))
        change = TreeChange(
            parent=tip, before=here.tree(tip), after=here.tree(made), files=files, modes=here.changed_modes(made)
        )
        return self.commits.commit(self.world.repository, BRANCH, change, old=old, message="Layer it")[0]

    def person_pushes_before(self, moment: str) -> list[str]:
        """Right before a request about the branch, `METHOD NUMBER`. The commit is in the list once it was made."""
        seen: list[str] = []
        pushed: list[str] = []

        def between(asked: Asked, serve: Callable[[], Served]) -> Served:
            if "/git/ref" in asked.target:
                seen.append(asked.method)
                if f"{asked.method} {seen.count(asked.method)}" == moment:
                    pushed.append(self.world.origin.commit({"notes.txt": "mine\n"}, branch=BRANCH, on=self._onto()))
            return serve()

        self.world.emulate.between = between
        return pushed

    def _onto(self) -> str:
        return BRANCH if self.world.origin.head(BRANCH) else "main"


@pytest.fixture
def place() -> Iterator[Place]:
    with emulate_world() as world:
        world.origin.commit({FILE: pinning("0")})
        assert world.settings.app is not None
        patience = Patience(5)
        tokens = InstallationTokens(world.settings, world.settings.app, headers=HEADERS, patience=patience)
        exchange = Exchange(world.settings, tokens, headers=HEADERS, patience=patience)
        yield Place(world=world, commits=GitHubCommits(world.settings, exchange, tokens))
        exchange.close()
        tokens.close()


def absent(place: Place) -> None:
    """The branch is made."""


def merged(place: Place) -> None:
    """It was left behind by a merge: all it has is in main."""
    place.commit(None)
    place.world.origin.merge(BRANCH, "main", "merged")


def older(place: Place) -> None:
    """It has a commit of ours, and main went on."""
    place.commit(None)
    place.world.origin.commit({"README.md": "elsewhere\n"})


STATES = [absent, merged, older]


@pytest.mark.parametrize("state", STATES)
def test_it_is_moved(place: Place, state: Callable[[Place], None]) -> None:
    state(place)
    made = place.commit(place.world.origin.head(BRANCH))
    assert place.world.origin.head(BRANCH) == made
    assert place.world.origin.git("rev-list", f"main..{BRANCH}") == made


@pytest.mark.parametrize(
    ("state", "moment"),
    [
        pytest.param(absent, "POST 1", id="absent: before it is made"),
        pytest.param(merged, "GET 1", id="merged: before it is looked at"),
        pytest.param(merged, "PATCH 1", id="merged: before it is moved"),
        pytest.param(older, "GET 1", id="older: before it is looked at"),
        pytest.param(older, "PATCH 1", id="older: before it is moved without force"),
        pytest.param(older, "GET 2", id="older: before it is looked at again"),
    ],
)
def test_a_push_meanwhile_is_kept_and_told(place: Place, state: Callable[[Place], None], moment: str) -> None:
    state(place)
    old = place.world.origin.head(BRANCH)
    pushed = place.person_pushes_before(moment)
    with pytest.raises(ConflictError, match="moved by somebody else"):
        place.commit(old)
    assert [place.world.origin.head(BRANCH)] == pushed


@pytest.mark.parametrize("moment", ["GET 1", "PATCH 1", "GET 2"])
def test_a_proposal_yields_to_a_push_meanwhile(place: Place, moment: str) -> None:
    propose(place.world)
    pushed = place.person_pushes_before(moment)
    assert propose(place.world, "2").state is State.HUMAN_EDITED
    assert [place.world.origin.head(BRANCH)] == pushed


def test_a_push_in_the_last_moment_is_lost(place: Place) -> None:
    """What REST cannot tell, and stands in GitHubCommits: between the second look and the move with force."""
    older(place)
    old = place.world.origin.head(BRANCH)
    pushed = place.person_pushes_before("PATCH 2")
    made = place.commit(old)
    assert (place.world.origin.head(BRANCH), len(pushed)) == (made, 1)
