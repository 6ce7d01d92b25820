"""The same table as on our own GitHub, and a story, on a GitHub that others wrote: npm's `emulate`, as a GitHub App.

Which rows it cannot carry, and what it gets wrong, stands here too: none of that is proven by it. It has no git of its
own, no clock that comments move, no signatures, no dispatches and no workflow runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from layering.errors import LayerwatchError, RefusedError
from layering.forge.forge import State
from layering.reasons import Reason
from tests.forges import test_behaviour as behaviour
from tests.forges.github.emulate import SLUG
from tests.forges.github.emulate_world import EmulateWorld, emulate_world
from tests.forges.proposals import BRANCH, FILE, pinning
from tests.forges.standing import PERSON
from tests.forges.test_behaviour import ROWS, Act, propose

NOT_CARRIED = {
    "its branch deleted": "a pull request stays open when its branch is gone",
    "the marker taken away": "an App's commits carry the App's number where GitHub has that of its user",
    "a text of theirs, closed": "the same: whose commit it is tells its key",
    "a text of theirs, its branch deleted": "the same",
    "a text of theirs, merged and reverted": "the same",
    "/layerwatch ignore": "a comment does not move the pull request's updated_at",
    "/layerwatch ignore, and a stranger's rebase": "the same",
    "a stranger's /layerwatch ignore": "the same: it would be green without having been read",
    "a comment": "the same",
}


def carried(rows: list[Any]) -> list[Any]:
    return [row for row in rows if row.id not in NOT_CARRIED]


def test_what_is_not_carried_are_rows_of_the_table() -> None:
    assert set(NOT_CARRIED) <= {row.id for row in ROWS}


@pytest.fixture
def world() -> Iterator[EmulateWorld]:
    with emulate_world() as made:
        made.origin.commit({FILE: pinning("0")})
        yield made


@pytest.mark.parametrize(("act", "state", "reason", "later", "count"), carried(ROWS))
def test_the_same_image_again(
    world: EmulateWorld, act: Act, state: State, reason: Reason, later: State, count: int
) -> None:
    behaviour.test_the_same_image_again(world, act, state, reason, later, count)


@pytest.mark.parametrize(("act", "state", "reason", "later", "count"), carried(ROWS))
def test_a_newer_image(world: EmulateWorld, act: Act, state: State, reason: Reason, later: State, count: int) -> None:
    behaviour.test_a_newer_image(world, act, state, reason, later, count)


def test_a_line_that_was_changed_on_base_by_somebody_else(world: EmulateWorld) -> None:
    behaviour.test_a_line_that_was_changed_on_base_by_somebody_else(world)


def test_a_draft_stays_as_it_is(world: EmulateWorld) -> None:
    behaviour.test_a_draft_stays_as_it_is(world)


def test_the_story_of_a_proposal(world: EmulateWorld) -> None:
    origin, main = world.origin, world.origin.head("main")
    made = propose(world, labels=("os", "urgent"), reviewers=(PERSON,))
    (pull,) = world.listed()
    assert (made.state, made.commit) == (State.CREATED, origin.head(BRANCH))
    assert (pull["head"]["ref"], pull["head"]["sha"], pull["base"]["ref"]) == (BRANCH, made.commit, "main")
    assert {label["name"] for label in pull["labels"]} == {"os", "urgent"}
    assert [each["login"] for each in pull["requested_reviewers"]] == [PERSON]
    assert origin.git("diff", "--name-only", "main", BRANCH) == FILE
    assert origin.show(BRANCH, FILE) == pinning("1").rstrip()

    world.written()
    assert propose(world, labels=("os", "urgent"), reviewers=(PERSON,)).state is State.UNCHANGED
    assert world.written() == []

    assert propose(world, "2").state is State.UPDATED
    assert [each["number"] for each in world.listed()] == [pull["number"]]
    assert origin.git("log", "-1", "--format=%P", BRANCH) == main

    world.close()
    world.written()
    assert propose(world, "2").reason is Reason.CLOSED_BY_PERSON
    assert world.written() == []

    assert propose(world, "3").state is State.CREATED
    world.merge()
    world.written()
    assert propose(world, "3").reason is Reason.ALREADY_ON_BASE
    assert world.written() == []
    assert origin.show("main", FILE) == pinning("3").rstrip()


def test_a_reviewer_nobody_knows_is_one_warning(world: EmulateWorld) -> None:
    made = propose(world, reviewers=(PERSON, "nobody"))
    (told,) = (each for each in made.warnings if "reviewer" in each)
    assert told == "GitHub takes no reviewer 'nobody': Validation failed"
    assert [each["login"] for each in world.listed()[0]["requested_reviewers"]] == [PERSON]


def test_a_commit_that_is_not_signed_is_told(world: EmulateWorld) -> None:
    made = propose(world)
    commit = str(made.commit)[:12]
    assert made.warnings == (
        f"GitHub did not sign commit {commit} (unsigned): where a rule wants signed commits, it cannot be merged",
    )


@pytest.mark.parametrize(
    ("app", "written"),
    [
        pytest.param(2, ["/git/trees"], id="contents"),
        pytest.param(3, ["/git/trees", "/git/commits", ".git/git-receive-pack", "/pulls"], id="pull requests"),
    ],
)
def test_a_permission_that_the_app_lacks_is_told(world: EmulateWorld, app: int, written: list[str]) -> None:
    """The last thing that was tried is what it may not."""
    world.settings = world.emulate.settings(app)
    world.written()
    with pytest.raises(RefusedError, match="the forge forbids it") as caught:
        propose(world)
    assert (caught.value.exit_code, caught.value.reason) == (3, Reason.FORGE_REFUSED)
    assert caught.value.next_step == "give the token the right to write contents and pull requests of this repository"
    assert [each.partition(world.repository)[2] for each in world.written()] == written
    assert world.listed() == []


def test_an_app_that_is_not_installed_is_told(world: EmulateWorld) -> None:
    assert world.settings.app is not None
    world.settings = replace(world.settings, app=replace(world.settings.app, installation=99))
    with pytest.raises(LayerwatchError) as caught:
        propose(world)
    assert caught.value.reason is Reason.FORGE_REFUSED


def unknown_token(world: EmulateWorld) -> bool:
    return world.emulate.ask("GET", "user", "ghp_that_nobody_made").status_code != 401


def branch_that_is_not_there(world: EmulateWorld) -> bool:
    world.api("POST", "pulls", title="x", head="nowhere", base="main")
    return world.origin.head("nowhere") is not None


def second_one_for_a_branch(world: EmulateWorld) -> bool:
    for _ in range(2):
        world.api("POST", "pulls", title="x", head="nowhere", base="main")
    return len(world.listed()) == 2


def head_of_a_moved_branch(world: EmulateWorld) -> bool:
    propose(world)
    propose(world, "2")
    return bool(world.listed()[0]["head"]["sha"] != world.origin.head(BRANCH))


def branch_deleted(world: EmulateWorld) -> bool:
    propose(world)
    behaviour.delete_branch(world)
    return world.pulls()[0].state == "open"


def comment(world: EmulateWorld) -> bool:
    propose(world)
    before = world.listed()[0]["updated_at"]
    world.say("/layerwatch ignore")
    return bool(world.listed()[0]["updated_at"] == before)


def author_of_an_app(world: EmulateWorld) -> bool:
    propose(world)
    found = world.api("GET", f"git/commits/{world.origin.head(BRANCH)}")["author"]["email"]
    user = world.emulate.api("GET", f"users/{SLUG}-1[bot]")
    return not found.startswith(f"{user['id']}+{user['login']}@")


@pytest.mark.parametrize(
    "is_wrong",
    [
        pytest.param(unknown_token, id="a token that nobody made is taken"),
        pytest.param(branch_that_is_not_there, id="a pull request's branch is made when it is not there"),
        pytest.param(second_one_for_a_branch, id="a branch gets a second pull request"),
        pytest.param(head_of_a_moved_branch, id="head.sha stays when the branch moves"),
        pytest.param(branch_deleted, id="a pull request stays open without its branch"),
        pytest.param(comment, id="a comment leaves updated_at as it was"),
        pytest.param(author_of_an_app, id="an App's commits have the App's number for its user's"),
    ],
)
def test_what_it_gets_wrong(world: EmulateWorld, is_wrong: Callable[[EmulateWorld], bool]) -> None:
    """Not proven here, then. One that fails was mended: take its rows out of NOT_CARRIED, and this one away."""
    assert is_wrong(world)
