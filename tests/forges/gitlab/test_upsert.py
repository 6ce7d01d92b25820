"""What becomes of a merge request that people had their hands on: each of their acts, and what we answer."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from layering.errors import ConflictError
from layering.forge.forge import State
from layering.forge.marker import without_marker
from layering.reasons import Reason
from tests.forges.gitlab.conftest import CONFIG, TARGET, Place
from tests.forges.gitlab.state import DEVELOPER

BRANCH = TARGET.proposal_branch
Act = Callable[[Place], object]


def push_more(place: Place) -> None:
    place.project.origin.commit({"notes.txt": "a person was here\n"}, branch=BRANCH)


def amend(place: Place) -> None:
    """Our message and trailers stay."""
    origin = place.project.origin
    message = origin.git("log", "-1", "--format=%B", BRANCH)
    made = origin.git("commit-tree", f"{BRANCH}^{{tree}}", "-p", f"{BRANCH}^", "-m", message)
    origin.git("update-ref", f"refs/heads/{BRANCH}", made)


def move_base(place: Place) -> None:
    place.project.origin.commit({"README.md": "elsewhere\n"})


def change_line(place: Place) -> None:
    place.project.origin.commit({"worker.yaml": CONFIG.format(digest="9" * 64)})


def pin_by_hand(place: Place) -> None:
    place.project.origin.commit({"worker.yaml": CONFIG.format(digest="1" * 64)})


def set_state(state: str) -> Act:
    return lambda place: place.gitlab.change(place.request, place.gitlab.user("pat"), state, state=state)


def take_marker_away(place: Place) -> None:
    place.request.description = without_marker(place.request.description)


def retitle(place: Place) -> None:
    place.request.title = "mine"


def reopen(place: Place) -> None:
    set_state("closed")(place)
    set_state("opened")(place)


@pytest.mark.parametrize(
    ("act", "state", "reason"),
    [
        pytest.param(lambda place: None, State.UNCHANGED, Reason.PROPOSAL_OPEN, id="nothing"),
        pytest.param(push_more, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON, id="a commit"),
        pytest.param(amend, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON, id="our commit amended"),
        pytest.param(move_base, State.UNCHANGED, Reason.PROPOSAL_OPEN, id="the base moved elsewhere"),
        pytest.param(pin_by_hand, State.UNCHANGED, Reason.ALREADY_ON_BASE, id="pinned by hand"),
        pytest.param(set_state("closed"), State.IGNORED, Reason.CLOSED_BY_PERSON, id="closed"),
        pytest.param(reopen, State.UNCHANGED, Reason.PROPOSAL_OPEN, id="closed and opened again"),
        pytest.param(take_marker_away, State.UPDATED, Reason.PROPOSAL_OPEN, id="the marker taken away"),
        pytest.param(retitle, State.UNCHANGED, Reason.PROPOSAL_OPEN, id="another title"),
    ],
)
def test_the_same_key(place: Place, act: Act, state: State, reason: Reason) -> None:
    place.propose()
    act(place)
    made = place.propose()
    assert (made.state, made.reason) == (state, reason)
    assert (place.propose().reason, len(place.project.merge_requests)) == (reason, 1)


@pytest.mark.parametrize(
    ("act", "state", "requests"),
    [
        pytest.param(lambda place: None, State.UPDATED, 1, id="nothing"),
        pytest.param(push_more, State.HUMAN_EDITED, 1, id="a commit"),
        pytest.param(move_base, State.UPDATED, 1, id="the base moved elsewhere"),
        pytest.param(set_state("closed"), State.CREATED, 2, id="closed"),
        pytest.param(reopen, State.UPDATED, 1, id="closed and opened again"),
        pytest.param(take_marker_away, State.UPDATED, 1, id="the marker taken away"),
    ],
)
def test_a_newer_key(place: Place, act: Act, state: State, requests: int) -> None:
    place.propose()
    act(place)
    made = place.propose("2")
    assert (made.state, len(place.project.merge_requests)) == (state, requests)
    if state is not State.HUMAN_EDITED:
        origin = place.project.origin
        assert origin.git("rev-list", "--count", f"main..{BRANCH}") == "1"
        assert origin.show(BRANCH, "worker.yaml") == CONFIG.format(digest="2" * 64).rstrip()


def test_a_line_that_was_changed_on_base(place: Place) -> None:
    place.propose()
    change_line(place)
    with pytest.raises(ConflictError):
        place.propose()


@pytest.mark.parametrize("act", [push_more, amend])
def test_one_comment_says_that_it_is_theirs_and_rebase_makes_it_ours(place: Place, act: Act) -> None:
    place.propose()
    act(place)
    for digit in ("1", "2", "2"):
        assert place.propose(digit).state is State.HUMAN_EDITED
    said = [note for note in place.request.notes if not note.system]
    assert len(said) == 1
    pat = place.gitlab.user("pat")
    place.project.members[pat.id] = DEVELOPER
    place.gitlab.ahead = timedelta(seconds=10)
    note = place.gitlab.note(place.request, pat, "/layerwatch rebase")
    assert place.propose("2").state is State.UPDATED
    assert [name for name, _ in note.awards] == ["thumbsup"]
    assert place.project.origin.git("rev-list", "--count", f"main..{BRANCH}") == "1"
    assert place.propose("2").state is State.UNCHANGED


def test_a_title_of_a_persons_is_kept(place: Place) -> None:
    place.propose()
    retitle(place)
    place.propose("2")
    assert place.request.title == "mine"
