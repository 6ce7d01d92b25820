"""What can go wrong, who must act, and the exit code that says so.

An error is data: what was wrong, where, what to do next, a reason constant, and one exit code from the table in
docs/reference/exit-codes.md. Texts pass through `redact`, so that no error can show a credential that came with a URL.
This module does not print and does not exit; the two command lines do.
"""

from enum import IntEnum
from typing import ClassVar

from layering.reasons import Reason
from layering.secrets import redact


class ExitCode(IntEnum):
    """Who must act: nobody, us, the input, the remote, someone else, or a person who reads the findings."""

    DONE = 0  # everything that was asked for is done
    DEFECT = 1  # a defect of layerwatch; please report it
    BAD_INPUT = 2  # input or configuration cannot be used as it stands
    REFUSED = 3  # a remote refused: authentication, permission, trust, not found
    UNAVAILABLE = 4  # a remote failed for now; the same call may succeed later
    NOT_AS_CLAIMED = 5  # content is not what it claims to be: digest, size, signature, format
    CONFLICT = 6  # somebody else changed the same thing
    CHECK_SAID_NO = 7  # a check said no, or the user's own build failed


class LayerwatchError(Exception):
    """The base of every error this project raises on purpose; raise one of its subclasses.

    `member`: which of several that share a proposal it is about (`ProposalTarget.member`), when it is about one.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.DEFECT
    default_reason: ClassVar[Reason] = Reason.DEFECT
    member: str | None = None

    def __init__(self, what: str, *, where: str = "", next_step: str = "", reason: Reason | None = None) -> None:
        self.what = _told(what)
        self.where = _told(where)
        self.next_step = _told(next_step)
        self.reason = reason or self.default_reason
        super().__init__(self.what)

    def __str__(self) -> str:
        located = f"{self.where}: {self.what}" if self.where else self.what
        return f"{located}\n  next: {self.next_step}" if self.next_step else located


def _told(text: str) -> str:
    """Without credentials, and such that it can be written: bytes of a name that are no UTF-8 are spelt out."""
    return redact(text).encode(errors="backslashreplace").decode()


class InputError(LayerwatchError):
    """What we were given cannot be used as it stands (exit 2)."""

    exit_code = ExitCode.BAD_INPUT
    default_reason = Reason.INPUT_INVALID


class RefusedError(LayerwatchError):
    """The remote said no: authentication, permission, trust (exit 3)."""

    exit_code = ExitCode.REFUSED
    default_reason = Reason.REGISTRY_REFUSED


class NotFoundError(RefusedError):
    """The remote says that there is no such thing (exit 3)."""


class UnavailableError(LayerwatchError):
    """The remote failed for now; the same call may succeed later (exit 4)."""

    exit_code = ExitCode.UNAVAILABLE
    default_reason = Reason.REGISTRY_UNAVAILABLE


class ContentError(LayerwatchError):
    """Content is not what it claims to be: digest, size, format, pinning (exit 5)."""

    exit_code = ExitCode.NOT_AS_CLAIMED
    default_reason = Reason.CONTENT_INVALID


class ConflictError(LayerwatchError):
    """Somebody else changed the same thing (exit 6)."""

    exit_code = ExitCode.CONFLICT
    default_reason = Reason.CONFLICT_ON_BASE


class CheckError(LayerwatchError):
    """A check, or the user's own build, said no (exit 7)."""

    exit_code = ExitCode.CHECK_SAID_NO
    default_reason = Reason.CHECK_FAILED
