"""What a real Gitea refuses, and what it is asked for: protected branches, rights, manners, a restart, two at once."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from layering.errors import RefusedError, UnavailableError
from layering.forge.exchange import Sent
from layering.forge.forge import Proposal, Proposed, State
from layering.forge.forges import open_forge
from layering.forge.gitea import GiteaHost
from layering.forge.marker import Marker
from layering.proposal import Facts, body
from layering.reasons import Reason
from layering.reference import ImageReference
from tests.forges.gitea.server import BOT, OWNER
from tests.forges.gitea.world import GiteaWorld, Pushed, gitea_world
from tests.forges.proposals import BRANCH, FILE, pinning, proposal
from tests.forges.proposer import Proposer
from tests.forges.standing import PERSON, STRANGER
from tests.forges.test_behaviour import delete_branch, propose


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GiteaWorld]:
    with gitea_world(tmp_path) as made:
        made.origin.commit({FILE: pinning("0")})
        yield made


def test_what_is_not_changed_costs_one_request(world: GiteaWorld) -> None:
    propose(world)
    world.date_as_we_did()
    assert _asked_when_unchanged(world) == ["GET"]


_FEW = 5


@pytest.fixture
def crowded(world: GiteaWorld, monkeypatch: pytest.MonkeyPatch) -> GiteaWorld:
    """More pull requests are open than are listed at once: a few here, since each takes Gitea a second."""
    monkeypatch.setattr(GiteaHost, "page", {"limit": _FEW})
    monkeypatch.setattr(GiteaHost, "pulls_per_page", _FEW)
    crowd(world, _FEW + 1)
    return world


def crowd(world: GiteaWorld, count: int, name: str = "feature", *, are_open: bool = True) -> None:
    """So many more of others; when they are not to be open, no others are either."""
    branches = [f"{name}/{number}" for number in range(count)]
    world.origin.git("fast-import", "--quiet", "--date-format=now", stdin="".join(map(_branch, branches)))
    for branch in branches:
        world.api("POST", "pulls", head=branch, base="main", title=branch)
    for pull in () if are_open else world.api("GET", "pulls?state=open&limit=50"):
        world.api("PATCH", f"pulls/{pull['number']}", state="closed")


def test_what_is_not_changed_costs_one_request_among_more_than_a_page(world: GiteaWorld) -> None:
    """As many as are listed at once by default, and one."""
    crowd(world, GiteaHost.pulls_per_page + 1)
    propose(world)
    world.date_as_we_did()
    assert _asked_when_unchanged(world) == ["GET"]


def test_what_is_not_changed_costs_one_request_among_many(crowded: GiteaWorld) -> None:
    assert propose(crowded).state is State.CREATED
    crowded.date_as_we_did()
    assert _asked_when_unchanged(crowded) == ["GET"]
    assert _asked_when_looked_at(crowded) == ["GET"]
    crowded.say("When will that be?", STRANGER)
    assert _asked_when_unchanged(crowded) == ["GET"] * 2
    assert propose(crowded, "2").state is State.UPDATED
    crowded.date_as_we_did()
    assert _asked_when_unchanged(crowded, "2") == ["GET"]


def test_what_a_reader_opened_hides_nothing_among_many(crowded: GiteaWorld) -> None:
    """Ours is not among those that changed last, and git names two that have the branch's commit."""
    ours = propose(crowded)
    body = crowded.pulls()[-1].body
    crowded.origin.commit({"notes.txt": "next\n"}, branch="dev", on="main")
    crowded.api("POST", "pulls", STRANGER, head=BRANCH, base="dev", title="Have a look", body=body)
    made = propose(crowded)
    assert (made.state, made.number) == (State.UNCHANGED, ours.number)
    made = propose(crowded, "2")
    assert (made.state, made.number) == (State.UPDATED, ours.number)


@pytest.mark.parametrize(
    ("more", "are_open", "pools", "asked"),
    [
        pytest.param(0, True, 2, ["number", "number"], id="as many pools as pages"),
        pytest.param(0, True, 3, ["open", "open"], id="more pools than pages"),
        pytest.param(3, False, 3, ["number", "open"], id="more pools than pages of what is open"),
    ],
)
def test_what_is_not_changed_of_several_pools_costs_one_request_each_at_most_among_many(
    crowded: GiteaWorld, more: int, are_open: bool, pools: int, asked: list[str]
) -> None:
    crowd(crowded, more, "more", are_open=are_open)
    first = proposal(crowded.repository)
    names = ["worker", *(f"pool-{number}" for number in range(1, pools))]
    files = {f"{name}.yaml": pinning("0").replace("worker", name) for name in names}
    crowded.origin.commit(files)
    proposals = [replace(first, target=replace(first.target, pool=name, file=f"{name}.yaml")) for name in names]
    for each in proposals:
        assert made_by_a_new_process(crowded, each)[0].state is State.CREATED
        crowded.date_as_we_did()
    for each in proposals:
        made, sent = made_by_a_new_process(crowded, each)
        assert (made.state, sent) == (State.UNCHANGED, ["GET"])
    heard: list[Sent] = []
    forge = open_forge(crowded.settings, on_request=heard.append)
    look = forge.for_one_look([each.target for each in proposals])
    assert {look.observe(each.target, each.key, each.image).reason for each in proposals} == {Reason.PROPOSAL_OPEN}
    forge.close()
    assert ["open" if each.path.endswith("/pulls") else "number" for each in heard] == asked


def test_what_is_not_changed_costs_one_request_among_many_when_older_ones_were_refused(crowded: GiteaWorld) -> None:
    """Their branch was left, and git has its newest commit for each of them."""
    for digit in "123":
        assert propose(crowded, digit).state is State.CREATED
        crowded.close()
    assert propose(crowded, "4").state is State.CREATED
    crowded.date_as_we_did()
    assert _asked_when_unchanged(crowded, "4") == ["GET"]
    assert _asked_when_looked_at(crowded, "4") == ["GET"]
    crowded.say("When will that be?", STRANGER)
    assert _asked_when_unchanged(crowded, "4") == ["GET"] * 2


def _said(world: GiteaWorld, text: str) -> None:
    world.say(text)
    propose(world)


def _reverted(world: GiteaWorld) -> None:
    world.merge()
    world.origin.commit({FILE: pinning("0")})


def _pushed(world: GiteaWorld) -> None:
    world.origin.commit({"notes.txt": "mine\n"}, branch=BRANCH)
    world.pulls()  # once Gitea has seen it


def _retargeted(world: GiteaWorld) -> None:
    world.origin.commit({"notes.txt": "next\n"}, branch="dev", on="main")
    world.retarget("dev")


def without_branch(world: GiteaWorld) -> None:
    delete_branch(world)
    world.pulls()  # once Gitea has seen it


def closed_without_branch(world: GiteaWorld) -> None:
    world.close()
    without_branch(world)


def _closed_twice(world: GiteaWorld) -> None:
    """Another key's first, and its branch was left: both have the branch's commit."""
    world.close()
    assert propose(world, "2").state is State.CREATED
    world.close()
    assert propose(world, "2").reason is Reason.CLOSED_BY_PERSON


def _copied(world: GiteaWorld) -> None:
    body = world.pulls()[-1].body
    world.close()
    number = world.api("POST", "pulls", STRANGER, head=BRANCH, base="main", title="Have a look", body=body)["number"]
    world.api("PATCH", f"pulls/{number}", STRANGER, state="closed")


Act = Callable[[GiteaWorld], object]
_ONE_AND_ITS_OPENER = ["GET", "GET"]


@pytest.mark.parametrize(
    ("act", "reason", "asked"),
    [
        pytest.param(methodcaller("close"), Reason.CLOSED_BY_PERSON, _ONE_AND_ITS_OPENER, id="closed"),
        pytest.param(lambda world: _said(world, "/layerwatch ignore"), Reason.IGNORED_BY_COMMAND, _ONE_AND_ITS_OPENER,
                     id="ignored by command"),
        pytest.param(_reverted, Reason.REVERTED, _ONE_AND_ITS_OPENER, id="reverted"),
        pytest.param(_pushed, Reason.EDITED_BY_PERSON, ["GET"] * 2, id="a person's push"),
        pytest.param(_retargeted, Reason.EDITED_BY_PERSON, _ONE_AND_ITS_OPENER, id="retargeted"),
        pytest.param(_closed_twice, Reason.CLOSED_BY_PERSON, None, id="closed, and the next key's, too"),
        pytest.param(without_branch, Reason.CLOSED_BY_PERSON, _ONE_AND_ITS_OPENER, id="its branch deleted"),
        pytest.param(closed_without_branch, Reason.CLOSED_BY_PERSON, _ONE_AND_ITS_OPENER, id="closed, branch deleted"),
        pytest.param(_copied, Reason.CLOSED_BY_PERSON, None, id="a reader's copy, closed too"),
    ],
)  # fmt: skip
def test_a_person_s_decision_stands_among_many(
    crowded: GiteaWorld, act: Act, reason: Reason, asked: list[str] | None
) -> None:
    """A process that knows nothing yet asks for the one that git names, and for what that takes."""
    propose(crowded)
    act(crowded)
    propose(crowded)  # which says what there is to say
    made, sent = made_by_a_new_process(crowded, proposal(crowded.repository))
    assert made.reason is reason
    assert asked is None or sent == asked


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        pytest.param(_pushed, ["GET", "POST"], id="a person's push"),
        pytest.param(_retargeted, ["GET", "GET"], id="retargeted: none"),
    ],
)
def test_the_comment_that_it_is_theirs_is_within_the_budget(crowded: GiteaWorld, act: Act, expected: list[str]) -> None:
    """What is touched costs three, whoever looks first."""
    propose(crowded)
    act(crowded)
    made, asked = made_by_a_new_process(crowded, proposal(crowded.repository))
    assert (made.reason, asked) == (Reason.EDITED_BY_PERSON, expected)
    assert len(crowded.pulls()[-1].comments) == expected.count("POST")


def test_a_person_s_milestone_stays(world: GiteaWorld) -> None:
    for title in ("4.18", "4.19"):
        world.add_milestone(title)
    propose(world, milestone="4.19")
    number = world.pulls()[-1].number
    theirs = next(each["id"] for each in world.api("GET", "milestones") if each["title"] == "4.18")
    world.api("PATCH", f"issues/{number}", milestone=theirs)
    assert propose(world, "2", milestone="4.19").state is State.UPDATED
    assert world.api("GET", f"issues/{number}")["milestone"]["title"] == "4.18"


def test_no_stays_no_among_many(crowded: GiteaWorld) -> None:
    propose(crowded)
    crowded.close()
    assert propose(crowded).reason is Reason.CLOSED_BY_PERSON
    assert propose(crowded, "2").state is State.CREATED
    crowded.close()
    made, asked = made_by_a_new_process(crowded, proposal(crowded.repository, "2"))
    assert made.reason is Reason.CLOSED_BY_PERSON
    assert len(asked) <= 3  # those that git names by now, and their opener
    without_branch(crowded)
    for digit in "12":
        made, asked = made_by_a_new_process(crowded, proposal(crowded.repository, digit))
        assert (made.reason, asked) == (Reason.CLOSED_BY_PERSON, _ONE_AND_ITS_OPENER)
    made, asked = made_by_a_new_process(crowded, proposal(crowded.repository, "3"))
    assert (made.state, asked) == (State.CREATED, ["GET", "POST"])


def test_a_key_that_was_refused_in_a_person_s_own_words_stays_refused_when_the_branch_moves_on(
    world: GiteaWorld,
) -> None:
    """Its commit tells the key: a closed pull request does not follow its branch."""
    propose(world)
    world.write(body="A person's own words.")
    world.close()
    assert propose(world, "2").state is State.CREATED
    assert propose(world).reason is Reason.CLOSED_BY_PERSON


def test_what_the_base_pins_costs_one_request_among_many(crowded: GiteaWorld) -> None:
    propose(crowded)
    crowded.merge()
    assert len(_asked_when_unchanged(crowded)) <= 1
    crowded.origin.commit({FILE: pinning("0")})
    assert propose(crowded).reason is Reason.REVERTED


def _branch(name: str) -> str:
    lines = [
        f"commit refs/heads/{name}",
        "committer Joe <joe@example.com> now",
        "data 1",
        "x",
        "from refs/heads/main^0",
    ]
    return "\n".join([*lines, f"M 100644 inline {name}", "data 1", "x", "", ""])


def made_by_a_new_process(world: GiteaWorld, wanted: Proposal) -> tuple[Proposed, list[str]]:
    """By a process that knows nothing yet, with the methods of its requests."""
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    made = forge.propose(wanted)
    forge.close()
    return made, [each.method for each in sent]


def _asked_when_unchanged(world: GiteaWorld, digit: str = "1") -> list[str]:
    made, asked = made_by_a_new_process(world, proposal(world.repository, digit))
    assert made.state is State.UNCHANGED
    return asked


def _asked_when_looked_at(world: GiteaWorld, digit: str = "1") -> list[str]:
    """By a watcher that knows nothing yet."""
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    wanted = proposal(world.repository, digit)
    assert forge.for_one_look([wanted.target]).observe(wanted.target, wanted.key, wanted.image).state is State.UNCHANGED
    forge.close()
    return [each.method for each in sent]


def test_a_new_proposal_is_dressed_within_its_budget(world: GiteaWorld) -> None:
    world.api("POST", "milestones", title="4.19")
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    made = forge.propose(
        proposal(
            world.repository,
            labels=("os", "nodes"),
            reviewers=(PERSON,),
            assignees=(PERSON,),
            milestone="4.19",
            draft=True,
        )
    )
    forge.close()
    assert (made.state, made.warnings) == (State.CREATED, ())
    assert len(sent) <= 8
    (found,) = world.api("GET", "pulls")
    assert {label["name"] for label in found["labels"]} == {"os", "nodes"}
    assert [user["login"] for user in found["assignees"]] == [PERSON]
    assert [user["login"] for user in found["requested_reviewers"]] == [PERSON]
    assert (found["milestone"]["title"], found["draft"]) == ("4.19", True)
    marker = Marker.parse(found["body"])
    assert marker is not None
    assert marker.todo == ()


def test_an_opening_that_is_refused_for_people_is_not_sent_twice(world: GiteaWorld) -> None:
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    assert forge.propose(proposal(world.repository, assignees=("nobody-here",))).state is State.CREATED
    forge.close()
    opened = [each.status for each in sent if (each.method, each.path.rpartition("/")[2]) == ("POST", "pulls")]
    assert len(opened) == 2
    assert opened[-1] == 201


@pytest.mark.parametrize(
    "manners",
    [{"reviewers": ("nobody-here",)}, {"assignees": ("nobody-here",)}, {"milestone": "none"}],
    ids=["reviewer", "assignee", "milestone"],
)
def test_what_gitea_does_not_know_is_a_warning_and_the_pull_request_stands(
    world: GiteaWorld, manners: dict[str, Any]
) -> None:
    made = propose(world, labels=("os",), **manners)
    assert (made.state, len(made.warnings)) == (State.CREATED, 1)
    assert propose(world, labels=("os",), **manners).state is State.UNCHANGED
    assert world.pulls()[-1].labels == ("os",)


def test_what_a_token_may_not_see_is_a_warning(world: GiteaWorld, tmp_path: Path) -> None:
    (tmp_path / "gitea-token").write_text(world.gitea.token(BOT, "write:repository"))
    made = propose(world, labels=("os",))
    assert made.state is State.CREATED
    assert any("labels" in warning for warning in made.warnings)
    assert propose(world, labels=("os",)).state is State.UNCHANGED


def of_ours(world: GiteaWorld) -> None:
    propose(world)


def of_others(world: GiteaWorld) -> None:
    world.origin.commit({"notes.txt": "next\n"}, branch="next", on="main")
    world.api("POST", "pulls", head="next", base="main", title="Next")


def of_nobody(world: GiteaWorld) -> None:
    """There is no pull request."""


def closed(world: GiteaWorld) -> None:
    propose(world)
    world.close()


@pytest.mark.parametrize("pulls", [of_ours, of_others, of_nobody, closed])
@pytest.mark.parametrize("pinned", ["0", "1"], ids=["due", "not due"])
def test_an_archived_repository_is_refused_whether_or_not_something_is_due(
    world: GiteaWorld, pulls: Callable[[GiteaWorld], None], pinned: str
) -> None:
    pulls(world)
    world.origin.commit({FILE: pinning(pinned)})
    world.gitea.api("PATCH", f"repos/{world.repository}", archived=True)
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    with pytest.raises(RefusedError, match="archived"):
        forge.propose(proposal(world.repository))
    forge.close()
    assert len(sent) <= (2 if pinned == "0" else 1)


def test_a_fork_s_pull_request_is_nobody_s(world: GiteaWorld) -> None:
    """It has our branch's name and our marker, and is closed: that says nothing of ours."""
    propose(world)
    ours = world.pulls()[-1]
    fork = f"fork-{world.repository.rpartition('/')[2]}"
    world.gitea.api("POST", f"repos/{world.repository}/forks", STRANGER, name=fork)
    theirs = world.api(
        "POST", "pulls", STRANGER, head=f"{STRANGER}:{BRANCH}", base="main", title=ours.title, body=ours.body
    )
    made = propose(world)
    assert (made.state, made.number) == (State.UNCHANGED, ours.number)
    world.api("PATCH", f"pulls/{theirs['number']}", state="closed")
    assert propose(world).state is State.UNCHANGED
    assert propose(world, "2").number == ours.number


def test_a_protected_branch_is_told_and_nothing_is_left(world: GiteaWorld) -> None:
    world.gitea.api(
        "POST", f"repos/{world.repository}/branch_protections", rule_name="layerwatch/**", enable_push=False
    )
    with pytest.raises(RefusedError, match=r"[Pp]rotected branch") as caught:
        propose(world)
    assert caught.value.reason is Reason.FORGE_REFUSED
    assert (world.pulls(), world.origin.head(BRANCH)) == ([], None)


@pytest.mark.parametrize(
    ("token", "repository"),
    [
        pytest.param("0" * 40, None, id="a wrong token"),
        pytest.param(None, "acme/not-there", id="no such repository"),
    ],
)
def test_who_may_not_is_told_after_two_requests_at_most(
    world: GiteaWorld, tmp_path: Path, token: str | None, repository: str | None
) -> None:
    if token is not None:
        (tmp_path / "gitea-token").write_text(token)
    world.repository = repository or world.repository
    sent: list[Sent] = []
    forge = open_forge(world.settings, on_request=sent.append)
    with pytest.raises(RefusedError) as caught:
        forge.propose(proposal(world.repository))
    forge.close()
    assert len(sent) <= 2
    assert token is None or token not in str(caught.value)


@pytest.mark.parametrize(
    ("who", "scopes"),
    [
        pytest.param(STRANGER, "all", id="somebody who may only read"),
        pytest.param(BOT, "read:repository", id="a token that may only read"),
    ],
)
def test_who_may_only_read_writes_nothing(world: GiteaWorld, tmp_path: Path, who: str, scopes: str) -> None:
    (tmp_path / "gitea-token").write_text(world.gitea.token(who, scopes))
    with pytest.raises(RefusedError):
        propose(world)
    assert (world.pulls(), world.origin.head(BRANCH)) == ([], None)


@pytest.mark.parametrize("digits", ["12", "1111", "1122"], ids=["two", "four of one image", "four of two images"])
def test_several_at_once_come_to_one(world: GiteaWorld, tmp_path: Path, digits: str) -> None:
    """Gitea's check for a pull request that is there already has no lock: it opens several when asked at once.

    When all have ended, one is open. Branch, marker and file agree.
    """
    running = []
    for number, digit in enumerate(digits):
        (tmp_path / str(number)).mkdir()
        running.append(Proposer.start(world.settings, proposal(world.repository, digit), tmp_path / str(number)))
    for each in running:
        assert isinstance(each.result(), Proposed | UnavailableError)
    (only,) = [pull for pull in world.pulls() if pull.state == "open"]
    marker = Marker.parse(only.body)
    assert marker is not None
    key = marker.key[0]
    assert marker.commit == world.origin.head(BRANCH)
    assert world.origin.show(BRANCH, FILE) == pinning(key).rstrip()
    before = (world.pulls(), world.origin.git("for-each-ref"))
    assert propose(world, key).state is State.UNCHANGED
    assert (world.pulls(), world.origin.git("for-each-ref")) == before
    world.merge()
    assert propose(world, "3").state is State.CREATED


def test_an_account_that_may_push_by_a_team_with_units_of_its_own_is_believed(world: GiteaWorld) -> None:
    """Its own permission, as Gitea tells it, is less."""
    running, name = world.gitea, world.repository.partition("/")[2]
    team = f"team-of-{name}"
    running.api("POST", "orgs", OWNER, username=team)
    running.api("POST", f"repos/{world.repository}/transfer", OWNER, new_owner=team)
    running.api("DELETE", f"repos/{team}/{name}/collaborators/{BOT}", OWNER)
    units = {"repo.code": "write", "repo.pulls": "write", "repo.issues": "write", "repo.releases": "read"}
    bots = running.api(
        "POST", f"orgs/{team}/teams", OWNER, name="bots", includes_all_repositories=True, units_map=units
    )
    running.api("PUT", f"teams/{bots['id']}/members/{BOT}", OWNER)
    world.repository = f"{team}/{name}"
    assert isinstance(world.origin, Pushed)
    world.origin.remote = world.origin.remote.replace(f"/{OWNER}/", f"/{team}/")
    told = running.api("GET", f"repos/{world.repository}/collaborators/{BOT}/permission", BOT)
    assert told["permission"] in ("none", "read")
    propose(world)
    assert propose(world, "2").state is State.UPDATED
    world.close()
    assert propose(world, "2").reason is Reason.CLOSED_BY_PERSON


def test_a_restart_midway_doubles_nothing(world: GiteaWorld) -> None:
    """It dies when the branch is pushed and the text is about to be written."""

    def die(length_max: int, pinned: str | None) -> str:
        if world.origin.head(BRANCH) is not None:  # before, it is asked whether there is room for it
            world.gitea.kill()
        return "never sent"

    forge = open_forge(replace(world.settings, max_wait_seconds=1.0))
    try:
        with pytest.raises(UnavailableError):
            forge.propose(replace(proposal(world.repository), body=die))
    finally:
        forge.close()
        world.gitea.start()
    assert world.origin.head(BRANCH) is not None
    assert propose(world).state is State.CREATED
    (only,) = world.pulls()
    assert (only.state, world.origin.git("rev-list", "--count", f"main..{BRANCH}")) == ("open", "1")


HOSTILE = "x`@pat` [a](http://e.test) <img src=x> #1 | y"


def test_gitea_shows_names_from_outside_as_what_they_are(world: GiteaWorld) -> None:
    image = ImageReference.parse(f"registry.example.com/acme/os@sha256:{'1' * 64}")
    text = body(Facts(cluster="prod", pool="worker", image=image, key="1" * 64, version=HOSTILE, name=HOSTILE), 60_000)
    answer = world.gitea.ask("POST", "markdown", Text=text, Mode="comment", Context=world.repository, Wiki=False)
    assert answer.ok
    assert "<table>" in answer.text
    for made_of_it in ("<img", 'href="http://e.test', 'class="mention"', 'class="ref-issue"'):
        assert made_of_it not in answer.text
