"""Why something was decided or refused: one constant per reason.

The same word stands in the log, the table, the JSON, the exit message and `explain`, so that a search for it finds
everything. A reason is here only when something in this code can give it; docs/reference/reasons.md is made from the
comments.
"""

from enum import StrEnum


class Reason(StrEnum):
    """One CamelCase constant; its value is what people and machines read."""

    # The image is what it should be.
    MATCHES_BASE = "MatchesBase"  # git pins an image built FROM the base it should have

    # A rebuild is due.
    BASE_CHANGED = "BaseChanged"  # git pins an image built FROM another base
    SOURCE_CHANGED = "SourceChanged"  # the base is right; Containerfile, context or build arguments changed
    NEVER_BUILT = "NeverBuilt"  # git pins no image of ours

    # The build is under way.
    BUILD_RUNNING = "BuildRunning"  # a run builds the image; look at it again later

    # A proposal is due, or waits for a person.
    IMAGE_READY = "ImageReady"  # the image is in the registry and not proposed yet
    PROPOSAL_OPEN = "ProposalOpen"  # the proposal waits for a person to merge it
    AWAITING_APPROVAL = "AwaitingApproval"  # the same, as open-pull-request calls it
    ALREADY_ON_BASE = "AlreadyOnBase"  # the branch it would be proposed into already pins this digest

    # Merged: the cluster is putting it on its nodes.
    MERGED_NOT_APPLIED = "MergedNotApplied"  # git pins the image, and the pool's configuration does not name it yet
    POOL_UPDATING = "PoolUpdating"  # the pool's nodes are being moved to the image

    # Held: nothing is wrong, and nothing is done.
    UPDATE_IN_PROGRESS = "UpdateInProgress"  # the image is ready; it is proposed when the cluster's update is completed
    OLDER_THAN_RUNNING = "OlderThanRunning"  # the cluster asks for an older version than git pins; a person decides
    POOL_PAUSED = "PoolPaused"  # the image is merged; the pool is paused, so its nodes stay where they are
    BUILD_CANCELLED = "BuildCancelled"  # somebody cancelled the build; re-run it there, or delete its PipelineRun
    BACK_OFF = "BackOff"  # the build failed; it is tried again after a while
    EDITED_BY_PERSON = "EditedByPerson"  # somebody else's commit is on the proposal's branch; it is theirs now
    CLOSED_BY_PERSON = "ClosedByPerson"  # this proposal was refused: closed, or its branch deleted, unmerged
    IGNORED_BY_COMMAND = "IgnoredByCommand"  # this proposal was refused with /layerwatch ignore
    OUTSIDE_WINDOW = "OutsideWindow"  # proposals are opened, or moved to a newer image, in their window only
    TOO_MANY_OPEN = "TooManyOpen"  # as many proposals are open in the repository as the forge's maxOpen allows

    # Blocked: a person must act.
    INPUT_INVALID = "InputInvalid"  # something we were given cannot be used as it stands
    BASE_NOT_FOUND = "BaseNotFound"  # the release, its tag or the followed image is not there
    BASE_AMBIGUOUS = "BaseAmbiguous"  # several FROMs could be the base; say which one with match
    CONTENT_INVALID = "ContentInvalid"  # content is not what it claims to be: digest, size, format, pinning
    RELEASE_UNVERIFIED = "ReleaseUnverified"  # the release has no valid signature by the keys that must have signed it
    BUILD_FAILED = "BuildFailed"  # an instruction of the Containerfile failed
    BUILD_WITHOUT_IMAGE = "BuildWithoutImage"  # the build says that it succeeded, and its image is not in the registry
    BUILD_MISCONFIGURED = "BuildMisconfigured"  # the Containerfile or its context cannot be built as it stands
    POOL_LAYERED_BY_MACHINE_OS_CONFIG = "PoolLayeredByMachineOSConfig"  # the cluster itself layers it
    STREAM_DISAGREEMENT = "StreamDisagreement"  # the payload's tag is none of the cluster's OS image streams
    POOL_STREAM_SET = "PoolStreamSet"  # the pool names an OS image stream, which excludes an osImageURL
    OVERRIDDEN_ELSEWHERE = "OverriddenElsewhere"  # another MachineConfig sets osImageURL and wins over the proposed one
    POOL_MISSING = "PoolMissing"  # the cluster has no such MachineConfigPool
    POOL_DEGRADED = "PoolDegraded"  # the image is merged, and nodes of the pool cannot apply it
    ARCHITECTURE_MISSING = "ArchitectureMissing"  # the pool has nodes of an architecture the image is not built for
    CHECK_FAILED = "CheckFailed"  # the built image did not pass check-image
    CONFLICT_ON_BASE = "ConflictOnBase"  # the line that the proposal changes was changed by somebody else
    TAG_TAKEN = "TagTaken"  # the target tag names an image of another build; tags are never moved
    REVERTED = "Reverted"  # this image was merged and then taken back; it is not proposed again
    REGISTRY_REFUSED = "RegistryRefused"  # a registry said no: authentication, permission, trust
    SOURCE_REFUSED = "SourceRefused"  # the source repository said no, or has no such commit or path
    FORGE_REFUSED = "ForgeRefused"  # the forge said no

    # Unknown: it could not be told this time.
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"  # a registry failed for now
    SOURCE_UNAVAILABLE = "SourceUnavailable"  # the source repository failed for now
    FORGE_UNREACHABLE = "ForgeUnreachable"  # the forge failed for now
    UNREACHABLE = "Unreachable"  # the cluster could not be read
    TIMED_OUT = "TimedOut"  # the cluster did not answer in time
    THROTTLED = "Throttled"  # the cluster asks for fewer requests
    UNAUTHORIZED = "Unauthorized"  # the cluster does not take our token
    FORBIDDEN = "Forbidden"  # the cluster does not let us read this
    API_MISSING = "ApiMissing"  # the cluster has no such API; it may be plain Kubernetes
    NOT_FOUND = "NotFound"  # the cluster has the API, and no such object
    STATUS_NOT_OBSERVED = "StatusNotObserved"  # the cluster has not said yet what it runs

    # Ourselves.
    CONFIG_INVALID = "ConfigInvalid"  # the configuration changed and cannot be used; the one before stays in force
    DEFECT = "Defect"  # a defect of layerwatch; please report it
