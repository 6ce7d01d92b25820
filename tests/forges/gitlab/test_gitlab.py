"""What is GitLab's own: paths, drafts, people by number, what it leaves out, whose merge request it is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from layering.errors import NotFoundError, RefusedError, UnavailableError
from layering.forge.forge import State
from layering.forge.gitlab import GitLabHost
from layering.forge.marker import Marker
from layering.reasons import Reason
from tests.forges.gitlab.api import PREFIX
from tests.forges.gitlab.conftest import TARGET, Place
from tests.forges.gitlab.server import BOT, PATH
from tests.forges.gitlab.state import DEVELOPER, GUEST, MAINTAINER, REPORTER, Milestone
from tests.forges.proposals import FILE, image, pinning
from tests.git_http import Asked, Served

BRANCH = TARGET.proposal_branch
LATER = timedelta(seconds=10)


def test_a_merge_request_of_a_project_in_a_subgroup(place: Place) -> None:
    made = place.propose()
    assert (made.state, made.number) == (State.CREATED, 1)
    assert made.pull_request == f"http://{place.address}/{PATH}/-/merge_requests/1"
    assert place.project.origin.head(BRANCH) == made.commit == place.request.sha
    assert (place.request.source_branch, place.request.target_branch) == (BRANCH, "main")
    assert f"/projects/{PATH.replace('/', '%2F')}/merge_requests" in place.sent[-1].path


def test_what_an_unchanged_one_costs(place: Place) -> None:
    """One request in a fresh process: the clone's address is told by the merge request's own."""
    place.propose(labels=("os",), reviewers=("rita",))
    place.methods()
    assert place.propose().reason is Reason.PROPOSAL_OPEN
    assert place.methods() == ["GET"]


def test_what_a_new_one_costs(place: Place) -> None:
    """Four people and a milestone, and still no more than eight."""
    for name in ("rita", "rob", "anna", "abe"):
        place.project.members[place.gitlab.user(name).id] = DEVELOPER
    place.project.milestones.append(Milestone(id=7, title="4.19"))
    manners: dict[str, Any] = {"labels": ("os",), "reviewers": ("rita", "rob"), "assignees": ("anna", "abe")}
    made = place.propose(**manners, milestone="4.19", draft=True)
    assert made.warnings == ()
    assert len(place.methods()) <= 8


def test_all_of_the_manners(place: Place) -> None:
    for name in ("rita", "anna"):
        place.project.members[place.gitlab.user(name).id] = DEVELOPER
    place.project.milestones.append(Milestone(id=7, title="4.19"))
    made = place.propose(labels=("os", "prod"), reviewers=("Rita",), assignees=("anna",), milestone="4.19", draft=True)
    assert made.warnings == ()
    request = place.request
    assert request.labels == ["os", "prod"]
    assert [each.username for each in (*request.reviewers, *request.assignees)] == ["rita", "anna"]
    assert request.milestone is not None
    assert request.milestone.title == "4.19"
    assert request.title == "Draft: worker of prod: 1"
    marker = Marker.parse(request.description)
    assert marker is not None
    assert (marker.title, marker.todo) == ("worker of prod: 1", ())


@pytest.mark.parametrize(
    ("manners", "warning"),
    [
        pytest.param({"reviewers": ("nobody",)}, "GitLab knows no user 'nobody'", id="nobody"),
        pytest.param({"assignees": ("stranger",)}, "GitLab left out assignee 'stranger'", id="who may not see it"),
        pytest.param({"reviewers": ("team:ops",)}, "'team:ops': GitLab asks people, no teams", id="a team"),
        pytest.param({"labels": ("a,b",)}, "label 'a,b': GitLab's have no comma", id="a label that would be two"),
        pytest.param({"milestone": "4.1"}, "the project has no open milestone '4.1'", id="no such milestone"),
        pytest.param({"milestone": "done"}, "the project has no open milestone 'done'", id="a milestone that is over"),
        pytest.param({"reviewers": ("rita", "rob")}, "GitLab left out reviewer 'rob'", id="one reviewer only"),
    ],
)
def test_what_gitlab_does_not_take_is_told(place: Place, manners: dict[str, Any], warning: str) -> None:
    place.gitlab.user("stranger")
    for name in ("rita", "rob"):
        place.project.members[place.gitlab.user(name).id] = DEVELOPER
    place.project.milestones.append(Milestone(id=8, title="done", active=False))
    place.project.several = False
    made = place.propose(**manners)
    assert (made.state, made.warnings) == (State.CREATED, (warning,))
    marker = Marker.parse(place.request.description)
    assert marker is not None
    assert marker.todo == ()
    assert place.propose(**manners).state is State.UNCHANGED


@pytest.mark.parametrize(
    ("methods", "told", "labels"),
    [
        pytest.param(["POST"], (), ["os"], id="opened without"),
        pytest.param(["POST", "PUT"], ("GitLab takes no labels: labels are odd",), [], id="written without, too"),
    ],
)
def test_what_it_is_dressed_with_is_no_reason_to_fail(
    place: Place, methods: list[str], told: tuple[str, ...], labels: list[str]
) -> None:
    def refuse_each_once(asked: Asked, serve: Callable[[], Served]) -> Served | None:
        if asked.target.startswith(PREFIX) and [asked.method] == methods[:1]:
            methods.pop(0)
            return Served(status=400, body=b'{"message": {"labels": ["are odd"]}}')
        return serve()

    place.gitlab.between = refuse_each_once
    made = place.propose(labels=("os",))
    assert (made.state, made.warnings) == (State.CREATED, told)
    assert (methods, place.request.labels) == ([], labels)
    assert place.propose(labels=("os",)).state is State.UNCHANGED


def test_opened_without_and_killed_then(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text that it was opened with tells what is still to be set."""
    left = ["POST"]

    def refuse_once(asked: Asked, serve: Callable[[], Served]) -> Served | None:
        if asked.target.startswith(PREFIX) and [asked.method] == left:
            left.clear()
            return Served(status=400, body=b"{}")
        return serve()

    place.gitlab.between = refuse_once
    with monkeypatch.context() as here:
        here.setattr(GitLabHost, "dress", killed)
        with pytest.raises(KeyboardInterrupt):
            place.propose(labels=("os",))
    marker = Marker.parse(place.request.description)
    assert marker is not None
    assert (marker.todo, place.request.labels) == (("labels",), [])
    assert place.propose(labels=("os",)).state is State.UPDATED
    assert place.request.labels == ["os"]


def killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_an_answer_that_is_lost(place: Place) -> None:
    """It was opened, and nobody was told: it is found, and not opened again."""
    lost: list[str] = []

    def lose_once(asked: Asked, serve: Callable[[], Served]) -> Served | None:
        served = serve()
        if asked.method == "POST" and asked.target.startswith(PREFIX) and not lost:
            lost.append(asked.target)
            return None
        return served

    place.gitlab.between = lose_once
    assert place.propose().number == 1
    assert len(place.project.merge_requests) == len(lost) == 1


def test_people_who_are_there_stay(place: Place) -> None:
    for name in ("rita", "rob"):
        place.project.members[place.gitlab.user(name).id] = DEVELOPER
    place.propose(reviewers=("rita",), labels=("os",))
    place.request.reviewers = [place.gitlab.user("rob")]
    place.request.labels.append("urgent")
    assert place.propose("2", reviewers=("rita",), labels=("os",)).state is State.UPDATED
    assert [each.username for each in place.request.reviewers] == ["rob", "rita"]
    assert sorted(place.request.labels) == ["os", "urgent"]


@pytest.mark.parametrize("drafted", ["Draft: ", "[Draft] ", "(draft) ", "draft:"])
def test_a_draft_stays_one_and_is_no_change_of_title(place: Place, drafted: str) -> None:
    place.propose()
    place.request.title = f"{drafted}{place.request.title}"
    place.propose("2")
    assert place.request.title == "Draft: worker of prod: 2"


def test_what_is_marked_as_ready_stays_ready(place: Place) -> None:
    place.propose(draft=True)
    place.request.title = "worker of prod: 1"
    place.propose("2", draft=True)
    assert place.request.title == "worker of prod: 2"


@pytest.mark.parametrize("says", [False, True])
def test_the_source_branch_stays_unless_the_project_says_so(place: Place, says: bool) -> None:
    place.project.removes_source_branches = says
    place.propose()
    assert place.request.remove_source_branch is says


def test_a_merge_request_from_a_fork_is_nobodys(place: Place) -> None:
    place.propose()
    body = place.request.description
    place.gitlab.change(place.request, place.gitlab.user("mallory"), "closed", state="closed")
    place.project.origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    forged = place.gitlab.create(place.project, place.gitlab.user("mallory"), BRANCH, "main", "mine", body)
    for source in (4711, None):
        forged.source_project = source
        assert place.propose("2").number == 3
    assert place.propose("1").reason is Reason.CLOSED_BY_PERSON


@pytest.mark.parametrize(
    ("level", "obeyed"),
    [
        pytest.param(MAINTAINER, True, id="maintainer"),
        pytest.param(DEVELOPER, True, id="developer"),
        pytest.param(REPORTER, False, id="reporter"),
        pytest.param(GUEST, False, id="guest"),
        pytest.param(None, False, id="no member"),
    ],
)
def test_who_is_obeyed(place: Place, level: int | None, obeyed: bool) -> None:
    place.propose()
    person = place.gitlab.user("pat")
    if level is not None:
        place.project.members[person.id] = level
    place.project.members[place.gitlab.user("patricia").id] = DEVELOPER
    place.gitlab.ahead = LATER
    note = place.gitlab.note(place.request, person, "No.\n/layerwatch ignore\n")
    place.methods()
    made = place.propose()
    assert (place.request.state == "closed") is obeyed
    assert (made.reason is Reason.IGNORED_BY_COMMAND) is obeyed
    assert [name for name, giver in note.awards if giver.username == BOT] == (["thumbsup"] if obeyed else [])


@pytest.mark.parametrize(
    ("strangers", "asked"),
    [pytest.param(99, 1, id="as many as a page lists"), pytest.param(100, 2, id="more than a page lists")],
)
def test_a_pusher_is_found_behind_a_crowd(place: Place, strangers: int, asked: int) -> None:
    place.propose()
    place.gitlab.ahead = LATER
    for name in ("pat", *(f"stranger-{number}" for number in range(strangers))):
        person = place.gitlab.user(name)
        place.project.members[person.id] = DEVELOPER if name == "pat" else REPORTER
        place.gitlab.note(place.request, person, "/layerwatch ignore")
    place.sent.clear()
    assert place.propose().reason is Reason.IGNORED_BY_COMMAND
    assert sum(each.path.endswith("/members/all") for each in place.sent) == asked


def test_gitlabs_own_notes_and_reviews_are_no_commands(place: Place) -> None:
    place.propose()
    person = place.gitlab.user("pat")
    place.project.members[person.id] = DEVELOPER
    place.gitlab.ahead = LATER
    place.gitlab.note(place.request, person, "/layerwatch ignore", system=True)
    place.gitlab.note(place.request, person, "/layerwatch ignore").type = "DiffNote"
    assert place.propose().reason is Reason.PROPOSAL_OPEN


def test_what_a_touched_one_costs(place: Place) -> None:
    """Two hundred notes or none: the pages end where our last write is."""
    for _ in range(3):
        place.gitlab.ahead -= timedelta(hours=1)
    place.propose()
    pat = place.gitlab.user("pat")
    place.project.members[pat.id] = DEVELOPER
    for number in range(150):
        place.gitlab.note(place.request, pat, f"note {number}")
    place.gitlab.ahead = timedelta()
    place.gitlab.note(place.request, pat, "/layerwatch rebase? No: not alone on its line.")
    place.methods()
    assert place.propose().reason is Reason.PROPOSAL_OPEN
    assert len(place.methods()) <= 3


def test_a_long_body_is_kept(place: Place) -> None:
    place.propose(body="x" * 2_000_000)
    assert 990_000 < len(place.request.description) <= 1_000_000
    assert Marker.parse(place.request.description) is not None


def test_many_merge_requests_come_in_pages(place: Place) -> None:
    for number in range(120):
        place.gitlab.create(place.project, place.gitlab.user("pat"), BRANCH, "main", f"old {number}").state = "closed"
    assert place.propose().number == 121
    with place.forge() as forge:
        assert forge.for_one_look([TARGET]).observe(TARGET, "1" * 64, image("1")).number == 121
        assert forge.orphans([replace(TARGET, pool="infra")])[0].number == 121


def test_who_may_not_is_told(place: Place) -> None:
    place.project.members[place.gitlab.user(BOT).id] = GUEST
    with pytest.raises(RefusedError) as refused:
        place.propose()
    assert refused.value.reason is Reason.FORGE_REFUSED
    del place.project.members[place.gitlab.user(BOT).id]
    place.methods()
    with pytest.raises(NotFoundError) as missing:
        place.propose()
    assert missing.value.reason is Reason.FORGE_REFUSED
    assert len(place.methods()) <= 2


def test_an_archived_project(place: Place) -> None:
    place.project.archived = True
    with pytest.raises(RefusedError, match="archived"):
        place.propose()


def test_a_retargeted_one_is_a_persons(place: Place) -> None:
    place.propose()
    place.project.origin.commit({"x": "y"}, branch="other", on="main")
    place.request.target_branch = "other"
    assert place.propose("2").state is State.HUMAN_EDITED


def test_a_branch_that_is_deleted_closes_it(place: Place) -> None:
    place.propose()
    place.project.origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    assert place.propose().reason is Reason.CLOSED_BY_PERSON


def test_merged_and_taken_back(place: Place) -> None:
    place.propose()
    place.gitlab.merge(place.project, place.request, place.gitlab.user("pat"))
    assert place.propose().reason is Reason.ALREADY_ON_BASE
    place.project.origin.commit({FILE: pinning("0")})
    assert place.propose().reason is Reason.REVERTED


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"iid": 1}]', b'"x"', b"<html>"])
def test_an_answer_that_is_not_gitlabs(place: Place, body: bytes) -> None:
    place.gitlab.between = lambda asked, serve: Served(status=200, body=body)
    with pytest.raises(UnavailableError) as strange:
        place.propose()
    assert strange.value.reason is Reason.FORGE_UNREACHABLE
