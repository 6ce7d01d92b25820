"""python-gitlab, a client that others wrote, reads and writes what our GitLab serves: every route that we ask."""

from collections.abc import Iterator

import gitlab
import pytest
from gitlab.exceptions import GitlabAuthenticationError, GitlabCreateError, GitlabGetError

from tests.forges.gitlab.conftest import TARGET, Place
from tests.forges.gitlab.server import BOT, PATH, TOKEN
from tests.forges.gitlab.state import DEVELOPER, Milestone


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
    project = client.projects.get(PATH)
    assert [each.username for each in client.users.list(username=BOT, get_all=True)] == [BOT]
    assert [each.username for each in project.users.list(get_all=True)] == [BOT]
    assert [each.access_level for each in project.members_all.list(query=BOT, get_all=True)] == [DEVELOPER]
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
