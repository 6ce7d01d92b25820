"""What a check found: a rule's name, how bad it is, and a sentence."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error` makes the check say no; `warning` and `info` are for the reader of the pull request."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was found."""

    rule: str
    severity: Severity
    message: str


def passed(findings: Iterable[Finding]) -> bool:
    """Whether nothing was found that must stop the image."""
    return all(finding.severity is not Severity.ERROR for finding in findings)
