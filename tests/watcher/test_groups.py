"""What a proposal has of the other entries of its group: who they are, their manners, and their lines."""

from pathlib import Path
from typing import Any

import pytest

from layering.forge.forge import Change, ProposalState, State
from layering.forge.manners import NO_MANNERS, Manners
from layering.forge.marker import Line
from layering.reasons import Reason
from layering.reference import ImageReference
from tests.settings.documents import document, image, proposal, written
from tests.watcher.test_decide import NOW, OTHER_IMAGE, seen
from watcher.configuration import load
from watcher.decide import Policy, decide
from watcher.groups import Shared, shared_by, together
from watcher.report import Verdict, entry
from watcher.targets import targets

FIRST, SECOND = Manners(labels=("a", "b"), reviewers=("amy",)), Manners(labels=("b", "c"), assignees=("bob",))


@pytest.mark.parametrize(
    ("one_by_one", "expected"),
    [
        pytest.param([FIRST], FIRST, id="one: its own"),
        pytest.param(
            [FIRST, SECOND],
            Manners(labels=("a", "b", "c"), reviewers=("amy",), assignees=("bob",)),
            id="labels, reviewers and assignees of all, each once, in order",
        ),
        pytest.param(
            [NO_MANNERS, Manners(milestone="4.19"), Manners(milestone="4.20", title="T")],
            Manners(milestone="4.19", title="T"),
            id="the first milestone, the first title",
        ),
        pytest.param([NO_MANNERS, Manners(draft=True)], Manners(draft=True), id="a draft when any says so"),
    ],
)
def test_manners_together(one_by_one: list[Manners], expected: Manners) -> None:
    assert together(one_by_one) == expected


def shared(directory: Path, other: dict[str, Any], state: ProposalState | None = None) -> Shared:
    """What the first of two entries shares, when nothing of the other was looked at."""
    place = {"forge": "github", "repository": "acme/config", "group": "nodes"}
    entries = [proposal(**place), proposal(**place | {"pool": "infra", "file": "infra.yaml", "labels": ["i"]} | other)]
    settings = load(written(directory, document(images=[image(proposals=entries)])))
    every = targets(settings)
    first = every[0][1]
    assert first is not None
    return shared_by(every, {}, first, seen(proposal=state))


@pytest.mark.parametrize(
    ("other", "is_one_of_them"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"repository": "ACME/Config"}, True, id="the repository in another spelling"),
        pytest.param({"repository": "acme/configs"}, False, id="another repository"),
        pytest.param({"forge": "gitlab"}, False, id="another forge"),
        pytest.param({"group": "others"}, False, id="another group"),
        pytest.param({"group": None}, False, id="none"),
    ],
)
def test_who_shares(tmp_path: Path, other: dict[str, Any], is_one_of_them: bool) -> None:
    assert shared(tmp_path, other).manners.labels == (("i",) if is_one_of_them else ())


def test_the_open_line_of_one_that_was_not_looked_at_stays(tmp_path: Path) -> None:
    line = Line(key="f" * 64, image=str(OTHER_IMAGE), old=None)
    state = ProposalState(
        state=State.OUTDATED,
        reason=None,
        pinned=None,
        branch="layerwatch/group/nodes",
        members={"prod/infra": line},
    )
    (other,) = shared(tmp_path, {}, state).others
    assert isinstance(other, Change)
    assert (other.target.pool, other.image, other.key) == ("infra", ImageReference.parse(line.image), line.key)


SHARED, OWN, PAGE = "layerwatch/group/nodes", "layerwatch/prod/worker", "https://git.example.com/acme/config/pull/1"


@pytest.mark.parametrize(
    ("branch", "key", "state", "reason", "page"),
    [
        pytest.param(SHARED, None, State.OUTDATED, None, None, id="others' lines, and none of its own"),
        pytest.param(
            SHARED, None, State.UNCHANGED, Reason.ALREADY_ON_BASE, None, id="others' lines, its own is merged"
        ),
        pytest.param(SHARED, "f" * 64, State.OUTDATED, None, PAGE, id="a line with an older key"),
        pytest.param(SHARED, "f" * 64, State.UNCHANGED, Reason.PROPOSAL_OPEN, PAGE, id="its line"),
        pytest.param(SHARED, None, State.IGNORED, Reason.CLOSED_BY_PERSON, PAGE, id="closed"),
        pytest.param(SHARED, None, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON, PAGE, id="a person's"),
        pytest.param(OWN, None, State.OUTDATED, None, PAGE, id="its own, without its marker"),
    ],
)
def test_the_page_that_is_reported(
    branch: str, key: str | None, state: State, reason: Reason | None, page: str | None
) -> None:
    proposal = ProposalState(state=state, reason=reason, pinned=None, branch=branch, key=key, pull_request=PAGE)
    looked = seen(proposal=proposal)
    verdict = Verdict(subject=looked.subject, seen=looked, decision=decide(looked, Policy(), NOW))
    assert entry(verdict)["pull_request"] == page
