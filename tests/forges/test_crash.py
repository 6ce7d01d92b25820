"""Killed at any moment, whoever proposes loses nothing and doubles nothing: SIGKILL, run again, look at what there is.

The process and the signal are real. Each request is hit exactly, before it does anything and when it is done but not
answered; the rest of the moments lie between requests.
"""

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

import pytest

from layering.forge.forge import Proposal, ProposalTarget, Proposed, State
from layering.forge.manners import Manners
from layering.forge.marker import Marker
from layering.forge.settings import Kind
from layering.reference import Digest, ImageReference, Repository
from tests.forges.moments import Before, Dropping, Killer, Moment, When, moments
from tests.forges.origin import Origin
from tests.forges.places import MILESTONE, OUR_OWN, PLACES, Place
from tests.forges.proposals import body
from tests.forges.proposer import Proposer, run_to_its_end
from tests.forges.standing import PERSON
from tests.forges.watched import is_git, is_write
from tests.git_http import Asked, Served
from tests.scenario import FILE, MACHINE_CONFIG

on_our_own = pytest.mark.parametrize("place", OUR_OWN, indirect=True)
SECONDS = 60
LABELS = ("layerwatch", "os")
SEED = 5
WHEN = datetime(2026, 11, 26, 7, 0, tzinfo=UTC)
BRANCH = "layerwatch/prod/worker"
OS = Repository("registry.example.com", "acme/os")
FIRST, SECOND, OTHER = (OS.at(Digest("sha256", digit * 64)) for digit in "123")
KEYS = {FIRST: "a" * 64, SECOND: "b" * 64, OTHER: "c" * 64}


@pytest.fixture(params=PLACES)
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    with PLACES[request.param](tmp_path) as made:
        yield made


class Work(StrEnum):
    """What is due."""

    OPEN = "opened"
    MOVE = "moved to a newer key"
    REBASE = "rebased, as commanded"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A repository of its own, in which something is due."""

    place: Place
    name: str
    origin: Origin
    work: Work
    directory: Path

    @classmethod
    def begin(cls, place: Place, name: str, work: Work, directory: Path) -> "Case":
        origin = place.add(name, {FILE: MACHINE_CONFIG, "README.md": "x\n"})
        made = cls(place=place, name=name, origin=origin, work=work, directory=directory)
        place.forge.undisturbed()
        if work is not Work.OPEN:
            run_to_its_end(place.forge.settings, made.proposal(FIRST))
        if work is Work.REBASE:
            origin.commit({"README.md": "y\n"})
            place.comment(name, "/layerwatch rebase")
        place.forge.forget()
        return made

    @property
    def image(self) -> ImageReference:
        """What is pinned in the end."""
        return SECOND if self.work is Work.MOVE else FIRST

    def proposal(self, image: ImageReference, minutes: int = 0) -> Proposal:
        """With all that is set after it is opened."""
        return Proposal(
            target=ProposalTarget(repository=self.name, branch="main", file=FILE, cluster="prod", pool="worker"),
            image=image,
            key=KEYS[image],
            title=f"Layer {image.pinned.short}",
            body=partial(body, "What it is made of."),
            when=WHEN + timedelta(minutes=minutes),
            manners=Manners(labels=LABELS, reviewers=(PERSON,), milestone=MILESTONE),
        )

    def start(self, minutes: int = 0) -> Proposer:
        return Proposer.start(self.place.forge.settings, self.proposal(self.image, minutes), self.directory)

    def die(self, moment: Moment) -> bool:
        """Begin, and be killed then. False when it came to its end before that."""
        with self.deadly(moment) as killer:
            proposer = self.start()
            killer.proposer.set_result(proposer)
            return proposer.result() is None

    @contextlib.contextmanager
    def deadly(self, moment: Moment) -> Iterator[Killer]:
        """Who asks the forge now is killed then."""
        killer = Killer(moment)
        self.place.forge.between = killer.between
        yield killer
        self.place.forge.undisturbed()

    def run(self, minutes: int = 0) -> Proposed:
        self.place.forge.forget()
        return run_to_its_end(self.place.forge.settings, self.proposal(self.image, minutes))

    def assert_all_is_there_once(self) -> None:
        """One branch, one commit, one pull request, all of this image, and nothing is left to do."""
        (pull,) = self.place.pulls(self.name)
        marker, head = Marker.parse(pull.body), self.origin.head(BRANCH)
        assert marker is not None
        assert (marker.key, marker.commit, marker.image, marker.todo) == (
            KEYS[self.image], head, str(self.image), (),
        )  # fmt: skip
        assert (pull.is_open, pull.head, pull.labels) == (True, BRANCH, frozenset(LABELS))
        assert (pull.title, pull.reviewers) == (f"Layer {self.image.pinned.short}", frozenset({PERSON}))
        refs = self.origin.git("for-each-ref", "--format=%(refname)", "refs/heads").split()
        assert refs == [f"refs/heads/{BRANCH}", "refs/heads/main"]
        assert self.origin.git("rev-list", f"main..{BRANCH}") == head
        assert self.origin.git("rev-parse", f"{BRANCH}~") == self.origin.head("main")
        assert self.origin.git("diff", "--name-only", "main", BRANCH) == FILE
        assert f"osImageURL: '{self.image}'" in self.origin.show(BRANCH, FILE)
        assert self.run().state is State.UNCHANGED
        assert self.place.forge.writes == []


def await_end_of_programs_in(directory: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while any(is_below(link, directory) for link in Path("/proc").glob("[0-9]*/cwd")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_below(link: Path, directory: Path) -> bool:
    try:
        return link.readlink().is_relative_to(directory) and "layerwatch-git-" in str(link.readlink())
    except OSError:
        return False


@pytest.mark.parametrize(
    ("place", "work", "count"),
    [
        (Kind.GITEA, Work.OPEN, 50),
        (Kind.GITHUB, Work.OPEN, 50),
        (Kind.GITLAB, Work.OPEN, 0),
        *itertools.product(OUR_OWN, [Work.MOVE, Work.REBASE], [0]),
    ],
    indirect=["place"],
)
def test_killed_at_any_moment(place: Place, tmp_path: Path, work: Work, count: int) -> None:
    """`count` moments, or as many as make each request be hit twice."""
    whole = Case.begin(place, "acme/whole", work, tmp_path)
    whole.run()
    requests = [f"{asked.method} {asked.target}" for asked in place.forge.asked]
    whole.assert_all_is_there_once()
    for number, moment in enumerate(moments(len(requests), count, SEED)):
        print(f"seed {SEED}, {number}: {moment}, of {requests[moment.number - 1]}")  # shown when it fails
        case = Case.begin(place, f"acme/case-{number}", work, tmp_path)
        case.die(moment)
        case.run(minutes=1)
        await_end_of_programs_in(tmp_path)  # a git that was begun may still ask, and change nothing
        case.assert_all_is_there_once()


@on_our_own
@pytest.mark.parametrize("when", [When.BEFORE, When.DONE])
def test_the_line_drops_at_any_moment(place: Place, tmp_path: Path, when: When) -> None:
    """Nobody is killed: the same one goes on, looks at what became of a write, and finishes."""
    whole = Case.begin(place, "acme/whole", Work.OPEN, tmp_path)
    whole.run()
    requests = [f"{asked.method} {asked.target}" for asked in place.forge.asked]
    for number, dropped in enumerate(requests, start=1):
        print(f"{when}: {number}, {dropped}")  # shown when it fails
        case = Case.begin(place, f"acme/case-{number}", Work.OPEN, tmp_path)
        drop = Dropping(number=number, when=when)
        place.forge.between = drop.between
        assert case.run().state in (State.CREATED, State.UPDATED, State.UNCHANGED)
        place.forge.undisturbed()
        case.assert_all_is_there_once()


def test_killed_again_and_again(place: Place, tmp_path: Path) -> None:
    """Each life is one request longer than the one before, so that each takes up what the last has left."""
    case = Case.begin(place, "acme/case", Work.OPEN, tmp_path)
    lives = 1
    while case.die(Moment(number=lives, when=When.DONE)):
        lives += 1
    assert lives > 5
    case.assert_all_is_there_once()


@pytest.mark.parametrize("kind", ["GET refs to push", "POST push"])
def test_its_git_goes_on_after_it_was_killed(place: Place, tmp_path: Path, kind: str) -> None:
    """And is held up until the next one has done everything: it comes too late, and changes nothing."""
    case, held, goes_on = Case.begin(place, "acme/case", Work.OPEN, tmp_path), Future[None](), threading.Event()

    def hold(asked: Asked, serve: Callable[[], Served]) -> Served | None:
        if asked.kind == kind and is_git(asked) and not held.done():
            held.set_result(None)
            assert goes_on.wait(SECONDS)
        return serve()

    place.forge.between = hold
    proposer = case.start()
    held.result(SECONDS)
    proposer.kill()
    assert case.run(minutes=1).state is State.CREATED
    goes_on.set()
    await_end_of_programs_in(tmp_path)
    case.assert_all_is_there_once()


@on_our_own
@pytest.mark.parametrize("work", Work)
def test_two_at_once(place: Place, tmp_path: Path, work: Work) -> None:
    """Both push at the same moment: one of them wins, and the other one finds its work."""
    case, meet = Case.begin(place, "acme/case", work, tmp_path), threading.Barrier(2)

    def together(asked: Asked, serve: Callable[[], Served]) -> Served | None:
        if asked.kind == "POST push" and is_git(asked) and not meet.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                meet.wait(SECONDS)
                meet.abort()
        return serve()

    place.forge.between = together
    found = [each.result() for each in [case.start(), case.start(minutes=1)]]
    assert all(isinstance(each, Proposed) for each in found), found
    place.forge.undisturbed()
    case.assert_all_is_there_once()


@on_our_own
@pytest.mark.parametrize("work", [Work.OPEN, Work.MOVE])
def test_another_one_comes_between(place: Place, tmp_path: Path, work: Work) -> None:
    """Another key's is written whole just before one of our writes, each in turn: who ends last is there whole."""
    whole = Case.begin(place, "acme/whole", work, tmp_path)
    whole.run()
    writes = [number for number, asked in enumerate(place.forge.asked, start=1) if is_write(asked)]
    assert len(writes) >= 3
    for number in writes:
        print(f"before the request {number}")  # shown when it fails
        case = Case.begin(place, f"acme/case-{number}", work, tmp_path)
        before = Before(number=number, act=partial(run_to_its_end, place.forge.settings, case.proposal(OTHER)))
        place.forge.between = before.between
        case.run()
        place.forge.undisturbed()
        case.assert_all_is_there_once()
