"""What is GitHub's alone: what it refuses and we say of it, forks, its limits of access, and an App's commits."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from github import Auth, Github

from layering.errors import LayerwatchError, RefusedError
from layering.forge.exchange import Sent
from layering.forge.forge import Proposed, State
from layering.forge.forges import open_forge
from layering.forge.settings import ForgeSettings, Kind
from layering.reasons import Reason
from tests.forges.github.api import Api
from tests.forges.github.apps import App as InstalledApp
from tests.forges.github.apps import installed
from tests.forges.github.server import NAME, TOKEN, add_repository, github_at
from tests.forges.github.state import GitHub, Milestone, Pull, Repository
from tests.forges.proposals import BRANCH, FILE, pinning, proposal
from tests.git_http import Asked, Served


@dataclass(kw_only=True)
class Place:
    github: GitHub
    api: Api
    found: Repository
    address: str
    settings: ForgeSettings
    sent: list[Sent] = field(default_factory=list)

    def propose(self, digit: str = "1", **manners: Any) -> Proposed:
        forge = open_forge(self.settings, on_request=self.sent.append)
        try:
            return forge.propose(proposal(NAME, digit, **manners))
        finally:
            forge.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    with github_at(tmp_path / "repositories") as (github, api, address):
        found = add_repository(github, tmp_path / "repositories")
        found.origin.commit({FILE: pinning("0")})
        found.permissions |= {github.user("pat").id: "write", github.user("eve").id: "read"}
        settings = ForgeSettings(
            name="github", kind=Kind.GITHUB, url=f"http://{address}/api/v3", token_file=token, max_wait_seconds=5
        )
        yield Place(github=github, api=api, found=found, address=address, settings=settings)


def test_all_manners_within_the_budget(place: Place) -> None:
    place.found.milestones.append(Milestone(number=3, title="4.19"))
    place.found.teams.append("os")
    made = place.propose(labels=("a", "b"), reviewers=("pat", "team:os"), assignees=("pat",), milestone="4.19")
    (pull,) = place.found.pulls
    assert (made.warnings, pull.labels, pull.teams) == ((), ["a", "b"], ["os"])
    assert [user.login for user in (*pull.reviewers, *pull.assignees)] == ["pat", "pat"]
    assert pull.milestone == place.found.milestones[0]
    assert len(place.sent) == 6
    place.sent.clear()
    assert place.propose(labels=("a", "b")).state is State.UNCHANGED
    assert [each.method for each in place.sent] == ["GET"]


@pytest.mark.parametrize(
    ("said", "next_step"),
    [
        ("Resource not accessible by personal access token", "give"),
        ("GitHub Actions is not permitted to create or approve pull requests.", "allow GitHub Actions"),
    ],
    ids=["a token", "a workflow's own"],
)
def test_who_may_push_and_not_open_is_told_so_with_two_requests(place: Place, said: str, next_step: str) -> None:
    """The branch is there then, and the next one, who may, opens it."""

    def refuse(asked: Asked, serve: Callable[[], Served]) -> Served:
        is_meant = (asked.method, asked.target.rpartition("/")[2]) == ("POST", "pulls")
        return Served(status=403, body=json.dumps({"message": said}).encode()) if is_meant else serve()

    place.github.between = refuse
    with pytest.raises(RefusedError) as caught:
        place.propose()
    assert (caught.value.exit_code, caught.value.reason) == (3, Reason.FORGE_REFUSED)
    assert (caught.value.next_step or "").startswith(next_step)
    assert len(place.sent) == 2
    place.github.between = lambda _, serve: serve()
    head = place.found.origin.head(BRANCH)
    assert (place.propose().state, place.found.origin.head(BRANCH)) == (State.CREATED, head)
    assert len(place.found.pulls) == 1


def test_a_limit_on_open_ones_is_within_the_budget(place: Place) -> None:
    place.found.milestones.append(Milestone(number=3, title="4.19"))
    place.settings = replace(place.settings, max_open=5)
    made = place.propose(labels=("a", "b"), reviewers=("pat",), assignees=("pat",), milestone="4.19")
    assert (made.state, made.warnings) == (State.CREATED, ())
    assert len(place.sent) <= 8


@pytest.mark.parametrize("others", [{"reviewers": ("pat",)}, {"labels": ("a",)}], ids=["told", "not told"])
def test_who_a_robot_assigned_meanwhile_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch, others: dict[str, Any]
) -> None:
    """GitHub replaces assignees that come with the text; those that the answer before told of are among them."""
    create = place.github.create

    def with_a_robot(*args: Any) -> Pull:
        made = create(*args)
        made.assignees.append(place.github.user("robin"))
        return made

    place.found.permissions[place.github.user("robin").id] = "write"
    monkeypatch.setattr(place.github, "create", with_a_robot)
    place.propose(assignees=("pat",), **others)
    assert [user.login for user in place.found.pulls[0].assignees] == ["robin", "pat"]


@pytest.mark.parametrize(
    ("manners", "warning"),
    [
        pytest.param({"reviewers": ("pat", "nobody")}, "no reviewer 'nobody'", id="a reviewer nobody knows"),
        pytest.param({"reviewers": ("layerwatch-bot",)}, "pull request author", id="ourselves as a reviewer"),
        pytest.param({"reviewers": ("team:none",)}, "no reviewer 'team:none'", id="a team that is none"),
        pytest.param({"assignees": ("pat", "eve")}, "no assignee 'eve'", id="an assignee who may not write"),
        pytest.param({"labels": ("x" * 51, "os")}, "no label 'xxx", id="a label that is too long"),
        pytest.param({"milestone": "none"}, "no open milestone 'none'", id="a milestone that is none"),
    ],
)
def test_what_github_does_not_take_is_one_warning(place: Place, manners: dict[str, Any], warning: str) -> None:
    made = place.propose(**manners)
    assert made.state is State.CREATED
    assert len(made.warnings) == 1
    assert warning in made.warnings[0]
    assert place.propose(**manners).state is State.UNCHANGED


def test_a_forks_pull_request_with_our_branchs_name_is_nobodys(place: Place) -> None:
    place.propose()
    theirs = place.github.create(place.found, place.github.user("eve"), BRANCH, "main", "x", place.found.pulls[0].body)
    theirs.head_repository, theirs.is_open = 99, False
    made = place.propose()
    assert (made.state, made.number) == (State.UNCHANGED, 1)


def archive(place: Place) -> None:
    place.found.archived = True


def forget_token(place: Place) -> None:
    place.github.tokens.clear()


def hide(place: Place) -> None:
    place.found.permissions.clear()


@pytest.mark.parametrize("act", [archive, forget_token, hide])
def test_no_access_is_told_at_once(place: Place, act: Callable[[Place], None]) -> None:
    act(place)
    with pytest.raises(RefusedError) as caught:
        place.propose()
    assert caught.value.exit_code == 3
    assert len(place.sent) <= 2
    assert TOKEN not in str(caught.value)


def test_a_draft_that_the_repository_has_not_is_told_and_left_out(place: Place) -> None:
    place.found.has_drafts = False
    made = place.propose(draft=True, draft_optional=True, labels=("os",))
    (warning,) = made.warnings
    assert "Draft pull requests are not supported" in warning
    (pull,) = place.found.pulls
    assert (made.state, pull.draft, pull.labels) == (State.CREATED, False, ["os"])
    assert place.propose(draft=True, draft_optional=True).warnings == ()


def test_a_draft_that_is_to_keep_it_from_being_merged_is_not_left_out(place: Place) -> None:
    place.found.has_drafts = False
    for _ in range(2):
        with pytest.raises(LayerwatchError, match="Draft pull requests are not supported") as caught:
            place.propose(draft=True)
        assert "hold: completed" in caught.value.next_step
        assert place.found.pulls == []
    assert place.propose().state is State.CREATED


@pytest.fixture
def app(place: Place, tmp_path: Path) -> InstalledApp:
    """An App without an author of its own, as which we propose."""
    made, told = installed(place.github, place.api, tmp_path)
    place.settings = replace(place.settings, token_file=None, app=told)
    return made


def test_an_apps_commits_are_githubs_own(place: Place, app: InstalledApp) -> None:
    place.found.origin.git("gc", "--quiet")
    made = place.propose(labels=("os",))
    origin, user = place.found.origin, place.github.user("our-app[bot]")
    assert origin.git("log", "-1", "--format=%an %ae %ce", BRANCH) == (
        f"our-app[bot] {user.id}+our-app[bot]@users.noreply.127.0.0.1 noreply@github.com"
    )
    assert origin.show(BRANCH, FILE) == pinning("1").rstrip()
    assert origin.git("diff", "--name-only", "main", BRANCH) == FILE
    assert (made.commit, made.warnings) == (origin.head(BRANCH), ())
    assert place.propose().state is State.UNCHANGED
    assert place.propose("2").state is State.UPDATED
    assert origin.git("rev-list", "--count", f"main..{BRANCH}") == "1"


def test_an_apps_commit_is_known_again_when_nothing_else_was_done(place: Place, app: InstalledApp) -> None:
    place.propose()
    place.found.pulls.clear()  # as after a crash between the branch and the pull request
    before = place.found.origin.head(BRANCH)
    assert (place.propose().state, place.found.origin.head(BRANCH)) == (State.CREATED, before)


def test_a_mode_stays(place: Place, app: InstalledApp) -> None:
    origin = place.found.origin
    blob = origin.git("hash-object", "-w", "--stdin", stdin=pinning("0"))
    tree = origin.git("mktree", stdin=f"100755 blob {blob}\t{FILE}\n")
    origin.git("update-ref", "refs/heads/main", origin.git("commit-tree", tree, "-p", "main", "-m", "executable"))
    place.propose()
    assert origin.git("ls-tree", BRANCH, FILE).startswith("100755 ")


def test_a_persons_commit_stays_on_an_apps_branch(place: Place, app: InstalledApp) -> None:
    place.propose()
    head = place.found.origin.commit({"notes.txt": "mine\n"}, branch=BRANCH)
    made = place.propose("2")
    assert (made.reason, place.found.origin.head(BRANCH)) == (Reason.EDITED_BY_PERSON, head)


def test_pygithub_reads_what_is_there(place: Place) -> None:
    place.propose(labels=("os",))
    with Github(base_url=f"http://{place.address}/api/v3", auth=Auth.Token(TOKEN)) as client:
        (pull,) = client.get_repo(NAME).get_pulls(state="all", head=f"acme:{BRANCH}")
        assert (pull.number, pull.head.ref, pull.base.ref, pull.merged_at) == (1, BRANCH, "main", None)
        assert [each.name for each in pull.labels] == ["os"]
        assert pull.user.login == "layerwatch-bot"


def test_a_persons_milestone_stays(place: Place) -> None:
    place.found.milestones += [Milestone(number=3, title="4.19"), Milestone(number=4, title="4.20")]
    place.propose(milestone="4.19")
    (pull,) = place.found.pulls
    pull.milestone = place.found.milestones[1]
    assert place.propose("2", milestone="4.19").state is State.UPDATED
    assert pull.milestone.title == "4.20"


def test_one_that_was_retargeted_is_within_the_budget_whoever_opened_it(place: Place) -> None:
    """GitHub tells of a member only that: whether one may push is asked."""
    place.propose()
    place.found.origin.commit({"README.md": "a release\n"}, branch="release", on="main")
    (pull,) = place.found.pulls
    place.github.ahead += timedelta(seconds=10)
    pull.base, pull.updated = "release", place.github.now()
    place.sent.clear()
    assert place.propose("2").reason is Reason.EDITED_BY_PERSON
    assert [each.path.rsplit("/", 1)[1] for each in place.sent] == ["pulls", "permission", "comments"]
