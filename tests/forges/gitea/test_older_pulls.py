"""What was decided before many other pull requests were opened, on a real Gitea, which selects none by its branch.

By a process that knows nothing yet: git tells it which of the older ones had a commit of ours.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from layering.forge.forge import Forge, Proposal, State
from layering.forge.forges import open_forge
from layering.forge.gitea import GiteaHost
from layering.forge.remotegit import RemoteGit
from layering.reasons import Reason
from tests.forges.gitea.test_gitea import closed_without_branch, crowd, made_by_a_new_process, without_branch
from tests.forges.gitea.world import GiteaWorld, gitea_world
from tests.forges.proposals import BRANCH, FILE, pinning, proposal
from tests.forges.standing import PERSON
from tests.forges.test_behaviour import propose
from tests.forges.test_new_ones import closed, merged, merged_and_deleted, nothing

_PER_PAGE = 2
_MANY = 2 * _PER_PAGE + 1
_NEW = 8  # contract-forges 23
_TOUCHED = 3


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GiteaWorld]:
    """One request lists few: each pull request takes Gitea a while to open."""
    monkeypatch.setattr(GiteaHost, "page", {"limit": _PER_PAGE})
    monkeypatch.setattr(GiteaHost, "pulls_per_page", _PER_PAGE)
    with gitea_world(tmp_path) as made:
        made.origin.commit({FILE: pinning("0")})
        yield made


def closed_in_their_own_words(world: GiteaWorld) -> None:
    world.write(body="A person's own words.")
    closed_without_branch(world)


def pushed_to_and_closed(world: GiteaWorld) -> None:
    for number in range(3):
        world.origin.commit({f"notes-{number}.txt": "mine\n"}, branch=BRANCH)
    world.pulls()
    closed_without_branch(world)


def updated_from_the_base_and_closed(world: GiteaWorld) -> None:
    world.origin.commit({"notes.txt": "next\n"})
    world.origin.merge("main", BRANCH, "Update the branch")
    world.pulls()
    closed_without_branch(world)


def amended_and_closed(world: GiteaWorld) -> None:
    """With our message and its trailers."""
    message = world.origin.git("log", "-1", "--format=%B", BRANCH)
    made = world.origin.git("commit-tree", f"{BRANCH}^{{tree}}", "-p", "main", "-m", message)
    world.origin.git("update-ref", f"refs/heads/{BRANCH}", made)
    world.pulls()
    closed_without_branch(world)


def reverted(world: GiteaWorld) -> None:
    """All that was begun since has our commit below it."""
    world.merge()
    without_branch(world)
    world.origin.commit({FILE: pinning("0")})


def closed_before_another(world: GiteaWorld) -> None:
    """The next key's was merged."""
    closed_without_branch(world)
    assert propose(world, "2").state is State.CREATED
    world.merge()
    without_branch(world)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (closed_without_branch, Reason.CLOSED_BY_PERSON),
        (without_branch, Reason.CLOSED_BY_PERSON),
        (closed_in_their_own_words, Reason.CLOSED_BY_PERSON),
        (pushed_to_and_closed, Reason.CLOSED_BY_PERSON),
        (updated_from_the_base_and_closed, Reason.CLOSED_BY_PERSON),
        (amended_and_closed, Reason.CLOSED_BY_PERSON),
        (reverted, Reason.REVERTED),
        (methodcaller("close"), Reason.CLOSED_BY_PERSON),
        (closed_before_another, Reason.CLOSED_BY_PERSON),
    ],
)
def test_a_decision_stands(world: GiteaWorld, act: Callable[[GiteaWorld], None], reason: Reason) -> None:
    propose(world)
    act(world)
    crowd(world, _MANY)
    made, asked = made_by_a_new_process(world, proposal(world.repository))
    assert made.reason is reason
    assert len(asked) <= _TOUCHED, asked


@pytest.mark.parametrize("before", [nothing, closed, merged, merged_and_deleted])
def test_what_is_new_is_made_within_its_budget(world: GiteaWorld, before: Callable[[GiteaWorld], None]) -> None:
    before(world)
    crowd(world, _MANY)
    world.add_milestone("4.19")
    wanted: dict[str, Any] = {"labels": ("os",), "milestone": "4.19", "reviewers": (PERSON,), "assignees": (PERSON,)}
    made, asked = made_by_a_new_process(world, proposal(world.repository, "2", **wanted))
    assert (made.state, made.warnings) == (State.CREATED, ())
    assert len(asked) <= _NEW, asked


def of_cluster(world: GiteaWorld, cluster: str, digit: str = "1") -> Proposal:
    one = proposal(world.repository, digit)
    return replace(one, target=replace(one.target, cluster=cluster))


def looked_at(forge: Forge, wanted: Sequence[Proposal]) -> list[tuple[State, Reason | None]]:
    one = forge.for_one_look([each.target for each in wanted])
    found = [one.observe(each.target, each.key, each.image) for each in wanted]
    return [(each.state, each.reason) for each in found]


def test_a_process_that_stays_knows_what_was_said_since_it_began(world: GiteaWorld) -> None:
    """Long before others', and after it had asked git."""
    crowd(world, _MANY)
    pools = [of_cluster(world, "prod"), of_cluster(world, "other")]
    with closing(open_forge(world.settings)) as forge:
        assert looked_at(forge, pools) == [(State.ABSENT, None)] * 2
        made = forge.propose(pools[0])
        crowd(world, _MANY, "since")
        world.say_in(made.number or 0, "/layerwatch ignore")
        for _ in range(2):
            assert forge.propose(pools[0]).reason is Reason.IGNORED_BY_COMMAND
        assert looked_at(forge, pools)[0] == (State.IGNORED, Reason.IGNORED_BY_COMMAND)


def test_branches_that_merges_left_are_replaced_by_a_process_that_stays(world: GiteaWorld) -> None:
    clusters = [f"c{number}" for number in range(3)]
    for cluster in clusters:
        made_by_a_new_process(world, of_cluster(world, cluster))
        world.merge()
        world.origin.commit({FILE: pinning("0")})
    crowd(world, _MANY, are_open=False)
    world.origin.commit({FILE: pinning("1")})
    with closing(open_forge(world.settings)) as forge:
        on_base = (State.UNCHANGED, Reason.ALREADY_ON_BASE)
        assert looked_at(forge, [of_cluster(world, each) for each in clusters]) == [on_base] * 3
        assert looked_at(forge, [of_cluster(world, each, "2") for each in clusters]) == [(State.ABSENT, None)] * 3
        assert forge.propose(of_cluster(world, clusters[0], "2")).state is State.CREATED


def test_what_others_begin_on_our_commit_undoes_no_refusal(world: GiteaWorld) -> None:
    propose(world)
    ours = world.origin.git("rev-parse", BRANCH)
    world.origin.commit({"notes.txt": "mine\n"}, branch=BRANCH)
    world.pulls()
    closed_without_branch(world)
    world.origin.git("update-ref", "refs/heads/near", ours)
    world.api("POST", "pulls", head="near", base="main", title="Nearer")
    crowd(world, _MANY)
    assert made_by_a_new_process(world, proposal(world.repository))[0].reason is Reason.CLOSED_BY_PERSON


def test_a_member_of_a_group_stays_refused(world: GiteaWorld) -> None:
    first = proposal(world.repository)
    wanted = replace(first, target=replace(first.target, group="workers"))
    assert made_by_a_new_process(world, wanted)[0].state is State.CREATED
    world.close()
    world.origin.git("update-ref", "-d", "refs/heads/layerwatch/group/workers")
    world.pulls()
    crowd(world, _MANY)
    made, asked = made_by_a_new_process(world, wanted)
    assert made.reason is Reason.CLOSED_BY_PERSON
    assert len(asked) <= _TOUCHED, asked


def test_without_git_s_word_all_are_read(world: GiteaWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator can have git send no less than everything."""
    propose(world)
    closed_without_branch(world)
    crowd(world, _MANY)
    monkeypatch.setattr(RemoteGit, "pull_commits", lambda *_: None)
    made, asked = made_by_a_new_process(world, proposal(world.repository))
    assert made.reason is Reason.CLOSED_BY_PERSON
    assert len(asked) > _TOUCHED
