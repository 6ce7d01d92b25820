"""What is decided from what is seen. The table is the specification: one row, one situation, one decision."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import product

import pytest

from layering.base import Base
from layering.buildkey import BuildKey
from layering.cluster.state import Pool
from layering.errors import (
    CheckError,
    ConflictError,
    ContentError,
    InputError,
    LayerwatchError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from layering.forge.forge import ProposalState, State
from layering.machineconfig_merge import Claim
from layering.platform import Platform
from layering.reasons import Reason
from layering.reference import Digest, ImageReference, Repository
from layering.window import Window, time_zone
from watcher.decide import Policy, decide
from watcher.decision import Kind
from watcher.engines.engine import Build, BuildState
from watcher.report import Verdict, check_exit_code, tick_exit_code
from watcher.version import is_older
from watcher.world import Failure, Observation, Running, Subject, Wanted

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
        state=state,
        reason=reason,
        pinned=str(OTHER_IMAGE),
        branch=BRANCH,
        commit="d" * 40,
        pull_request=pull_request,
        config=Claim(name="99-worker-osimageurl", role="worker", image=str(OTHER_IMAGE), line=1),
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
    pool: Pool | None = None,
    also: tuple[Pool, ...] = (),
    build: Build | None = None,
) -> Observation:
    return Observation(
        subject=Subject(image="worker-os", cluster="prod", pool="worker"),
        wanted=wanted,
        built=built,
        running=running,
        proposal=proposal,
        platforms=(Platform("linux", "amd64"),),
        pool=pool,
        also=also,
        build=build,
    )


def attempt(
    state: BuildState, reason: Reason = Reason.BUILD_FAILED, minutes: int | None = None, *, temporary: bool = False
) -> Build:
    """The second attempt; it is tried again in so many minutes."""
    return Build(
        engine="tekton",
        name="worker-os-aaaaaaaaaaaa-2",
        state=state,
        attempt=2,
        reason=reason,
        message="RUN false",
        next_step="mend it",
        retry_at=NOW + timedelta(minutes=minutes) if minutes is not None else None,
        temporary=temporary,
    )


OURS = "99-worker-osimageurl"
POOL = Pool(
    name="worker",
    os_image=str(OTHER_IMAGE),
    current_image=str(OTHER_IMAGE),
    set_by=OURS,
    set_by_role="worker",
    overridden=True,
    layered_by=None,
    stream=None,
    paused=False,
    updating=False,
    degraded=False,
    updated=True,
    observed=True,
    rendered="rendered-worker-1",
    current="rendered-worker-1",
    sources=("00-worker", OURS),
    total=3,
    updated_machines=3,
    ready=3,
    degraded_machines=0,
    architectures=("amd64",),
    message="",
)
OTHERS = replace(POOL, set_by="99-zz-gpu")
IN_GIT = Running(image=BUILT, key=str(KEY))
APPLIED = replace(POOL, os_image=str(BUILT))
ON_THE_MOVE = replace(APPLIED, current="rendered-worker-0", updated=False, updating=True, updated_machines=1)


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
    ("a failed build may be tried again",
     seen(build=attempt(BuildState.FAILED, minutes=0)), Kind.REBUILD, Reason.BASE_CHANGED),
    ("the pool's own image is set by ours", seen(pool=POOL), Kind.REBUILD, Reason.BASE_CHANGED),
    ("the pool has no image of its own yet",
     seen(pool=replace(POOL, set_by=None, overridden=False)), Kind.REBUILD, Reason.BASE_CHANGED),
    ("another MachineConfig sets it, and loses against ours",
     seen(pool=replace(OTHERS, set_by="50-old")), Kind.REBUILD, Reason.BASE_CHANGED),
    ("the pool is paused", seen(pool=replace(POOL, paused=True)), Kind.REBUILD, Reason.BASE_CHANGED),
    ("the pool is degraded: a newer image may be the cure",
     seen(pool=replace(POOL, degraded=True)), Kind.REBUILD, Reason.BASE_CHANGED),
    ("what its nodes are is not known",
     seen(pool=replace(POOL, architectures=None)), Kind.REBUILD, Reason.BASE_CHANGED),
    # Building
    ("a run builds it", seen(build=attempt(BuildState.RUNNING)), Kind.BUILDING, Reason.BUILD_RUNNING),
    ("the run is done, its tag not seen yet",
     seen(build=attempt(BuildState.SUCCEEDED)), Kind.BUILDING, Reason.BUILD_RUNNING),
    ("the image is there, whatever its runs say",
     seen(built=BUILT, build=attempt(BuildState.RUNNING)), Kind.PROPOSE, Reason.IMAGE_READY),
    # Rolling out
    ("merged and applied", seen(running=IN_GIT, pool=APPLIED), Kind.UP_TO_DATE, Reason.MATCHES_BASE),
    ("merged and applied under a mirror's name",
     seen(running=IN_GIT, pool=replace(APPLIED, os_image=f"mirror.example.com/os@{BUILT.digest}")),
     Kind.UP_TO_DATE, Reason.MATCHES_BASE),
    ("merged, not applied", seen(running=IN_GIT, pool=POOL), Kind.ROLLING_OUT, Reason.MERGED_NOT_APPLIED),
    ("merged, the pool names no image",
     seen(running=IN_GIT, pool=replace(POOL, os_image=None, set_by=None)),
     Kind.ROLLING_OUT, Reason.MERGED_NOT_APPLIED),
    ("nodes are moving", seen(running=IN_GIT, pool=ON_THE_MOVE), Kind.ROLLING_OUT, Reason.POOL_UPDATING),
    ("applied a second ago, the old status still stands",
     seen(running=IN_GIT, pool=replace(APPLIED, observed=False)), Kind.ROLLING_OUT, Reason.POOL_UPDATING),
    ("applied, and the pool is paused",
     seen(running=IN_GIT, pool=replace(ON_THE_MOVE, paused=True, updating=False)), Kind.HELD, Reason.POOL_PAUSED),
    ("nodes cannot apply it",
     seen(running=IN_GIT, pool=replace(ON_THE_MOVE, degraded=True, degraded_machines=1, message="no such image")),
     Kind.BLOCKED, Reason.POOL_DEGRADED),
    # Propose, and wait
    ("built and not proposed", seen(built=BUILT), Kind.PROPOSE, Reason.IMAGE_READY),
    ("built, an older key is proposed", seen(built=BUILT, proposal=OUTDATED), Kind.PROPOSE, Reason.IMAGE_READY),
    ("proposed", seen(built=BUILT, proposal=OPEN), Kind.AWAITING_APPROVAL, Reason.PROPOSAL_OPEN),
    ("proposed, and another update began",
     seen(built=BUILT, proposal=OPEN, wanted=ON_ITS_WAY), Kind.AWAITING_APPROVAL, Reason.PROPOSAL_OPEN),
    # Held
    ("built, as many proposals are open as may be",
     seen(built=BUILT, proposal=proposal(State.ABSENT, Reason.TOO_MANY_OPEN)), Kind.HELD, Reason.TOO_MANY_OPEN),
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
    ("the build failed a moment ago, on this machine",
     seen(build=attempt(BuildState.FAILED, minutes=1)), Kind.BLOCKED, Reason.BUILD_FAILED),
    ("the registry failed during the build",
     seen(build=attempt(BuildState.FAILED, minutes=1, temporary=True)), Kind.UNKNOWN, Reason.BUILD_FAILED),
    ("a run failed, and waits for its next attempt",
     seen(build=attempt(BuildState.FAILED, Reason.BACK_OFF, minutes=1)), Kind.HELD, Reason.BACK_OFF),
    ("all attempts failed", seen(build=attempt(BuildState.EXHAUSTED)), Kind.BLOCKED, Reason.BUILD_FAILED),
    ("the Pipeline refuses it",
     seen(build=attempt(BuildState.MISCONFIGURED, Reason.BUILD_MISCONFIGURED)),
     Kind.BLOCKED, Reason.BUILD_MISCONFIGURED),
    ("a run ended well and pushed nothing",
     seen(build=attempt(BuildState.EXHAUSTED, Reason.BUILD_WITHOUT_IMAGE)), Kind.BLOCKED, Reason.BUILD_WITHOUT_IMAGE),
    ("somebody cancelled the run",
     seen(build=attempt(BuildState.CANCELLED, Reason.BUILD_CANCELLED)), Kind.HELD, Reason.BUILD_CANCELLED),
    # Blocked by the cluster, whatever git and the registry hold
    ("the cluster layers the pool itself",
     seen(running=IN_GIT, pool=replace(APPLIED, layered_by="layered-worker")),
     Kind.BLOCKED, Reason.POOL_LAYERED_BY_MACHINE_OS_CONFIG),
    ("the pool names a stream", seen(pool=replace(POOL, stream="rhel-10")), Kind.BLOCKED, Reason.POOL_STREAM_SET),
    ("the payload's tag is no stream of the cluster",
     seen(wanted=replace(WANTED, disagreement="rhel-9 is another")), Kind.BLOCKED, Reason.STREAM_DISAGREEMENT),
    ("the pool has arm64 nodes, the image is for amd64",
     seen(pool=replace(POOL, architectures=("amd64", "arm64"))), Kind.BLOCKED, Reason.ARCHITECTURE_MISSING),
    ("a custom pool that takes the same MachineConfig has arm64 nodes",
     seen(pool=POOL, also=(replace(POOL, name="infra", architectures=("arm64",)),)),
     Kind.BLOCKED, Reason.ARCHITECTURE_MISSING),
    ("another MachineConfig sets it, and would win", seen(pool=OTHERS), Kind.BLOCKED, Reason.OVERRIDDEN_ELSEWHERE),
    ("another MachineConfig wins over what is merged",
     seen(running=IN_GIT, pool=OTHERS), Kind.BLOCKED, Reason.OVERRIDDEN_ELSEWHERE),
]  # fmt: skip


@pytest.mark.parametrize(("observation", "kind", "reason"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_decision(observation: Observation, kind: Kind, reason: Reason) -> None:
    decision = decide(observation, Policy(), NOW)
    assert (decision.kind, decision.reason) == (kind, reason)
    assert decision.message


NIGHTLY = Window(start=time(22), end=time(4), zone=time_zone("Europe/Berlin"))
AT_NOON, AT_NIGHT = NOW, NOW + timedelta(hours=9)


@pytest.mark.parametrize(
    ("at", "state", "kind", "reason"),
    [
        pytest.param(AT_NOON, ABSENT, Kind.HELD, Reason.OUTSIDE_WINDOW, id="not opened at noon"),
        pytest.param(AT_NIGHT, ABSENT, Kind.PROPOSE, Reason.IMAGE_READY, id="opened at night"),
        pytest.param(AT_NOON, OUTDATED, Kind.HELD, Reason.OUTSIDE_WINDOW, id="not moved to a newer key at noon"),
        pytest.param(
            AT_NOON, replace(OUTDATED, key=str(KEY)), Kind.PROPOSE, Reason.IMAGE_READY, id="what was begun is ended"
        ),
        pytest.param(AT_NOON, OPEN, Kind.AWAITING_APPROVAL, Reason.PROPOSAL_OPEN, id="looked at, whenever"),
    ],
)
def test_a_window_is_for_opening_and_moving(at: datetime, state: ProposalState, kind: Kind, reason: Reason) -> None:
    decision = decide(seen(built=BUILT, proposal=state), Policy(windows=[NIGHTLY]), at)
    assert (decision.kind, decision.reason) == (kind, reason)


def test_it_is_told_when_the_next_window_opens() -> None:
    assert "2025-06-03 22:00 CEST" in decide(seen(built=BUILT), Policy(windows=[NIGHTLY]), NOW).message


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
        (UnavailableError("x", reason=Reason.TIMED_OUT), Kind.UNKNOWN, Reason.TIMED_OUT),
        (UnavailableError("x", reason=Reason.THROTTLED), Kind.UNKNOWN, Reason.THROTTLED),
        (RefusedError("x", reason=Reason.UNAUTHORIZED), Kind.UNKNOWN, Reason.UNAUTHORIZED),
        (RefusedError("x", reason=Reason.FORBIDDEN), Kind.UNKNOWN, Reason.FORBIDDEN),
        (NotFoundError("x", reason=Reason.API_MISSING), Kind.UNKNOWN, Reason.API_MISSING),
        (NotFoundError("x", reason=Reason.NOT_FOUND), Kind.BLOCKED, Reason.NOT_FOUND),
        (InputError("x", reason=Reason.POOL_MISSING), Kind.BLOCKED, Reason.POOL_MISSING),
        (RefusedError("x"), Kind.BLOCKED, Reason.REGISTRY_REFUSED),
        (RefusedError("x", reason=Reason.SOURCE_REFUSED), Kind.BLOCKED, Reason.SOURCE_REFUSED),
        (RefusedError("x", reason=Reason.FORGE_REFUSED), Kind.BLOCKED, Reason.FORGE_REFUSED),
        (InputError("x"), Kind.BLOCKED, Reason.INPUT_INVALID),
        (InputError("x", reason=Reason.BASE_NOT_FOUND), Kind.BLOCKED, Reason.BASE_NOT_FOUND),
        (InputError("x", reason=Reason.BASE_AMBIGUOUS), Kind.BLOCKED, Reason.BASE_AMBIGUOUS),
        (InputError("x", reason=Reason.BUILD_MISCONFIGURED), Kind.BLOCKED, Reason.BUILD_MISCONFIGURED),
        (ContentError("x"), Kind.BLOCKED, Reason.CONTENT_INVALID),
        (ContentError("x", reason=Reason.RELEASE_UNVERIFIED), Kind.BLOCKED, Reason.RELEASE_UNVERIFIED),
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
    # AlreadyOnBase is a forge's answer, ConfigInvalid the daemon's, AwaitingApproval the step's: none is decided on.
    # OutsideWindow has a table of its own.
    in_table = {row[3] for row in ROWS} | {Reason.ALREADY_ON_BASE, Reason.CONFIG_INVALID, Reason.AWAITING_APPROVAL}
    in_table.add(Reason.OUTSIDE_WINDOW)
    marks = test_what_could_not_be_told_is_its_own_answer.pytestmark  # type: ignore[attr-defined]
    in_errors = {row[2] for row in marks[0].args[1]}
    assert set(Reason) - in_table - in_errors == set()


def test_every_observation_has_a_decision() -> None:
    """All combinations of what there can be: none raises, and none acts on what a person decided."""
    runnings = [None, ON_OLD_BASE, replace(ON_OLD_BASE, key=str(KEY)), Running(image=OTHER_IMAGE)]
    states = [None, *(proposal(state, reason) for state, reason in product(State, [None, *Reason]))]
    persons = {Reason.EDITED_BY_PERSON, Reason.CLOSED_BY_PERSON, Reason.IGNORED_BY_COMMAND, Reason.REVERTED}
    pools, builds = [None, POOL, ON_THE_MOVE], [None, attempt(BuildState.FAILED, minutes=0)]
    wanteds = [WANTED, ON_ITS_WAY, BACK]
    for running, state, built, wanted, pool, build in product(runnings, states, [None, BUILT], wanteds, pools, builds):
        one = seen(running=running, proposal=state, built=built, wanted=wanted, pool=pool, build=build)
        decision = decide(one, Policy(), NOW)
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
        ([Kind.UP_TO_DATE, Kind.BUILDING, Kind.AWAITING_APPROVAL, Kind.ROLLING_OUT, Kind.HELD], 0, 0),
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
