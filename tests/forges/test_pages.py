"""What more than one page costs, of a branch's pull requests and of comments; what is on a later one counts as well."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from layering.forge.exchange import Sent
from layering.forge.forge import Proposed, State
from layering.forge.forges import open_forge
from layering.forge.github import GitHubHost
from layering.forge.gitlab import GitLabHost
from layering.forge.settings import Kind
from layering.reasons import Reason
from tests.forges.proposals import BRANCH, FILE, image, pinning, proposal, target
from tests.forges.standing import STRANGER
from tests.forges.world import WORLDS, GitHubWorld, GitLabWorld

_PER_PAGE = 2
_TALK_PER_PAGE = 8
_TOUCHED = 3  # contract-forges 23
_IGNORED = (State.IGNORED, Reason.CLOSED_BY_PERSON)
_AS_IT_WAS = (State.UNCHANGED, Reason.PROPOSAL_OPEN)
Paged = GitHubWorld | GitLabWorld


@pytest.fixture(params=[Kind.GITHUB, Kind.GITLAB])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paged]:
    for host in (GitHubHost, GitLabHost):
        monkeypatch.setattr(host, "page", {"per_page": _PER_PAGE})
    with WORLDS[request.param](tmp_path) as made:
        assert isinstance(made, Paged)
        made.origin.commit({FILE: pinning("0")})
        yield made


def propose(world: Paged, digit: str = "1") -> tuple[Proposed, list[Sent]]:
    """By a process that knows nothing yet; and its API requests."""
    sent: list[Sent] = []
    with closing(open_forge(world.settings, on_request=sent.append)) as forge:
        return forge.propose(proposal(world.repository, digit)), sent


def listings(sent: Sequence[Sent]) -> int:
    """How many of them asked for a page of pull requests."""
    return sum(each.method == "GET" and each.path.endswith(("/pulls", "/merge_requests")) for each in sent)


def refused(world: Paged, count: int) -> None:
    """So many that somebody opened of our branch, into another one, and that were closed. Long ago."""
    world.origin.git("update-ref", "refs/heads/elsewhere", "main")
    for number in range(count):
        if isinstance(world, GitHubWorld):
            world.github.create(world.found, world.github.user("pat"), BRANCH, "elsewhere", f"old {number}")
        else:
            world.gitlab.create(world.project, world.gitlab.user("pat"), BRANCH, "elsewhere", f"old {number}")
        world.close()
    some_time_later(world)


def some_time_later(world: Paged) -> None:
    """Longer than what is said while we write is looked for."""
    there = world.github if isinstance(world, GitHubWorld) else world.gitlab
    there.ahead += timedelta(minutes=10)


def test_an_open_one_costs_one_request_with_refused_ones_behind(world: Paged) -> None:
    refused(world, 2 * _PER_PAGE)
    assert propose(world)[0].state is State.CREATED
    made, asked = propose(world)
    assert (made.state, made.number) == (State.UNCHANGED, 2 * _PER_PAGE + 1)
    assert [each.method for each in asked] == ["GET"]


@pytest.mark.parametrize("newer", [_PER_PAGE - 1, 2 * _PER_PAGE], ids=["on the first page", "on the third page"])
def test_the_newest_with_this_key_decides(world: Paged, newer: int) -> None:
    propose(world)
    world.close()
    refused(world, newer)
    world.origin.git("update-ref", "-d", f"refs/heads/{BRANCH}")
    made, asked = propose(world)
    assert (made.state, made.reason, made.number) == (*_IGNORED, 1)
    assert listings(asked) == 1 + newer // _PER_PAGE


def test_an_open_one_is_not_moved_to_a_key_that_was_refused_long_before(world: Paged) -> None:
    propose(world, "2")
    world.close()
    refused(world, 2 * _PER_PAGE)
    opened = propose(world)[0]
    assert opened.state is State.CREATED
    made, asked = propose(world, "2")
    assert (made.state, made.reason, made.number, listings(asked)) == (*_IGNORED, 1, 3)
    assert propose(world)[0].number == opened.number


def retarget(world: Paged) -> None:
    world.origin.commit({"README.md": "a release\n"}, branch="release", on="main")
    world.retarget("release")


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        pytest.param(lambda world: None, _AS_IT_WAS, id="open"),
        pytest.param(retarget, (State.HUMAN_EDITED, Reason.EDITED_BY_PERSON), id="retargeted"),
    ],
)
def test_an_old_one_that_is_open_is_found(
    world: Paged, act: Callable[[Paged], None], expected: tuple[State, Reason]
) -> None:
    propose(world)
    act(world)
    requests = world.found.pulls if isinstance(world, GitHubWorld) else world.project.merge_requests
    refused(world, 2 * _PER_PAGE)
    assert len(requests) == 2 * _PER_PAGE + 1
    made, _ = propose(world)
    assert (made.state, made.reason, made.number) == (*expected, 1)


def test_a_process_that_stays_reads_the_rest_once_when_it_has_to(world: Paged) -> None:
    refused(world, 2 * _PER_PAGE)
    propose(world)
    sent: list[Sent] = []
    with closing(open_forge(world.settings, on_request=sent.append)) as forge:

        def looked_at(digit: str = "1") -> tuple[State, Reason | None, int]:
            sent.clear()
            wanted = target(world.repository)
            found = forge.for_one_look([wanted]).observe(wanted, digit * 64, image(digit))
            return found.state, found.reason, listings(sent)

        assert looked_at() == (*_AS_IT_WAS, 1)
        assert looked_at() == (*_AS_IT_WAS, 1)
        world.close()
        assert looked_at() == (*_IGNORED, 1 + 3)
        assert looked_at() == (*_IGNORED, 1)
        assert looked_at("2") == (State.ABSENT, None, 1)
        world.reopen()
        assert looked_at() == (*_AS_IT_WAS, 1)


@pytest.fixture
def talkative(world: Paged, monkeypatch: pytest.MonkeyPatch) -> Paged:
    """Ours was talked about on more than three pages before we wrote last, some time ago."""
    for host in (GitHubHost, GitLabHost):
        monkeypatch.setattr(host, "page", {"per_page": _TALK_PER_PAGE})
    propose(world)
    for number in range(3 * _TALK_PER_PAGE):
        world.say(f"note {number}", STRANGER)
    some_time_later(world)
    assert propose(world, "2")[0].state is State.UPDATED
    some_time_later(world)
    return world


def push(world: Paged, digit: str) -> None:
    world.origin.commit({f"notes-{digit}.txt": "mine\n"}, branch=BRANCH)
    world.pulls()


def times_told(world: Paged) -> int:
    return sum("Somebody else's commit is on this branch" in each for each in world.pulls()[-1].comments)


def test_of_a_long_talk_only_what_is_new_is_read(talkative: Paged) -> None:
    talkative.say("When will that be?", STRANGER)
    made, asked = propose(talkative, "2")
    assert (made.state, made.reason) == _AS_IT_WAS
    assert [each.method for each in asked] == ["GET"] * len(asked)
    assert len(asked) <= _TOUCHED


def test_a_long_talk_that_is_all_new_is_read_once(world: Paged) -> None:
    propose(world)
    for number in range(5):
        world.say(f"note {number}", STRANGER)
    world.say("/layerwatch rebase", STRANGER)
    made, asked = propose(world)
    assert (made.state, made.reason) == _AS_IT_WAS
    assert sum(each.path.endswith(("/comments", "/notes")) for each in asked) == 3
    world.say("/layerwatch ignore")
    assert propose(world)[0].reason is Reason.IGNORED_BY_COMMAND


def test_a_command_behind_a_long_talk_is_heard(talkative: Paged) -> None:
    talkative.say("/layerwatch ignore")
    assert propose(talkative, "2")[0].reason is Reason.IGNORED_BY_COMMAND


def test_that_it_is_theirs_is_found_again_behind_a_long_talk(talkative: Paged) -> None:
    push(talkative, "1")
    some_time_later(talkative)
    assert propose(talkative, "2")[0].reason is Reason.EDITED_BY_PERSON
    for _ in range(2):
        made, asked = propose(talkative, "2")
        assert (made.reason, [each.method for each in asked]) == (Reason.EDITED_BY_PERSON, ["GET"] * len(asked))
        assert len(asked) <= _TOUCHED
    assert times_told(talkative) == 1


def test_that_it_is_theirs_is_not_said_again_when_it_was_ours_in_between(talkative: Paged) -> None:
    push(talkative, "1")
    propose(talkative, "2")
    some_time_later(talkative)
    talkative.say("/layerwatch rebase")
    assert propose(talkative, "2")[0].state is State.UPDATED
    some_time_later(talkative)
    push(talkative, "2")
    assert propose(talkative, "2")[0].reason is Reason.EDITED_BY_PERSON
    assert times_told(talkative) == 1
