"""Why a Containerfile cannot be composed: one constant per reason, and the line.

A refusal is not an error: `auto` hands over to buildah and says why. Only `--builder compose` turns it into one.
"""

from dataclasses import dataclass
from enum import StrEnum


class RefusalReason(StrEnum):
    """What stands against a proof that the composed image equals buildah's."""

    # What the Containerfile asks for.
    INSTRUCTION_NOT_COMPOSABLE = "InstructionNotComposable"
    SEVERAL_STAGES = "SeveralStages"
    FROM_NOT_COMPOSABLE = "FromNotComposable"
    FLAG_NOT_COMPOSABLE = "FlagNotComposable"
    ARGUMENTS_NOT_COMPOSABLE = "ArgumentsNotComposable"
    VARIABLE_NOT_COMPOSABLE = "VariableNotComposable"
    OWNER_BY_NAME = "OwnerByName"
    WORKDIR_OF_USER = "WorkdirOfUser"

    # What it copies.
    SOURCE_NOT_LOCAL = "SourceNotLocal"
    SOURCE_PATTERN = "SourcePattern"
    SOURCE_IS_SYMLINK = "SourceIsSymlink"
    SOURCE_IS_ARCHIVE = "SourceIsArchive"
    SOURCE_IS_SPECIAL = "SourceIsSpecial"
    IGNORE_FILE = "IgnoreFile"

    # Where to.
    DESTINATION_UNDECIDED = "DestinationUndecided"
    DESTINATION_THROUGH_SYMLINK = "DestinationThroughSymlink"
    DESTINATION_OF_OTHER_KIND = "DestinationOfOtherKind"
    DIRECTORY_UNKNOWN = "DirectoryUnknown"

    # The base.
    BASE_CONFIG_NOT_COMPOSABLE = "BaseConfigNotComposable"
    BASE_LAYER_NOT_READABLE = "BaseLayerNotReadable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One reason, the line it stands on (0 when it is the base's), and a sentence for people."""

    reason: RefusalReason
    line: int
    detail: str

    def __str__(self) -> str:
        place = f" (line {self.line})" if self.line else ""
        return f"{self.reason}{place}: {self.detail}"


class Refused(Exception):  # noqa: N818 not an error: the other builder takes over
    """Carries one refusal to whoever collects them."""

    def __init__(self, reason: RefusalReason, detail: str, line: int = 0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.line = line

    def at(self, line: int) -> Refusal:
        """The refusal, put on `line` unless it already names one."""
        return Refusal(reason=self.reason, line=self.line or line, detail=self.detail)
