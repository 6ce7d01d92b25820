"""A group of pools: one that is closed is refused for each, and there are as many as a forge's text has room for."""

from dataclasses import replace
from pathlib import Path

import pytest

from layering.errors import InputError
from layering.forge.forge import Change, Proposal, Proposed, State
from layering.forge.forges import open_forge
from layering.forge.settings import Kind
from layering.reasons import Reason
from tests.forges.proposals import FILE, image, pinning, proposal
from tests.forges.world import WORLDS, World

GROUP, BRANCH = "all", "layerwatch/group/all"
ROW_LENGTH = 150


def grouped(world: World, count: int, digit: str, whose: int) -> Proposal:
    one = proposal(world.repository, digit)
    targets = [
        replace(one.target, cluster=f"prod-{number}", file=f"{number}.yaml", group=GROUP) for number in range(count)
    ]
    changes = [Change(target=target, image=image(digit), key=digit * 64) for target in targets]
    text = "A row of the first table, which is never cut.".ljust(ROW_LENGTH) * count
    others = tuple(changes[:whose] + changes[whose + 1 :])
    return replace(one, target=targets[whose], others=others, body=lambda length_max, pinned: text)


def propose(world: World, count: int, digit: str = "1", whose: int = 0) -> Proposed:
    forge = open_forge(world.settings)
    try:
        return forge.propose(grouped(world, count, digit, whose))
    finally:
        forge.close()


@pytest.fixture(params=[Kind.GITHUB, Kind.GITLAB])
def kind(request: pytest.FixtureRequest) -> Kind:
    return Kind(request.param)


def test_a_hundred_pools_in_one_pull_request(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({f"{number}.yaml": pinning("0") for number in range(100)})
        assert propose(world, 100).state is State.CREATED
        before = world.pulls()
        assert propose(world, 100).reason is Reason.PROPOSAL_OPEN
        assert world.pulls() == before
        assert propose(world, 100, "2").state is State.UPDATED


@pytest.mark.parametrize("text", [None, "A person's own words."], ids=["as we wrote it", "in a person's own words"])
def test_what_is_closed_is_refused_for_each_of_them(kind: Kind, text: str | None, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({f"{number}.yaml": pinning("0") for number in range(3)})
        assert propose(world, 3).state is State.CREATED
        world.write(body=text)
        world.close()
        for whose in range(3):
            made = propose(world, 3, whose=whose)
            assert (made.state, made.reason) == (State.IGNORED, Reason.CLOSED_BY_PERSON)
        assert propose(world, 3, "2").state is State.CREATED


@pytest.mark.parametrize("kind", [Kind.GITHUB, Kind.GITEA])
def test_one_line_that_has_no_room_is_told_and_nothing_written(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0").replace("registry.example.com", "z" * 46_000)})
        forge = open_forge(world.settings)
        with pytest.raises(InputError, match="osImageURL on main has 46") as caught:
            forge.propose(proposal(world.repository))
        forge.close()
        assert FILE in str(caught.value)
        assert "group" not in str(caught.value)
        assert (world.pulls(), world.origin.head("layerwatch/prod/worker")) == ([], None)


def test_more_than_a_text_has_room_for_is_told_and_nothing_written(tmp_path: Path) -> None:
    with WORLDS[Kind.GITHUB](tmp_path) as world:
        world.origin.commit({f"{number}.yaml": pinning("0") for number in range(200)})
        with pytest.raises(InputError, match="200 lines"):
            propose(world, 200)
        assert (world.pulls(), world.origin.head(BRANCH)) == ([], None)


def test_several_are_made_in_one_new_file_together_or_one_after_the_other(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({"README": "nothing yet"})
        for pools, digit in ((["worker", "infra"], "1"), (["gpu"], "2")):
            one = proposal(world.repository, digit)
            targets = [replace(one.target, pool=pool, file="new.yaml", create=True, group=GROUP) for pool in pools]
            changes = [Change(target=target, image=image(digit), key=digit * 64) for target in targets]
            forge = open_forge(world.settings)
            try:
                assert forge.propose(replace(one, target=targets[0], others=tuple(changes[1:]))).state is State.CREATED
                world.merge()
                for target in targets:
                    assert forge.observe(target, digit * 64, image(digit)).reason is Reason.ALREADY_ON_BASE
            finally:
                forge.close()
        assert world.origin.show("main", "new.yaml").count("osImageURL:") == 3
