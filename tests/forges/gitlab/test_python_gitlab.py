"""python-gitlab, a client that others wrote, reads and writes what our GitLab serves: every route that we ask.

It takes lists, pages and refusals as GitLab's documentation has them, and finds in each document what our client reads
of it. It does not know which fields a document must have: GitLab has no description of that which can be installed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import gitlab
import pytest
from gitlab.exceptions import GitlabAuthenticationError, GitlabCreateError, GitlabGetError

from tests.forges.gitlab.conftest import TARGET, Place
from tests.forges.gitlab.documents import moment
from tests.forges.gitlab.server import BOT, PATH, TOKEN
from tests.forges.gitlab.state import DEVELOPER, REPORTER, Milestone


@pytest.fixture
def client(place: Place) -> Iterator[gitlab.Gitlab]:
    with gitlab.Gitlab(f"http://{place.address}", private_token=TOKEN) as made:
        yield made


def test_who_asks(client: gitlab.Gitlab) -> None:
    client.auth()
    assert client.user is not None
    assert client.user.username == BOT


def test_the_project(client: gitlab.Gitlab, place: Place) -> None:
    project = client.projects.get(PATH)
    assert (project.path_with_namespace, project.archived) == (PATH, False)
    assert project.http_url_to_repo == f"http://{place.address}/{PATH}.git"
    assert client.projects.get(project.id).web_url == project.web_url


def test_our_merge_request(client: gitlab.Gitlab, place: Place) -> None:
    place.project.members[place.gitlab.user("rita").id] = DEVELOPER
    place.project.milestones.append(Milestone(id=7, title="4.19"))
    place.propose(labels=("os",), reviewers=("rita",), milestone="4.19", draft=True)
    (found,) = client.projects.get(PATH).mergerequests.list(source_branch=TARGET.proposal_branch, get_all=True)
    assert (found.iid, found.state, found.draft, found.labels) == (1, "opened", True, ["os"])
    assert [each["username"] for each in found.reviewers] == ["rita"]
    assert found.milestone["title"] == "4.19"
    assert found.source_project_id == found.target_project_id == found.project_id


def test_what_it_changes_is_changed(client: gitlab.Gitlab, place: Place) -> None:
    place.propose()
    found = client.projects.get(PATH).mergerequests.get(1)
    found.title, found.labels = "Draft: mine", ["a", "b"]
    found.save()
    assert (place.request.title, place.request.labels) == ("Draft: mine", ["a", "b"])
    found.state_event = "close"
    found.save()
    assert place.request.state == "closed"


def test_what_it_opens_is_open(client: gitlab.Gitlab, place: Place) -> None:
    place.project.origin.commit({"x": "y"}, branch="feature", on="main")
    fields = {"source_branch": "feature", "target_branch": "main", "title": "x", "labels": "a,b"}
    made = client.projects.get(PATH).mergerequests.create(fields)
    assert (made.iid, made.labels) == (1, ["a", "b"])
    with pytest.raises(GitlabCreateError, match="Another open merge request already exists") as refused:
        client.projects.get(PATH).mergerequests.create(fields)
    assert refused.value.response_code == 409


def test_notes_and_reactions(client: gitlab.Gitlab, place: Place) -> None:
    place.propose()
    found = client.projects.get(PATH).mergerequests.get(1)
    note = found.notes.create({"body": "hello"})
    note.awardemojis.create({"name": "thumbsup"})
    assert [each.body for each in found.notes.list(get_all=True) if not each.system] == ["hello"]
    assert [each.name for each in note.awardemojis.list(get_all=True)] == ["thumbsup"]
    with pytest.raises(GitlabCreateError, match="already been taken"):
        note.awardemojis.create({"name": "thumbsup"})


def test_people_and_milestones(client: gitlab.Gitlab, place: Place) -> None:
    place.project.milestones.append(Milestone(id=7, title="4.19"))
    rita, pat = place.gitlab.user("rita"), place.gitlab.user("pat")
    place.project.members[rita.id] = REPORTER
    project = client.projects.get(PATH)
    assert [each.username for each in client.users.list(username=BOT, get_all=True)] == [BOT]
    assert [each.username for each in project.users.list(get_all=True)] == [BOT, "rita"]
    assert [each.access_level for each in project.members_all.list(get_all=True)] == [DEVELOPER, REPORTER]
    named = project.members_all.list(query_parameters={"user_ids[]": [pat.id, rita.id]}, get_all=True)
    assert [(each.id, each.access_level) for each in named] == [(rita.id, REPORTER)]
    assert [each.title for each in project.milestones.list(title="4.19", get_all=True)] == ["4.19"]


def test_commits_above_a_branch(client: gitlab.Gitlab, place: Place) -> None:
    made = place.propose()
    found = client.projects.get(PATH).repository_compare("main", str(made.commit))
    assert isinstance(found, dict)
    assert [each["id"] for each in found["commits"]] == [made.commit]


def test_pages(client: gitlab.Gitlab, place: Place) -> None:
    for number in range(45):
        place.gitlab.create(place.project, place.gitlab.user("pat"), "x", "main", str(number)).state = "closed"
    listed = client.projects.get(PATH).mergerequests.list(iterator=True, per_page=20)
    assert len(list(listed)) == 45


def test_refusals(client: gitlab.Gitlab, place: Place) -> None:
    with pytest.raises(GitlabGetError, match="404 Project Not Found"):
        client.projects.get("acme/other")
    with (
        gitlab.Gitlab(f"http://{place.address}", private_token="another") as stranger,
        pytest.raises(GitlabAuthenticationError),
    ):
        stranger.projects.get(PATH)


@pytest.fixture
def proposed(place: Place) -> Place:
    """With all that a proposal can have, people that are not there among them, and a person's command."""
    project, rita = place.project, place.gitlab.user("rita")
    project.members[rita.id] = DEVELOPER
    project.milestones.append(Milestone(id=7, title="4.19"))
    manners: dict[str, Any] = {"labels": ("os",), "reviewers": ("rita", "joe", "pat"), "assignees": ("rita",)}
    place.propose(draft=True, milestone="4.19", **manners)
    place.gitlab.ahead += timedelta(minutes=1)
    place.gitlab.note(place.request, rita, "/layerwatch rebase")
    return place


def of_project(place: Place) -> Mapping[str, Any]:
    site = f"http://{place.address}/{PATH}"
    urls = {"http_url_to_repo": f"{site}.git", "web_url": site}
    return {**urls, "archived": False, "remove_source_branch_after_merge": place.project.removes_source_branches}


def of_merge_request(place: Place) -> Mapping[str, Any]:
    request, project = place.request, place.project.id
    (rita,) = request.assignees
    return {
        "iid": 1,
        "title": request.title,
        "description": request.description,
        "state": "opened",
        "draft": True,
        "source_branch": TARGET.proposal_branch,
        "target_branch": "main",
        "source_project_id": project,
        "target_project_id": project,
        "sha": place.project.origin.head(TARGET.proposal_branch),
        "labels": ["os"],
        "updated_at": moment(request.updated),
        "web_url": f"http://{place.address}/{PATH}/-/merge_requests/1",
        "reviewers": [{"id": rita.id, "username": "rita"}],
        "assignees": [{"id": rita.id, "username": "rita"}],
        "milestone": {"id": 7, "title": "4.19"},
    }


def of_note(place: Place) -> Mapping[str, Any]:
    note = place.request.notes[-1]
    when = moment(note.created)
    said = {"id": note.id, "body": "/layerwatch rebase", "system": False, "type": None}
    return {**said, "author": of_rita(place), "created_at": when, "updated_at": when}


def of_rita(place: Place) -> Mapping[str, Any]:
    return {"id": place.gitlab.user("rita").id, "username": "rita"}


Project = Any
"""python-gitlab's, as whatever its server said: its attributes have no types."""

DOCUMENTS: Mapping[str, tuple[Callable[[gitlab.Gitlab, Project], Any], Callable[[Place], Mapping[str, Any]]]] = {
    "GET projects/:p": (lambda _, project: project, of_project),
    "GET projects/:p/merge_requests": (
        lambda _, project: project.mergerequests.list(state="opened", get_all=True)[0],
        of_merge_request,
    ),
    "GET projects/:p/merge_requests/:n": (lambda _, project: project.mergerequests.get(1), of_merge_request),
    "GET projects/:p/merge_requests/:n/notes": (
        lambda _, project: project.mergerequests.get(1, lazy=True).notes.list(order_by="updated_at", get_all=True)[0],
        of_note,
    ),
    "GET projects/:p/members/all": (
        lambda _, project: project.members_all.list(get_all=True)[-1],
        lambda place: {**of_rita(place), "access_level": DEVELOPER},
    ),
    "GET projects/:p/users": (lambda _, project: project.users.list(get_all=True)[-1], of_rita),
    "GET users": (lambda client, _: client.users.list(username="rita", get_all=True)[0], of_rita),
    "GET projects/:p/milestones": (
        lambda _, project: project.milestones.list(state="active", get_all=True)[0],
        lambda place: {"id": 7, "title": "4.19"},
    ),
    "GET projects/:p/repository/compare": (
        lambda _, project: project.repository_compare("main", TARGET.proposal_branch),
        lambda place: {"commits": [{"id": place.project.origin.head(TARGET.proposal_branch)}]},
    ),
}
WRITES = {
    "POST projects/:p/merge_requests": test_what_it_opens_is_open,
    "PUT projects/:p/merge_requests/:n": test_what_it_changes_is_changed,
    "POST projects/:p/merge_requests/:n/notes": test_notes_and_reactions,
    "POST projects/:p/merge_requests/:n/notes/:n/award_emoji": test_notes_and_reactions,
}


@pytest.mark.parametrize("route", DOCUMENTS)
def test_it_reads_what_our_client_reads(client: gitlab.Gitlab, proposed: Place, route: str) -> None:
    read, expected = DOCUMENTS[route]
    found = read(client, client.projects.get(PATH))
    wanted = expected(proposed)
    assert _of(found if isinstance(found, dict) else found.asdict(), wanted) == wanted


def _of(found: Any, wanted: Any) -> Any:
    """What is wanted alone, of what is there."""
    if isinstance(wanted, Mapping):
        return {name: _of(found[name], each) for name, each in wanted.items()}
    if isinstance(wanted, list) and any(isinstance(each, Mapping) for each in wanted):
        assert len(found) == len(wanted)
        return [_of(each, one) for each, one in zip(found, wanted, strict=True)]
    return found


def test_our_client_asks_nothing_else(proposed: Place) -> None:
    proposed.propose("2")
    proposed.project.merge_requests[-1].description = "Without its marker, so that the commit has to tell."
    proposed.propose("2")
    proposed.project.origin.commit({"mine": "x"}, branch=TARGET.proposal_branch)
    proposed.propose("3")
    paths = {f"{sent.method} {sent.path.removeprefix('/api/v4/')}" for sent in proposed.sent}
    asked = {re.sub("/[0-9]+", "/:n", path.replace(quote(PATH, safe=""), ":p")) for path in paths}
    assert asked == {*DOCUMENTS, *WRITES}
