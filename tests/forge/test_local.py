"""The local forge, row by row of docs/pull-requests.md, on real repositories."""

import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from layering.errors import ConflictError
from layering.forge.forge import Proposal, ProposalTarget, Proposed, State
from layering.forge.local import LocalForge
from layering.git import run_git
from layering.reasons import Reason
from layering.reference import Digest, ImageReference, Repository
from tests.scenario import FILE, MACHINE_CONFIG, PERSON
from watcher import demo_git

BRANCH = "refs/heads/layerwatch/prod/worker"
OS = Repository("registry.example.com", "acme/os")
FIRST, SECOND, FOREIGN = (OS.at(Digest("sha256", digit * 64)) for digit in "123")
KEYS = {FIRST: "a" * 64, SECOND: "b" * 64}
NOW = datetime(2025, 6, 3, tzinfo=UTC)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    demo_git.make_repository(tmp_path / "forge.git", {FILE: MACHINE_CONFIG, "README.md": "x\n"}, "begin")
    return tmp_path / "forge.git"


def target(repository: Path, **keys: Any) -> ProposalTarget:
    fields = {"branch": "main", "file": FILE, "cluster": "prod", "pool": "worker", **keys}
    return ProposalTarget(repository=str(repository), **fields)


def propose(repository: Path, image: ImageReference = FIRST, **keys: Any) -> Proposed:
    return LocalForge().propose(
        Proposal(
            target=target(repository, **keys),
            image=image,
            key=KEYS[image],
            title="a title",
            body=lambda length_max, pinned: "a body"[:length_max],
            when=NOW,
        )
    )


def person(bare: Path, *commands: list[str], files: dict[str, str] | None = None, branch: str = "main") -> None:
    """A person clones, changes, commits and pushes."""
    clone = bare.parent / f"clone-{len(list(bare.parent.iterdir()))}"
    run_git(None, ["clone", "--quiet", "--branch", branch, str(bare), str(clone)])
    for name, text in (files or {}).items():
        (clone / name).write_text(text)
    for command in commands:
        run_git(clone, command, PERSON)


def pinned(image: str) -> str:
    return MACHINE_CONFIG.replace("osImageURL: ''", f"osImageURL: '{image}'")


COMMIT = [["add", "."], ["commit", "--quiet", "-m", "x"]]
PUSH = ["push", "--quiet", "--force", "origin", "HEAD"]
NAME = "layerwatch/prod/worker"


def nothing(bare: Path) -> None: ...


def base_moves_elsewhere(bare: Path) -> None:
    person(bare, *COMMIT, PUSH, files={"README.md": "y\n"})


def base_line_changes(bare: Path) -> None:
    person(bare, *COMMIT, PUSH, files={FILE: pinned(str(FOREIGN))})


def commits_on_top(bare: Path) -> None:
    person(bare, *COMMIT, PUSH, files={"note": "x"}, branch=NAME)


def amends(bare: Path) -> None:
    person(bare, ["add", "."], ["commit", "--quiet", "--amend", "--no-edit"], PUSH, files={"n": "x"}, branch=NAME)


def amends_as_the_author(bare: Path) -> None:
    person(bare, ["commit", "--quiet", "--amend", "--no-edit", "--reset-author"], PUSH, branch=NAME)


def deletes(bare: Path) -> None:
    run_git(bare, ["update-ref", "-d", BRANCH])


def notes_ignore(bare: Path) -> None:
    run_git(bare, ["notes", "--ref=layerwatch", "add", "-m", "well, no\n\n/layerwatch ignore", BRANCH], PERSON)


def notes_something(bare: Path) -> None:
    run_git(bare, ["notes", "--ref=layerwatch", "add", "-m", "do not /layerwatch ignore this", BRANCH], PERSON)


def fast_forwards(bare: Path) -> None:
    run_git(bare, ["update-ref", "refs/heads/main", BRANCH])


def merges(bare: Path) -> None:
    demo_git.merge(bare, NAME)


def squashes(bare: Path) -> None:
    person(bare, ["merge", "--squash", f"origin/{NAME}"], ["commit", "--quiet", "-m", "squashed"], PUSH)


def writes_it_by_hand(bare: Path) -> None:
    person(bare, *COMMIT, PUSH, files={FILE: pinned(f"registry.example.com/acme/os:tag@{FIRST.digest}")})


def merges_and_reverts(bare: Path) -> None:
    merges(bare)
    person(bare, ["revert", "--no-edit", "-m", "1", "HEAD"], PUSH)


def writes_it_by_hand_from_a_mirror(bare: Path) -> None:
    person(bare, *COMMIT, PUSH, files={FILE: pinned(f"mirror.example.com/acme/os@{FIRST.digest}")})


def squashes_and_reverts(bare: Path) -> None:
    squashes(bare)
    person(bare, ["revert", "--no-edit", "HEAD"], PUSH)


def fast_forwards_and_reverts(bare: Path) -> None:
    fast_forwards(bare)
    person(bare, ["revert", "--no-edit", "HEAD"], PUSH)


ROWS: list[tuple[Callable[[Path], None], State, Reason, State, Reason]] = [
    # a person …              the same key again                              and a newer key
    (nothing, State.UNCHANGED, Reason.PROPOSAL_OPEN, State.UPDATED, Reason.PROPOSAL_OPEN),
    (base_moves_elsewhere, State.UNCHANGED, Reason.PROPOSAL_OPEN, State.UPDATED, Reason.PROPOSAL_OPEN),
    (notes_something, State.UNCHANGED, Reason.PROPOSAL_OPEN, State.UPDATED, Reason.PROPOSAL_OPEN),
    (commits_on_top, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON),
    (amends, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON),
    (amends_as_the_author, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON, State.HUMAN_EDITED, Reason.EDITED_BY_PERSON),
    (deletes, State.IGNORED, Reason.CLOSED_BY_PERSON, State.CREATED, Reason.PROPOSAL_OPEN),
    (notes_ignore, State.IGNORED, Reason.IGNORED_BY_COMMAND, State.UPDATED, Reason.PROPOSAL_OPEN),
    (fast_forwards, State.UNCHANGED, Reason.ALREADY_ON_BASE, State.UPDATED, Reason.PROPOSAL_OPEN),
    (merges, State.UNCHANGED, Reason.ALREADY_ON_BASE, State.CREATED, Reason.PROPOSAL_OPEN),
    (squashes, State.UNCHANGED, Reason.ALREADY_ON_BASE, State.UPDATED, Reason.PROPOSAL_OPEN),
    (writes_it_by_hand, State.UNCHANGED, Reason.ALREADY_ON_BASE, State.UPDATED, Reason.PROPOSAL_OPEN),
    (writes_it_by_hand_from_a_mirror, State.UNCHANGED, Reason.ALREADY_ON_BASE, State.UPDATED, Reason.PROPOSAL_OPEN),
    (merges_and_reverts, State.IGNORED, Reason.REVERTED, State.CREATED, Reason.PROPOSAL_OPEN),
    (squashes_and_reverts, State.IGNORED, Reason.REVERTED, State.UPDATED, Reason.PROPOSAL_OPEN),
    (fast_forwards_and_reverts, State.IGNORED, Reason.REVERTED, State.UPDATED, Reason.PROPOSAL_OPEN),
]


@pytest.mark.parametrize(
    ("act", "state", "reason", "newer_state", "newer_reason"),
    [pytest.param(*row, id=row[0].__name__.replace("_", " ")) for row in ROWS],
)
def test_what_becomes_of_a_proposal(
    bare: Path, act: Callable[[Path], None], state: State, reason: Reason, newer_state: State, newer_reason: Reason
) -> None:
    first = propose(bare)
    assert (first.state, first.reason) == (State.CREATED, Reason.PROPOSAL_OPEN)
    act(bare)
    before = demo_git.refs(bare), run_git(bare, ["count-objects", "-v"])
    again = propose(bare)
    assert (again.state, again.reason) == (state, reason)
    assert (demo_git.refs(bare), run_git(bare, ["count-objects", "-v"])) == before
    newer = propose(bare, SECOND)
    assert (newer.state, newer.reason) == (newer_state, newer_reason)
    if newer.state in (State.CREATED, State.UPDATED):
        assert run_git(bare, ["rev-list", f"main..{BRANCH}"]).split() == [newer.commit]
        assert str(SECOND) in demo_git.show(bare, f"{BRANCH}:{FILE}")
    run_git(bare, ["fsck", "--strict"])


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        pytest.param(deletes, Reason.CLOSED_BY_PERSON, id="deleted"),
        pytest.param(notes_ignore, Reason.IGNORED_BY_COMMAND, id="ignored"),
        pytest.param(merges_and_reverts, Reason.REVERTED, id="reverted"),
        pytest.param(squashes_and_reverts, Reason.REVERTED, id="squashed and reverted"),
    ],
)
def test_a_no_outlives_the_next_proposal(bare: Path, act: Callable[[Path], None], reason: Reason) -> None:
    propose(bare)
    act(bare)
    newer = propose(bare, SECOND)
    before = demo_git.refs(bare)
    again = propose(bare)
    assert (again.state, again.reason, again.commit) == (State.IGNORED, reason, newer.commit)
    assert demo_git.refs(bare) == before
    assert propose(bare, SECOND).reason is Reason.PROPOSAL_OPEN


@pytest.mark.parametrize("act", [nothing, merges], ids=["replaced while open", "merged and followed by the next"])
def test_what_no_person_refused_may_come_again(bare: Path, act: Callable[[Path], None]) -> None:
    propose(bare)
    act(bare)
    propose(bare, SECOND)
    merges(bare)
    again = propose(bare)
    assert (again.state, again.reason) == (State.CREATED, Reason.PROPOSAL_OPEN)


def test_a_refused_proposal_that_is_brought_back_is_open_again(bare: Path) -> None:
    first = propose(bare)
    deletes(bare)
    propose(bare, SECOND)
    run_git(bare, ["update-ref", BRANCH, first.commit or ""])
    again = propose(bare)
    assert (again.state, again.reason) == (State.UNCHANGED, Reason.PROPOSAL_OPEN)


def test_somebody_changed_the_same_line(bare: Path) -> None:
    propose(bare)
    base_line_changes(bare)
    before = demo_git.refs(bare)
    with pytest.raises(ConflictError) as caught:
        propose(bare)
    assert caught.value.reason is Reason.CONFLICT_ON_BASE
    assert demo_git.refs(bare) == before
    assert propose(bare, SECOND).state is State.UPDATED


def test_a_proposal_is_one_commit_that_changes_one_line(bare: Path) -> None:
    made = propose(bare)
    shown = run_git(bare, ["show", "--format=%an <%ae>%n%cn%n%ct%n%B", "--unified=0", made.commit or ""])
    author, committer, when, title, *_ = shown.splitlines()
    assert (author, committer, title) == ("layerwatch <layerwatch@noreply.invalid>", "layerwatch", "a title")
    assert int(when) == int(NOW.timestamp())
    changed = [line for line in shown.splitlines() if line.startswith(("+ ", "- "))]
    assert changed == ["-  osImageURL: ''   # ours", f"+  osImageURL: '{FIRST}'   # ours"]
    trailers = run_git(bare, ["show", "-s", "--format=%(trailers)", made.commit or ""]).split("\n")
    assert trailers[:2] == [f"Layerwatch-Key: {KEYS[FIRST]}", f"Layered-Image: {FIRST}"]
    assert run_git(bare, ["rev-parse", "refs/layerwatch/prod/worker"]).strip() == made.commit


def test_observing_writes_nothing(bare: Path) -> None:
    before = demo_git.refs(bare), run_git(bare, ["count-objects", "-v"])
    state = LocalForge().observe(target(bare), KEYS[FIRST], FIRST)
    assert (state.state, state.reason, state.pinned) == (State.ABSENT, None, None)
    assert (demo_git.refs(bare), run_git(bare, ["count-objects", "-v"])) == before


def test_what_was_read_is_believed_for_one_look_and_no_longer(bare: Path) -> None:
    forge = LocalForge()
    first = forge.for_one_look(())
    seen = [first.observe(target(bare), KEYS[FIRST], FIRST).pinned]
    base_line_changes(bare)
    looks = [first, forge.for_one_look(()), forge]
    seen += [look.observe(target(bare), KEYS[FIRST], FIRST).pinned for look in looks]
    assert seen == [None, None, str(FOREIGN), str(FOREIGN)]


def test_a_crash_between_the_two_refs_is_no_edit_by_a_person(bare: Path) -> None:
    propose(bare)
    run_git(bare, ["update-ref", "-d", "refs/layerwatch/prod/worker"])
    again = propose(bare)
    assert (again.state, again.reason) == (State.UNCHANGED, Reason.PROPOSAL_OPEN)
    assert run_git(bare, ["rev-parse", "refs/layerwatch/prod/worker"]).strip() == again.commit
    assert propose(bare, SECOND).state is State.UPDATED


@pytest.mark.parametrize("act", [commits_on_top, amends, amends_as_the_author])
def test_a_persons_commit_is_theirs_also_when_nothing_is_remembered(bare: Path, act: Callable[[Path], None]) -> None:
    propose(bare)
    act(bare)
    run_git(bare, ["update-ref", "-d", "refs/layerwatch/prod/worker"])
    assert propose(bare).state is State.HUMAN_EDITED


def _race(path: str, image: ImageReference, queue: "multiprocessing.Queue[str]") -> None:
    queue.put(propose(Path(path), image).state.value)


def test_two_proposers_at_once_make_one_proposal(bare: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[str] = context.Queue()
    racers = [context.Process(target=_race, args=(str(bare), FIRST, queue)) for _ in range(4)]
    for racer in racers:
        racer.start()
    states = sorted(queue.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join()
    assert states == ["created", "unchanged", "unchanged", "unchanged"]
    assert len(run_git(bare, ["rev-list", f"main..{BRANCH}"]).split()) == 1


def test_proposers_of_different_images_at_once_leave_one_of_them(bare: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[str] = context.Queue()
    racers = [context.Process(target=_race, args=(str(bare), image, queue)) for image in (FIRST, SECOND) * 2]
    for racer in racers:
        racer.start()
    states = [queue.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    assert states.count("created") == 1
    assert set(states) <= {"created", "updated", "unchanged"}
    head = run_git(bare, ["rev-parse", BRANCH]).strip()
    assert run_git(bare, ["rev-list", f"main..{BRANCH}"]).split() == [head]
    assert run_git(bare, ["rev-parse", "refs/layerwatch/prod/worker"]).strip() == head
