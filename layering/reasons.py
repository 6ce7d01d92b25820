"""Why something was decided or refused: one constant per reason.

The same word stands in the log, the table, the JSON, the exit message and `explain`, so that a search for it finds
everything. A reason is here only when something in this code can give it.
"""

from enum import StrEnum


class Reason(StrEnum):
    """One CamelCase constant; its value is what people and machines read."""

    # The image is what it should be.
    MATCHES_BASE = "MatchesBase"

    # A rebuild is due.
    BASE_CHANGED = "BaseChanged"
    SOURCE_CHANGED = "SourceChanged"
    NEVER_BUILT = "NeverBuilt"

    # A proposal is due, or waits for a person.
    IMAGE_READY = "ImageReady"
    PROPOSAL_OPEN = "ProposalOpen"
    ALREADY_ON_BASE = "AlreadyOnBase"

    # Held: nothing is wrong, and nothing is done.
    UPDATE_IN_PROGRESS = "UpdateInProgress"
    OLDER_THAN_RUNNING = "OlderThanRunning"
    EDITED_BY_PERSON = "EditedByPerson"
    CLOSED_BY_PERSON = "ClosedByPerson"
    IGNORED_BY_COMMAND = "IgnoredByCommand"

    # Blocked: a person must act.
    INPUT_INVALID = "InputInvalid"
    BASE_NOT_FOUND = "BaseNotFound"
    BASE_AMBIGUOUS = "BaseAmbiguous"
    CONTENT_INVALID = "ContentInvalid"
    BUILD_FAILED = "BuildFailed"
    BUILD_MISCONFIGURED = "BuildMisconfigured"
    CHECK_FAILED = "CheckFailed"
    CONFLICT_ON_BASE = "ConflictOnBase"
    TAG_TAKEN = "TagTaken"
    REVERTED = "Reverted"
    REGISTRY_REFUSED = "RegistryRefused"
    SOURCE_REFUSED = "SourceRefused"
    FORGE_REFUSED = "ForgeRefused"

    # Unknown: it could not be told this time.
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    FORGE_UNREACHABLE = "ForgeUnreachable"
    UNREACHABLE = "Unreachable"
    STATUS_NOT_OBSERVED = "StatusNotObserved"

    # Ourselves.
    DEFECT = "Defect"
