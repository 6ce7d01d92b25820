"""What is decided from what is seen. The table is the specification: one row, one situation, one decision."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from layering.base import Base
from layering.buildkey import BuildKey
from layering.errors import (
    CheckError,
    ConflictError,
    ContentError,
    InputError,
    LayerwatchError,
    RefusedError,
    UnavailableError,
)
from layering.forge.forge import ProposalState, State
from layering.platform import Platform
from layering.reasons import Reason
from layering.reference import Digest, ImageReference, Repository
from watcher.decide import Kind, Policy, decide
from watcher.report import Verdict, check_exit_code, tick_exit_code
from watcher.version import is_older
from watcher.world import FailedBuild, Failure, Observation, Running, Subject, Wanted

NOW = datetime(2025, 6, 3, 12, 0, tzinfo=UTC)
OLD_BASE, NEW_BASE = Digest("sha256", "1" * 64), Digest("sha256", "2" * 64)
ART = Repository("quay.io", "openshift-release-dev/ocp-v4.0-art-dev")
TARGET = Repository("registry.example.com", "acme/worker-os")
KEY, OTHER_KEY = BuildKey("a" * 64), BuildKey("b" * 64)
BUILT, OTHER_IMAGE = TARGET.at(Digest("sha256", "3" * 64)), TARGET.at(Digest("sha256", "4" * 64))
BRANCH = "layerwatch/prod/worker"

WANTED = Wanted(
    base=Base(
        reference=ART.at(NEW_BASE),
        name=str(ART),
        platforms={Platform("linux", "amd64"): NEW_BASE},
        version="9.6.20250603-0",
        labels={},
        release="4.19.2",
    ),
    version="4.19.2",
    update_completed=True,
    commit="c" * 40,
    key=KEY,
    target=TARGET.tagged("4.19.2-aaaaaaaaaaaa"),
)
ON_OLD_BASE = Running(image=OTHER_IMAGE, key=str(OTHER_KEY), base_name=str(ART), base_digest=OLD_BASE, version="4.19.1")


def proposal(state: State, reason: Reason | None, pull_request: str | None = None) -> ProposalState:
    return ProposalState(
        state=state, reason=reason, pinned=str(OTHER_IMAGE), branch=BRANCH, commit="d" * 40, pull_request=pull_request
    )


ABSENT = proposal(State.ABSENT, None)
OUTDATED = proposal(State.OUTDATED, None)
OPEN = proposal(State.UNCHANGED, Reason.PROPOSAL_OPEN, BRANCH)


def seen(
    *,
    built: ImageReference | None = None,
    running: Running | None = ON_OLD_BASE,
    proposal: ProposalState | None = ABSENT,
    wanted: Wanted = WANTED,
    failed: FailedBuild | None = None,
) -> Observation:
    return Observation(
        subject=Subject(image="worker-os", cluster="prod", pool="worker"),
        wanted=wanted,
        built=built,
        running=running,
        proposal=proposal,
        failed_build=failed,
    )


def failed(minutes: int, *, temporary: bool = False) -> FailedBuild:
    failure = Failure(reason=Reason.BUILD_FAILED, message="RUN false", next_step="mend it", temporary=temporary)
    return FailedBuild(failure=failure, attempts=2, retry_at=NOW + timedelta(minutes=minutes))


ON_ITS_WAY = replace(WANTED, update_completed=False)
BACK = replace(WANTED, version="4.19.0")

ROWS = [
    # Up to date
    ("git pins the wanted key", seen(running=replace(ON_OLD_BASE, key=str(KEY))), Kind.UP_TO_DATE, Reason.MATCHES_BASE),
    ("git pins the built image, whatever its annotations say",
     seen(built=BUILT, running=Running(image=BUILT)), Kind.UP_TO_DATE, Reason.MATCHES_BASE),
    ("built, and nobody asked for a proposal",
     seen(built=BUILT, running=None, proposal=None), Kind.UP_TO_DATE, Reason.MATCHES_BASE),
    ("pinned, although the person's branch is still there",
     seen(running=replace(ON_OLD_BASE, key=str(KEY)), proposal=proposal(State.HUMAN_EDITED, Reason.EDITED_BY_PERSON)),
     Kind.UP_TO_DATE, Reason.MATCHES_BASE),
    # Rebuild
    ("nothing is pinned", seen(running=None), Kind.REBUILD, Reason.NEVER_BUILT),
    ("somebody else's image is pinned", seen(running=Running(image=OTHER_IMAGE)), Kind.REBUILD, Reason.NEVER_BUILT),
    ("nothing was ever built, nobody asked for a proposal",
     seen(running=None, proposal=None), Kind.REBUILD, Reason.NEVER_BUILT),
    ("the base moved", seen(), Kind.REBUILD, Reason.BASE_CHANGED),
    ("the base moved while an older proposal is open", seen(proposal=OUTDATED), Kind.REBUILD, Reason.BASE_CHANGED),
    ("the source changed",
     seen(running=replace(ON_OLD_BASE, base_digest=NEW_BASE)), Kind.REBUILD, Reason.SOURCE_CHANGED),
    ("the update is on its way: built ahead", seen(wanted=ON_ITS_WAY), Kind.REBUILD, Reason.BASE_CHANGED),
    ("an older failure is long past", seen(failed=failed(minutes=-1)), Kind.REBUILD, Reason.BASE_CHANGED),
    # Propose, and wait
    ("built and not proposed", seen(built=BUILT), Kind.PROPOSE, Reason.IMAGE_READY),
    ("built, an older key is proposed", seen(built=BUILT, proposal=OUTDATED), Kind.PROPOSE, Reason.IMAGE_READY),
    ("proposed", seen(built=BUILT, proposal=OPEN), Kind.AWAITING_APPROVAL, Reason.PROPOSAL_OPEN),
    ("proposed, and another update began",
     seen(built=BUILT, proposal=OPEN, wanted=ON_ITS_WAY), Kind.AWAITING_APPROVAL, Reason.PROPOSAL_OPEN),
    # Held
    ("built, the update is on its way",
     seen(built=BUILT, wanted=ON_ITS_WAY), Kind.HELD, Reason.UPDATE_IN_PROGRESS),
    ("the cluster went back", seen(wanted=BACK), Kind.HELD, Reason.OLDER_THAN_RUNNING),
    ("the cluster went back, the old image is there",
     seen(wanted=BACK, built=BUILT), Kind.HELD, Reason.OLDER_THAN_RUNNING),
    ("edited by a person, nothing built",
     seen(proposal=proposal(State.HUMAN_EDITED, Reason.EDITED_BY_PERSON)), Kind.HELD, Reason.EDITED_BY_PERSON),
    ("edited by a person, built",
     seen(built=BUILT, proposal=proposal(State.HUMAN_EDITED, Reason.EDITED_BY_PERSON)),
     Kind.HELD, Reason.EDITED_BY_PERSON),
    ("refused by deleting the branch",
     seen(built=BUILT, proposal=proposal(State.IGNORED, Reason.CLOSED_BY_PERSON)), Kind.HELD, Reason.CLOSED_BY_PERSON),
    ("refused with a note",
     seen(built=BUILT, proposal=proposal(State.IGNORED, Reason.IGNORED_BY_COMMAND)),
     Kind.HELD, Reason.IGNORED_BY_COMMAND),
    # Blocked
    ("merged and reverted",
     seen(built=BUILT, proposal=proposal(State.IGNORED, Reason.REVERTED)), Kind.BLOCKED, Reason.REVERTED),
    ("the line was changed on the base branch",
     seen(built=BUILT, proposal=proposal(State.IGNORED, Reason.CONFLICT_ON_BASE)),
     Kind.BLOCKED, Reason.CONFLICT_ON_BASE),
    ("the build failed a moment ago", seen(failed=failed(minutes=1)), Kind.BLOCKED, Reason.BUILD_FAILED),
    ("the registry failed during the build",
     seen(failed=failed(minutes=1, temporary=True)), Kind.UNKNOWN, Reason.BUILD_FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("observation", "kind", "reason"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_decision(observation: Observation, kind: Kind, reason: Reason) -> None:
    decision = decide(observation, Policy(), NOW)
    assert (decision.kind, decision.reason) == (kind, reason)
    assert decision.message


def test_hold_none_proposes_while_the_update_is_on_its_way() -> None:
    decision = decide(seen(built=BUILT, wanted=ON_ITS_WAY), Policy(hold_until_completed=False), NOW)
    assert decision.kind is Kind.PROPOSE


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (UnavailableError("x"), Kind.UNKNOWN, Reason.REGISTRY_UNAVAILABLE),
        (UnavailableError("x", reason=Reason.SOURCE_UNAVAILABLE), Kind.UNKNOWN, Reason.SOURCE_UNAVAILABLE),
        (UnavailableError("x", reason=Reason.FORGE_UNREACHABLE), Kind.UNKNOWN, Reason.FORGE_UNREACHABLE),
        (UnavailableError("x", reason=Reason.UNREACHABLE), Kind.UNKNOWN, Reason.UNREACHABLE),
        (UnavailableError("x", reason=Reason.STATUS_NOT_OBSERVED), Kind.UNKNOWN, Reason.STATUS_NOT_OBSERVED),
        (RefusedError("x"), Kind.BLOCKED, Reason.REGISTRY_REFUSED),
        (RefusedError("x", reason=Reason.SOURCE_REFUSED), Kind.BLOCKED, Reason.SOURCE_REFUSED),
        (RefusedError("x", reason=Reason.FORGE_REFUSED), Kind.BLOCKED, Reason.FORGE_REFUSED),
        (InputError("x"), Kind.BLOCKED, Reason.INPUT_INVALID),
        (InputError("x", reason=Reason.BASE_NOT_FOUND), Kind.BLOCKED, Reason.BASE_NOT_FOUND),
        (InputError("x", reason=Reason.BASE_AMBIGUOUS), Kind.BLOCKED, Reason.BASE_AMBIGUOUS),
        (InputError("x", reason=Reason.BUILD_MISCONFIGURED), Kind.BLOCKED, Reason.BUILD_MISCONFIGURED),
        (ContentError("x"), Kind.BLOCKED, Reason.CONTENT_INVALID),
        (CheckError("x"), Kind.BLOCKED, Reason.CHECK_FAILED),
        (CheckError("x", reason=Reason.BUILD_FAILED), Kind.BLOCKED, Reason.BUILD_FAILED),
        (ConflictError("x"), Kind.BLOCKED, Reason.CONFLICT_ON_BASE),
        (ConflictError("x", reason=Reason.TAG_TAKEN), Kind.BLOCKED, Reason.TAG_TAKEN),
        (LayerwatchError("x"), Kind.BLOCKED, Reason.DEFECT),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "",
)
def test_what_could_not_be_told_is_its_own_answer(error: LayerwatchError, kind: Kind, reason: Reason) -> None:
    decision = decide(Failure.of(error), Policy(), NOW)
    assert (decision.kind, decision.reason) == (kind, reason)


def test_every_reason_has_a_row() -> None:
    in_table = {row[3] for row in ROWS} | {Reason.ALREADY_ON_BASE}
    marks = test_what_could_not_be_told_is_its_own_answer.pytestmark  # type: ignore[attr-defined]
    in_errors = {row[2] for row in marks[0].args[1]}
    assert set(Reason) - in_table - in_errors == set()


def test_every_observation_has_a_decision() -> None:
    """All combinations of what there can be: none raises, and none acts on what a person decided."""
    runnings = [None, ON_OLD_BASE, replace(ON_OLD_BASE, key=str(KEY)), Running(image=OTHER_IMAGE)]
    states = [None, *(proposal(state, reason) for state, reason in product(State, [None, *Reason]))]
    persons = {Reason.EDITED_BY_PERSON, Reason.CLOSED_BY_PERSON, Reason.IGNORED_BY_COMMAND, Reason.REVERTED}
    for running, state, built, wanted in product(runnings, states, [None, BUILT], [WANTED, ON_ITS_WAY, BACK]):
        decision = decide(seen(running=running, proposal=state, built=built, wanted=wanted), Policy(), NOW)
        if state is not None and state.reason in persons:
            assert decision.kind not in (Kind.REBUILD, Kind.PROPOSE)


@pytest.mark.parametrize(
    ("version", "than", "older"),
    [
        ("4.19.1", "4.19.2", True),
        ("4.19.2", "4.19.2", False),
        ("4.9.0", "4.19.0", True),
        ("4.19.0-rc.1", "4.19.0", True),
        ("4.19.0", "4.19.0-rc.1", False),
        ("9.6.20250512-0", "9.6.20250603-0", True),
        ("418.94.202502100215-0", "418.94.202409040013-0", False),
        ("latest", "4.19.1", False),
        ("4.19.1", "stable", False),
        ("", "", False),
    ],
)
def test_versions(version: str, than: str, older: bool) -> None:
    assert is_older(version, than=than) is older


@pytest.mark.parametrize(
    ("kinds", "check", "tick"),
    [
        ([], 0, 0),
        ([Kind.UP_TO_DATE, Kind.AWAITING_APPROVAL, Kind.HELD], 0, 0),
        ([Kind.UP_TO_DATE, Kind.REBUILD], 10, 0),
        ([Kind.PROPOSE], 10, 0),
        ([Kind.REBUILD, Kind.BLOCKED], 11, 11),
        ([Kind.UNKNOWN], 11, 11),
    ],
    ids=str,
)
def test_exit_codes(kinds: list[Kind], check: int, tick: int) -> None:
    observation = seen()
    decision = decide(observation, Policy(), NOW)
    verdicts = [
        Verdict(subject=observation.subject, seen=observation, decision=replace(decision, kind=kind)) for kind in kinds
    ]
    assert (check_exit_code(verdicts), tick_exit_code(verdicts)) == (check, tick)
