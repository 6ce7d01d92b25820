"""What becomes of a proposal that people had their hands on: written once, the same on every forge of WORLDS.

Each row: what a person does after the first image was proposed, and what the next proposal of the same image, or of a
newer one, finds and leaves. Never more than one branch, and a person's work is never overwritten.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layering.errors import ConflictError
from layering.forge.forge import Proposed, State
from layering.forge.forges import open_forge
from layering.forge.marker import Marker, without_marker
from layering.reasons import Reason
from tests.forges.proposals import BRANCH, FILE, pinning, proposal
from tests.forges.standing import STRANGER
from tests.forges.world import WORLDS, World

Act = Callable[[World], object]


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with WORLDS[request.param](tmp_path) as made:
        made.origin.commit({FILE: pinning("0")})
        yield made


def propose(world: World, digit: str = "1", **manners: Any) -> Proposed:
    """By a process that knows nothing yet."""
    forge = open_forge(world.settings)
    try:
        return forge.propose(proposal(world.repository, digit, **manners))
    finally:
        forge.close()


def nothing(world: World) -> None:
    """Nobody did anything."""


def push_a_commit(world: World) -> None:
    world.origin.commit({"notes.txt": "a person was here\n"}, branch=BRANCH)


def amend(world: World) -> None:
    """Our message and trailers stay."""
    origin = world.origin
    message = origin.git("log", "-1", "--format=%B", BRANCH)
    made = origin.git("commit-tree", f"{BRANCH}^{{tree}}", "-p", f"{BRANCH}^", "-m", message)
    origin.git("update-ref", f"refs/heads/{BRANCH}", made)


def move_base(world: World) -> None:
    world.origin.commit({"README.md": "elsewhere\n"})


def pin_by_hand(world: World) -> None:
    world.origin.commit({FILE: pinning("1")})


def delete_branch(world: World) -> None:
    world.origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")


def close(world: World) -> None:
    world.close()


def reopen(world: World) -> None:
    world.close()
    world.reopen()


def merge(world: World) -> None:
    world.merge()


def merge_and_revert(world: World) -> None:
    world.merge()
    world.origin.commit({FILE: pinning("0")})


def retarget(world: World) -> None:
    world.origin.commit({"README.md": "a release\n"}, branch="release", on="main")
    world.retarget("release")


def retitle(world: World) -> None:
    world.write(title="mine")


def label(world: World) -> None:
    world.label("urgent")


def take_marker_away(world: World) -> None:
    world.write(body=without_marker(world.pulls()[-1].body))


def write_anew_and_close(world: World) -> None:
    world.write(body="A person's own words.")
    world.close()


def write_anew_and_delete_the_branch(world: World) -> None:
    world.write(body="A person's own words.")
    delete_branch(world)


def write_anew_merge_and_revert(world: World) -> None:
    world.write(body="A person's own words.")
    merge_and_revert(world)


def ask_to_ignore(world: World) -> None:
    world.say("/layerwatch ignore")


def strangers_ignore(world: World) -> None:
    world.say("/layerwatch ignore", STRANGER)


def ask_to_ignore_before_a_stranger_speaks(world: World) -> None:
    world.say("/layerwatch ignore")
    world.say("/layerwatch rebase", STRANGER)


def talk(world: World) -> None:
    world.say("When is that /layerwatch ignore?")


OPEN, THEIRS, IGNORED = State.UNCHANGED, State.HUMAN_EDITED, State.IGNORED
ROWS = [
    pytest.param(nothing, OPEN, Reason.PROPOSAL_OPEN, State.UPDATED, 1, id="nothing"),
    pytest.param(push_a_commit, THEIRS, Reason.EDITED_BY_PERSON, THEIRS, 1, id="a commit on the branch"),
    pytest.param(amend, THEIRS, Reason.EDITED_BY_PERSON, THEIRS, 1, id="our commit amended"),
    pytest.param(move_base, OPEN, Reason.PROPOSAL_OPEN, State.UPDATED, 1, id="the base moved elsewhere"),
    pytest.param(pin_by_hand, OPEN, Reason.ALREADY_ON_BASE, State.UPDATED, 1, id="pinned by hand"),
    pytest.param(close, IGNORED, Reason.CLOSED_BY_PERSON, State.CREATED, 2, id="closed"),
    pytest.param(delete_branch, IGNORED, Reason.CLOSED_BY_PERSON, State.CREATED, 2, id="its branch deleted"),
    pytest.param(reopen, OPEN, Reason.PROPOSAL_OPEN, State.UPDATED, 1, id="closed and reopened"),
    pytest.param(merge, OPEN, Reason.ALREADY_ON_BASE, State.CREATED, 2, id="merged, the branch left behind"),
    pytest.param(merge_and_revert, IGNORED, Reason.REVERTED, State.CREATED, 2, id="merged and reverted"),
    pytest.param(retarget, THEIRS, Reason.EDITED_BY_PERSON, THEIRS, 1, id="retargeted"),
    pytest.param(retitle, OPEN, Reason.PROPOSAL_OPEN, State.UPDATED, 1, id="another title"),
    pytest.param(label, OPEN, Reason.PROPOSAL_OPEN, State.UPDATED, 1, id="another label"),
    pytest.param(take_marker_away, State.UPDATED, Reason.PROPOSAL_OPEN, State.UPDATED, 1, id="the marker taken away"),
    pytest.param(
        write_anew_and_close, IGNORED, Reason.CLOSED_BY_PERSON, State.CREATED, 2, id="a text of theirs, closed"
    ),
    pytest.param(
        write_anew_and_delete_the_branch,
        IGNORED,
        Reason.CLOSED_BY_PERSON,
        State.CREATED,
        2,
        id="a text of theirs, its branch deleted",
    ),
    pytest.param(
        write_anew_merge_and_revert,
        IGNORED,
        Reason.REVERTED,
        State.CREATED,
        2,
        id="a text of theirs, merged and reverted",
    ),
    pytest.param(ask_to_ignore, IGNORED, Reason.IGNORED_BY_COMMAND, State.CREATED, 2, id="/layerwatch ignore"),
    pytest.param(strangers_ignore, OPEN, Reason.PROPOSAL_OPEN, State.UPDATED, 1, id="a stranger's /layerwatch ignore"),
    pytest.param(
        ask_to_ignore_before_a_stranger_speaks,
        IGNORED,
        Reason.IGNORED_BY_COMMAND,
        State.CREATED,
        2,
        id="/layerwatch ignore, and a stranger's rebase",
    ),
    pytest.param(talk, OPEN, Reason.PROPOSAL_OPEN, State.UPDATED, 1, id="a comment"),
]


@pytest.mark.parametrize(("act", "state", "reason", "later", "count"), ROWS)
def test_the_same_image_again(world: World, act: Act, state: State, reason: Reason, later: State, count: int) -> None:
    propose(world)
    act(world)
    made = propose(world)
    assert (made.state, made.reason) == (state, reason)
    before = (world.pulls(), world.origin.git("for-each-ref"))
    assert propose(world).reason is reason
    assert (world.pulls(), world.origin.git("for-each-ref")) == before, "the second look must write nothing"
    assert len(world.pulls()) == 1


@pytest.mark.parametrize(("act", "state", "reason", "later", "count"), ROWS)
def test_a_newer_image(world: World, act: Act, state: State, reason: Reason, later: State, count: int) -> None:
    propose(world)
    act(world)
    head = world.origin.head(BRANCH)
    made = propose(world, "2")
    assert (made.state, len(world.pulls())) == (later, count)
    if later is THEIRS:
        assert world.origin.head(BRANCH) == head
        return
    assert world.origin.show(BRANCH, FILE) == pinning("2").rstrip()
    assert world.origin.git("rev-list", f"main..{BRANCH}") == made.commit
    newest, marker = world.pulls()[-1], Marker.parse(world.pulls()[-1].body)
    assert marker is not None
    assert (newest.state, marker.key, marker.commit) == ("open", "2" * 64, made.commit)


@pytest.mark.parametrize(
    ("act", "title", "labels"),
    [
        pytest.param(nothing, "worker of prod: 2", {"os"}, id="as we left it"),
        pytest.param(retitle, "mine", {"os"}, id="a title of a person's is kept"),
        pytest.param(label, "worker of prod: 2", {"os", "urgent"}, id="labels are only added"),
    ],
)
def test_what_a_newer_image_replaces(world: World, act: Act, title: str, labels: set[str]) -> None:
    propose(world, labels=("os",))
    act(world)
    propose(world, "2", labels=("os",))
    newest = world.pulls()[-1]
    assert (newest.title, set(newest.labels)) == (title, labels)


@pytest.mark.parametrize("digit", ["1", "2"])
def test_what_a_person_changed_stays_when_the_text_is_written_again(world: World, digit: str) -> None:
    """The marker is gone, so nothing but the commit tells what was ours."""
    propose(world, labels=("os",))
    world.write(title="mine", body="A person's own words.")
    world.label("urgent")
    assert propose(world, digit, labels=("os", "more")).state is State.UPDATED
    newest = world.pulls()[-1]
    assert newest.title == "mine"
    assert set(newest.labels) == {"os", "urgent"} | ({"more"} if digit == "2" else set())


def test_a_line_that_was_changed_on_base_by_somebody_else(world: World) -> None:
    propose(world)
    world.origin.commit({FILE: pinning("9")})
    before = world.origin.head(BRANCH)
    with pytest.raises(ConflictError):
        propose(world)
    assert world.origin.head(BRANCH) == before


@pytest.mark.parametrize("act", [push_a_commit, amend])
def test_one_comment_says_that_it_is_theirs_and_rebase_makes_it_ours(world: World, act: Act) -> None:
    propose(world)
    act(world)
    for digit in ("1", "2", "2"):
        assert propose(world, digit).state is THEIRS
    assert len(world.pulls()[-1].comments) == 1
    world.say("/layerwatch rebase", STRANGER)
    assert propose(world, "2").state is THEIRS
    world.say("/layerwatch rebase")
    assert propose(world, "2").state is State.UPDATED
    assert world.pulls()[-1].answers == 1
    assert world.origin.git("rev-list", "--count", f"main..{BRANCH}") == "1"
    assert propose(world, "2").state is OPEN


def push_and_write(world: World) -> None:
    push_a_commit(world)
    world.write(body="A person's own words.")


@pytest.mark.parametrize(("act", "told"), [(push_a_commit, True), (push_and_write, False)])
def test_the_comment_tells_of_rebase_where_it_is_carried_out(world: World, act: Act, told: bool) -> None:
    propose(world)
    act(world)
    propose(world)
    (comment,) = world.pulls()[-1].comments
    assert ("/layerwatch rebase" in comment) is told
    before = world.origin.head(BRANCH)
    world.say("/layerwatch rebase")
    assert propose(world, "2").state is (State.UPDATED if told else THEIRS)
    assert (world.origin.head(BRANCH) != before) is told


def test_a_retargeted_one_that_is_set_back_is_followed_again(world: World) -> None:
    """Who retargeted it knows, and is told nothing."""
    propose(world)
    retarget(world)
    assert propose(world, "2").state is THEIRS
    assert world.pulls()[-1].comments == ()
    world.retarget("main")
    assert propose(world).state is OPEN
    assert propose(world, "2").state is State.UPDATED


def test_a_retargeted_one_is_not_rebased_before_it_is_set_back(world: World) -> None:
    propose(world)
    retarget(world)
    before = world.origin.head(BRANCH)
    world.say("/layerwatch rebase")
    assert propose(world, "2").state is THEIRS
    assert world.origin.head(BRANCH) == before
    world.retarget("main")
    assert propose(world, "2").state is State.UPDATED


def test_a_command_that_was_carried_out_is_not_again_when_the_marker_is_gone(world: World) -> None:
    propose(world)
    push_a_commit(world)
    world.say("/layerwatch rebase")
    assert propose(world).state is State.UPDATED
    push_a_commit(world)
    world.write(body="A person's own words.")
    theirs = world.origin.head(BRANCH)
    for digit in ("1", "2"):
        assert propose(world, digit).state is THEIRS
    assert world.origin.head(BRANCH) == theirs


def test_what_was_merged_is_told_with_its_pull_request(world: World) -> None:
    ours = propose(world)
    world.merge()
    made = propose(world)
    assert (made.reason, made.number, made.pull_request) == (Reason.ALREADY_ON_BASE, ours.number, ours.pull_request)


def test_a_draft_stays_as_it_is(world: World) -> None:
    propose(world, draft=True)
    propose(world, "2")
    (only,) = world.pulls()
    assert (only.draft, only.title) == (True, "worker of prod: 2")
