"""What was decided about one image: a word, a reason, a sentence for people. How it is reached stands in decide.py."""

from dataclasses import dataclass
from enum import StrEnum

from layering.reasons import Reason


class Kind(StrEnum):
    """What is to be done, in one word."""

    UP_TO_DATE = "UpToDate"
    REBUILD = "Rebuild"
    BUILDING = "Building"
    PROPOSE = "Propose"
    AWAITING_APPROVAL = "AwaitingApproval"
    ROLLING_OUT = "RollingOut"
    HELD = "Held"
    BLOCKED = "Blocked"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One decision with its reason, a sentence for people, and what a person could do next (or an empty text)."""

    kind: Kind
    reason: Reason
    message: str
    next_step: str = ""
