"""What a person does to a pull request at the very moment when it is moved to a newer key is said of the older one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import methodcaller
from pathlib import Path

import pytest

from layering.forge.forge import Proposed, State
from layering.forge.forges import open_forge
from layering.forge.marker import Marker, without_marker
from layering.forge.settings import ForgeSettings, Kind
from layering.reasons import Reason
from tests.forges.proposals import BRANCH, FILE, pinning, proposal
from tests.forges.relay import relay_to
from tests.forges.standing import PERSON
from tests.forges.world import WORLDS, World
from tests.git_http import Asked, Served

READ_AGAIN, WRITTEN, LISTED = "GET", "PATCH or PUT", "GET of what is listed"
Act = Callable[[World], object]
close: Act = methodcaller("close")


def merge(world: World) -> None:
    """Once the forge has seen what was pushed."""
    world.pulls()
    world.merge()


@dataclass(kw_only=True)
class Meanwhile:
    """Stands in a relay: a person acts before the pull request itself is first read, or written, or all are listed."""

    moment: str
    act: Callable[[], object]
    has_acted: bool = False
    loses_the_next: bool = False  # of the requests that write: it is done, and not answered

    def between(self, asked: Asked, serve: Callable[[], Served]) -> Served | None:
        """See tests.git_http.Between."""
        of_one = asked.target.endswith(("/pulls/1", "/merge_requests/1"))
        of_all = "/pulls?" in asked.target or "/merge_requests?" in asked.target
        is_it = (of_all if self.moment is LISTED else of_one) and asked.method in self.moment
        if is_it and self.has_acted and self.loses_the_next:
            self.loses_the_next = False
            serve()
            return None
        if is_it and not self.has_acted:
            self.has_acted = True
            self.act()
        return serve()


def propose(settings: ForgeSettings, repository: str, digit: str) -> Proposed:
    """By a process that knows nothing yet."""
    forge = open_forge(settings)
    try:
        return forge.propose(proposal(repository, digit))
    finally:
        forge.close()


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize(
    ("moment", "act", "then"),
    [
        pytest.param(READ_AGAIN, close, Reason.CLOSED_BY_PERSON, id="closed before it is read again"),
        pytest.param(WRITTEN, close, Reason.CLOSED_BY_PERSON, id="closed before its text is written"),
        pytest.param(READ_AGAIN, merge, Reason.ALREADY_ON_BASE, id="merged before it is read again"),
    ],
)
def test_no_is_said_of_the_older_key(kind: Kind, tmp_path: Path, moment: str, act: Act, then: Reason) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        meanwhile = Meanwhile(moment=moment, act=lambda: act(world))
        made = proposed_through(world, meanwhile, "2")
        assert meanwhile.has_acted
        assert (made.state, made.number, [each.state == "open" for each in world.pulls()]) == (
            State.CREATED,
            2,
            [False, True],
        )
        assert world.origin.show(BRANCH, FILE) == pinning("2").rstrip()
        assert propose(world.settings, world.repository, "2").reason is Reason.PROPOSAL_OPEN
        assert propose(world.settings, world.repository, "1").reason is then


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("text", [None, "A person's own words."], ids=["our text", "a person's"])
@pytest.mark.parametrize("loses_the_next", [False, True], ids=["answered", "answer lost"])
def test_the_text_that_was_closed_is_put_back(
    kind: Kind, tmp_path: Path, text: str | None, loses_the_next: bool
) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        world.write(body=text)
        meanwhile = Meanwhile(moment=WRITTEN, act=world.close, loses_the_next=loses_the_next)
        assert proposed_through(world, meanwhile, "2").state is State.CREATED
        assert not meanwhile.loses_the_next
        assert without_marker(world.pulls()[0].body) == text or text is None
        assert propose(world.settings, world.repository, "1").reason is Reason.CLOSED_BY_PERSON


@pytest.mark.parametrize("kind", WORLDS)
def test_what_was_merged_with_the_newer_commit_is_of_the_newer_key(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        made = proposed_through(world, Meanwhile(moment=WRITTEN, act=lambda: merge(world)), "2")
        assert (made.reason, len(world.pulls())) == (Reason.ALREADY_ON_BASE, 1)
        world.origin.commit({FILE: pinning("0")})
        assert propose(world.settings, world.repository, "2").reason is Reason.REVERTED


@pytest.mark.parametrize("kind", WORLDS)
def test_what_is_merged_before_the_forge_lists_it_is_not_taken_for_reverted(kind: Kind, tmp_path: Path) -> None:
    """Gitea is asked after git, which has told of the base branch as it was."""
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        listed = Meanwhile(moment=LISTED, act=lambda: merge(world))
        assert proposed_through(world, listed, "1").reason is Reason.ALREADY_ON_BASE
        assert listed.has_acted


@pytest.mark.parametrize("kind", WORLDS)
def test_what_is_merged_before_the_forge_lists_it_is_what_the_next_one_changes(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        made = proposed_through(world, Meanwhile(moment=LISTED, act=lambda: merge(world)), "2")
        assert (made.state, made.number) == (State.CREATED, 2)
        assert world.origin.git("rev-parse", f"{BRANCH}~") == world.origin.git("rev-parse", "main")
        assert propose(world.settings, world.repository, "2").state is State.UNCHANGED


@pytest.mark.parametrize("kind", WORLDS)
def test_a_title_that_a_person_gave_at_that_moment_stays(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        made = proposed_through(world, Meanwhile(moment=READ_AGAIN, act=lambda: world.write(title="mine")), "2")
        assert (made.state, world.pulls()[-1].title) == (State.UPDATED, "mine")


def proposed_through(world: World, meanwhile: Meanwhile, digit: str) -> Proposed:
    host = world.settings.url.split("/")[2]
    with relay_to(host, meanwhile.between) as address:
        settings = replace(world.settings, url=world.settings.url.replace(host, address))
        return propose(settings, world.repository, digit)


@pytest.mark.parametrize("kind", WORLDS)
def test_what_a_person_retargets_at_that_moment_is_theirs(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        world.origin.commit({FILE: pinning("0")}, branch="next", on="main")
        propose(world.settings, world.repository, "1")
        made = proposed_through(world, Meanwhile(moment=WRITTEN, act=lambda: world.retarget("next")), "2")
        assert (made.state, made.reason) == (State.HUMAN_EDITED, Reason.EDITED_BY_PERSON)


@pytest.mark.parametrize("kind", WORLDS)
def test_what_is_merged_at_the_moment_of_closing_is_merged(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        world.say("/layerwatch ignore")
        made = proposed_through(world, Meanwhile(moment=WRITTEN, act=lambda: merge(world)), "1")
        assert (made.reason, [each.state for each in world.pulls()]) == (Reason.ALREADY_ON_BASE, ["merged"])


@pytest.mark.parametrize("kind", [Kind.GITEA, Kind.GITLAB])
def test_a_command_in_the_second_of_our_writing_is_heard(kind: Kind, tmp_path: Path) -> None:
    """These two tell how many comments there are; when it was changed tells no more than that we wrote."""
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        world.say("/layerwatch rebase", at_once=True)
        assert propose(world.settings, world.repository, "1").state is State.UPDATED
        world.say("/layerwatch ignore", at_once=True)
        assert propose(world.settings, world.repository, "1").reason is Reason.IGNORED_BY_COMMAND
        assert [each.answers for each in world.pulls()] == [2]


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize("digit", ["1", "2"], ids=["opened", "moved to a newer key"])
def test_what_somebody_writes_at_the_same_moment_is_looked_at_again(tmp_path: Path, digit: str, status: int) -> None:
    """Gitea, which writes with the version that it has read, says 409 to who comes second; 400 before 1.26. It refuses
    the reviewer at first, so that more is written after it was opened.
    """
    refused: list[str] = []
    opening: list[str] = []

    def between(asked: Asked, serve: Callable[[], Served]) -> Served:
        if asked.method == "PATCH" and not refused:
            refused.append(asked.target)
            return Served(status=status, body=b'{"message": "the issue is already changed"}')
        if (asked.method, asked.target.rpartition("/")[2]) == ("POST", "pulls") and not opening:
            opening.append(asked.target)
            return Served(status=422, body=b'{"message": "not now"}')
        return serve()

    with WORLDS[Kind.GITEA](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        if digit == "2":
            propose(world.settings, world.repository, "1")
        host = world.settings.url.split("/")[2]
        with relay_to(host, between) as address:
            forge = open_forge(replace(world.settings, url=world.settings.url.replace(host, address)))
            made = forge.propose(proposal(world.repository, digit, reviewers=(PERSON,)))
            forge.close()
        assert (made.state, len(refused)) == (State.UPDATED, 1)
        (only,) = world.pulls()
        marker = Marker.parse(only.body)
        assert marker is not None
        assert (marker.key, marker.todo) == (digit * 64, ())


@pytest.mark.parametrize("kind", WORLDS)
def test_an_answer_to_a_command_that_is_lost_is_given_once_more(kind: Kind, tmp_path: Path) -> None:
    lost: list[str] = []

    def between(asked: Asked, serve: Callable[[], Served]) -> Served | None:
        if asked.method == "POST" and asked.target.endswith(("/reactions", "/award_emoji")) and not lost:
            lost.append(asked.target)
            return None
        return serve()

    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        propose(world.settings, world.repository, "1")
        world.say("/layerwatch rebase")
        host = world.settings.url.split("/")[2]
        with relay_to(host, between) as address:
            made = propose(
                replace(world.settings, url=world.settings.url.replace(host, address)), world.repository, "1"
            )
        assert (made.state, len(lost), [each.answers for each in world.pulls()]) == (State.UPDATED, 1, [1])
