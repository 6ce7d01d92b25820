"""What should be done about one image: a pure, total function from what was seen.

No I/O, no clock, no environment. The table in tests/watcher/test_decide.py is its specification. Which base an image
should have is not decided here but in layering/base.py; this module compares what should be with what is.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from layering.forge.forge import State
from layering.reasons import Reason
from watcher.version import is_older
from watcher.world import FailedBuild, Failure, Observation, Running, Wanted


class Kind(StrEnum):
    """What is to be done, in one word."""

    UP_TO_DATE = "UpToDate"
    REBUILD = "Rebuild"
    PROPOSE = "Propose"
    AWAITING_APPROVAL = "AwaitingApproval"
    HELD = "Held"
    BLOCKED = "Blocked"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the configuration says about one proposal. `hold_until_completed`: not before the update is completed."""

    hold_until_completed: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One decision with its reason, a sentence for people, and what a person could do next (or an empty text)."""

    kind: Kind
    reason: Reason
    message: str
    next_step: str = ""


def decide(seen: Observation | Failure, policy: Policy, now: datetime) -> Decision:
    """The decision for one image and pool. Total: every observation has exactly one."""
    if isinstance(seen, Failure):
        return failed(seen)
    if seen.running and _fits(seen.running, seen):
        return _up_to_date(seen)
    if seen.running and _would_go_back(seen.running, seen.wanted):
        return _older(seen.running, seen.wanted)
    if (persons := _left_to_a_person(seen)) is not None:
        return persons
    if seen.built is None:
        return _rebuild(seen, now)
    return _after_the_build(seen, policy)


def failed(failure: Failure) -> Decision:
    """Unknown when another look may help, Blocked when somebody must act first."""
    return Decision(
        kind=Kind.UNKNOWN if failure.temporary else Kind.BLOCKED,
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
    branch = proposal.branch
    told = {
        Reason.EDITED_BY_PERSON: Decision(
            kind=Kind.HELD,
            reason=Reason.EDITED_BY_PERSON,
            message=f"somebody else's commit is on {branch}; it is theirs now",
            next_step=f"merge or delete {branch} to have proposals again",
        ),
        Reason.CLOSED_BY_PERSON: Decision(
            kind=Kind.HELD,
            reason=Reason.CLOSED_BY_PERSON,
            message=f"this proposal was refused: {branch} was deleted unmerged",
            next_step="nothing to do; the next base or source change is proposed again",
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
            next_step="the pool runs on an older base until a newer image is proposed and merged",
        ),
        Reason.CONFLICT_ON_BASE: Decision(
            kind=Kind.BLOCKED,
            reason=Reason.CONFLICT_ON_BASE,
            message=f"the line that {branch} changes was changed on the base branch by somebody else",
            next_step=f"delete {branch} to refuse this image, or undo the other change",
        ),
    }
    return told.get(proposal.reason) if proposal.reason else None


def _rebuild(seen: Observation, now: datetime) -> Decision:
    if seen.failed_build and now < seen.failed_build.retry_at:
        return _not_again_yet(seen.failed_build)
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


def _not_again_yet(build: FailedBuild) -> Decision:
    decision = failed(build.failure)
    return Decision(
        kind=decision.kind,
        reason=decision.reason,
        message=f"{decision.message} (attempt {build.attempts}; again at {build.retry_at:%H:%M:%S} UTC)",
        next_step=decision.next_step,
    )


def _after_the_build(seen: Observation, policy: Policy) -> Decision:
    proposal = seen.proposal
    if proposal is None:
        return _up_to_date(seen)
    if proposal.state is State.UNCHANGED and proposal.reason is Reason.PROPOSAL_OPEN:
        return Decision(
            kind=Kind.AWAITING_APPROVAL,
            reason=Reason.PROPOSAL_OPEN,
            message=f"{proposal.branch} waits for a person",
            next_step=f"read and merge {proposal.pull_request or proposal.branch}",
        )
    if policy.hold_until_completed and not seen.wanted.update_completed:
        return Decision(
            kind=Kind.HELD,
            reason=Reason.UPDATE_IN_PROGRESS,
            message=f"the image is ready; the cluster is still on its way to {seen.wanted.version}",
            next_step="nothing to do; it is proposed when the update is completed",
        )
    return Decision(
        kind=Kind.PROPOSE,
        reason=Reason.IMAGE_READY,
        message=f"{seen.wanted.target} is built and not proposed yet",
    )


def _base(wanted: Wanted) -> str:
    return f"{wanted.version} ({wanted.base.digest.short})"
