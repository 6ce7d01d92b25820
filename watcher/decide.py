"""What should be done about one image: a pure, total function from what was seen.

No I/O, no clock, no environment. The table in tests/watcher/test_decide.py is its specification. Which base an image
should have is not decided here but in layering/base.py; this module compares what should be with what is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from layering.forge.forge import ProposalState, State
from layering.reasons import Reason
from layering.window import Window, is_open, next_opening
from watcher.decide_pool import not_to_be_touched, rolling_out
from watcher.decision import Decision, Kind
from watcher.engines.engine import Build, BuildState
from watcher.version import is_older
from watcher.world import Failure, Observation, Running, Wanted

# Refused, and yet an answer about us and not about the image: whether something is due cannot be told.
_COULD_NOT_TELL = {Reason.API_MISSING, Reason.FORBIDDEN, Reason.UNAUTHORIZED}
_UNDER_WAY = {BuildState.RUNNING, BuildState.SUCCEEDED}
_HELD_BUILDS = {Reason.BACK_OFF, Reason.BUILD_CANCELLED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the configuration says about one proposal.

    `hold_until_completed`: not before the update is completed. `windows`: when it may be opened, or
    moved to a newer key.
    """

    hold_until_completed: bool = True
    windows: Sequence[Window] = ()


def decide(seen: Observation | Failure, policy: Policy, now: datetime) -> Decision:
    """The decision for one image and pool. Total: every observation has exactly one."""
    if isinstance(seen, Failure):
        return failed(seen)
    if (not_ours := not_to_be_touched(seen)) is not None:
        return not_ours
    if seen.running and _fits(seen.running, seen):
        return _merged(seen, seen.running)
    if seen.running and _would_go_back(seen.running, seen.wanted):
        return _older(seen.running, seen.wanted)
    if (persons := _left_to_a_person(seen)) is not None:
        return persons
    if seen.built is None:
        return _unbuilt(seen, now)
    return _after_the_build(seen, policy, now)


def failed(failure: Failure) -> Decision:
    """Unknown when it could not be told, Blocked when somebody must act on what was told."""
    return Decision(
        kind=Kind.UNKNOWN if failure.temporary or failure.reason in _COULD_NOT_TELL else Kind.BLOCKED,
        reason=failure.reason,
        message=failure.message,
        next_step=failure.next_step,
    )


def _fits(running: Running, seen: Observation) -> bool:
    """Git pins the wanted image: its annotation carries the key, or it is the very image the target tag names."""
    return running.key == str(seen.wanted.key) or (seen.built is not None and running.image.digest == seen.built.digest)


def _would_go_back(running: Running, wanted: Wanted) -> bool:
    """Only versions of the same followed name can be compared: a release's with a release's."""
    if running.version is None or running.base_name != wanted.base.name:
        return False
    return is_older(wanted.version, than=running.version)


def _merged(seen: Observation, running: Running) -> Decision:
    """Git pins the wanted image; where a pool is known, its nodes have to run it as well."""
    return (rolling_out(seen.pool, running.image) if seen.pool else None) or _up_to_date(seen)


def _up_to_date(seen: Observation) -> Decision:
    return Decision(
        kind=Kind.UP_TO_DATE,
        reason=Reason.MATCHES_BASE,
        message=f"built FROM {_base(seen.wanted)}",
    )


def _older(running: Running, wanted: Wanted) -> Decision:
    return Decision(
        kind=Kind.HELD,
        reason=Reason.OLDER_THAN_RUNNING,
        message=f"the cluster asks for {wanted.version}, and git already pins an image for {running.version}",
        next_step="going back is yours to do: pin the older image by hand",
    )


def _left_to_a_person(seen: Observation) -> Decision | None:
    """What a person did to the proposal binds us, whether or not an image is built."""
    proposal = seen.proposal
    if proposal is None:
        return None
    branch = proposal.pull_request or proposal.branch
    is_branch = proposal.number is None  # the local forge's proposals are branches and nothing else
    told = {
        Reason.EDITED_BY_PERSON: Decision(
            kind=Kind.HELD,
            reason=Reason.EDITED_BY_PERSON,
            message=f"somebody else's commit is on {branch}; it is theirs now",
            next_step=f"merge or {'delete' if is_branch else 'close'} {branch} to have proposals again",
        ),
        Reason.CLOSED_BY_PERSON: Decision(
            kind=Kind.HELD,
            reason=Reason.CLOSED_BY_PERSON,
            message=f"this proposal was refused: {branch} was {'deleted' if is_branch else 'closed'} unmerged",
            next_step="nothing to do; the next base or source change is proposed again; "
            f"to have this one after all, {'bring' if is_branch else 'reopen'} {branch}{' back' if is_branch else ''} "
            "(docs/pull-requests.md)",
        ),
        Reason.IGNORED_BY_COMMAND: Decision(
            kind=Kind.HELD,
            reason=Reason.IGNORED_BY_COMMAND,
            message=f"this proposal was refused with /layerwatch ignore on {branch}",
            next_step="nothing to do; the next base or source change is proposed again",
        ),
        Reason.REVERTED: Decision(
            kind=Kind.BLOCKED,
            reason=Reason.REVERTED,
            message="this image was merged and then taken back; it is not proposed again",
            next_step="the pool runs on an older base until a newer image is proposed and merged; "
            "to have this one after all, revert the revert, or pin it by hand (docs/pull-requests.md)",
        ),
        Reason.CONFLICT_ON_BASE: Decision(
            kind=Kind.BLOCKED,
            reason=Reason.CONFLICT_ON_BASE,
            message=f"the line that {branch} changes was changed on the base branch by somebody else",
            next_step=f"{'delete' if is_branch else 'close'} {branch} to refuse this image, or undo the other change",
        ),
    }
    return told.get(proposal.reason) if proposal.reason else None


def _unbuilt(seen: Observation, now: datetime) -> Decision:
    build = seen.build
    if build is None or (build.state is BuildState.FAILED and build.retry_at is not None and build.retry_at <= now):
        return _rebuild(seen)
    if build.state in _UNDER_WAY:
        return Decision(
            kind=Kind.BUILDING, reason=Reason.BUILD_RUNNING, message=build.message, next_step=build.next_step
        )
    return _ended(build)


def _ended(build: Build) -> Decision:
    """A build that gave no image, and is not tried again now. The engine's own reason says why."""
    again = f"; again at {build.retry_at:%H:%M:%S} UTC" if build.retry_at else ""
    said, line_end, log = build.message.partition("\n")
    failure = Failure(
        reason=build.reason,
        message=f"{said} (attempt {build.attempt}{again}){line_end}{log}",
        next_step=build.next_step,
        temporary=build.temporary,
    )
    return replace(failed(failure), kind=Kind.HELD) if build.reason in _HELD_BUILDS else failed(failure)


def _rebuild(seen: Observation) -> Decision:
    running, wanted = seen.running, seen.wanted
    if running is None or running.key is None:
        return _due(Reason.NEVER_BUILT, f"no image was built yet FROM {_base(wanted)}")
    if running.base_digest not in {wanted.base.digest, *wanted.base.platforms.values()}:
        old = running.base_digest.short if running.base_digest else "another base"
        came_from = f"{running.version} ({old})" if running.version else old
        return _due(Reason.BASE_CHANGED, f"git pins an image FROM {came_from}; it should be {_base(wanted)}")
    return _due(Reason.SOURCE_CHANGED, f"the source or its arguments changed; commit {wanted.commit[:12]}")


def _due(reason: Reason, message: str) -> Decision:
    return Decision(kind=Kind.REBUILD, reason=reason, message=message)


def _after_the_build(seen: Observation, policy: Policy, now: datetime) -> Decision:
    proposal = seen.proposal
    if proposal is None:
        return _up_to_date(seen)
    if proposal.state is State.UNCHANGED and proposal.reason is Reason.PROPOSAL_OPEN:
        return Decision(
            kind=Kind.AWAITING_APPROVAL,
            reason=Reason.PROPOSAL_OPEN,
            message=f"{proposal.pull_request or proposal.branch} waits for a person",
            next_step=f"read and merge {_page_of(proposal)}",
        )
    if policy.hold_until_completed and not seen.wanted.update_completed:
        return Decision(
            kind=Kind.HELD,
            reason=Reason.UPDATE_IN_PROGRESS,
            message=f"the image is ready; the cluster is still on its way to {seen.wanted.version}",
            next_step="nothing to do; it is proposed when the update is completed",
        )
    return _not_now(proposal, str(seen.wanted.key), policy, now) or Decision(
        kind=Kind.PROPOSE,
        reason=Reason.IMAGE_READY,
        message=f"{seen.wanted.target} is built and not proposed yet",
    )


def _page_of(proposal: ProposalState) -> str:
    """Where there is none, the branch in full: what we remember of it would answer to its short name, too."""
    is_page = proposal.pull_request not in (None, proposal.branch)
    return str(proposal.pull_request) if is_page else f"refs/heads/{proposal.branch}"


def _not_now(proposal: ProposalState, key: str, policy: Policy, now: datetime) -> Decision | None:
    """What keeps an image that is ready from being proposed now. What was begun for its key is brought to its end."""
    if proposal.key == key:
        return None
    if proposal.reason is Reason.TOO_MANY_OPEN:
        return Decision(
            kind=Kind.HELD,
            reason=Reason.TOO_MANY_OPEN,
            message="the image is ready; as many of our proposals are open in its repository as maxOpen allows",
            next_step="merge or close one of them, or raise maxOpen of the forge",
        )
    if is_open(policy.windows, now):
        return None
    opening = next_opening(policy.windows, now)
    return Decision(
        kind=Kind.HELD,
        reason=Reason.OUTSIDE_WINDOW,
        message="the image is ready; it is proposed within a maintenance window"
        + (f", the next from {opening:%Y-%m-%d %H:%M %Z}" if opening else ""),
        next_step="nothing to do",
    )


def _base(wanted: Wanted) -> str:
    return f"{wanted.version} ({wanted.base.digest.short})"
