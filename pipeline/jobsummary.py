"""What a step's outputs are to the reader of a GitHub Actions job: a section of its summary, findings as annotations.

Made of the JSON that the step printed, so that no step knows of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from layering.comparison_text import as_markdown
from layering.findings import Finding, Severity
from layering.githubactions import Level, annotate, summarize
from layering.markdown import code, table
from layering.outcome import shown
from pipeline.evidence_files import read_comparison, read_findings

_LEVELS: Mapping[Severity, Level] = {Severity.WARNING: "warning", Severity.INFO: "notice"}
_TOLD = ("image", "digest", "key", "base", "release", "state", "reason", "branch", "pull_request", "changed", "file")
_TEXT_LENGTH_MAX = 500

Document = Mapping[str, Any]


def tell(command: str, document: Document, exit_code: int) -> None:
    """Annotate the findings, fail when `exit_code` says so, and append what a person reads to the job's summary."""
    findings = _findings(document)
    for finding in findings:
        if finding.severity in _LEVELS:
            annotate(_LEVELS[finding.severity], finding.rule, shown(finding.message))
    if exit_code:
        annotate("error", command, _why(findings, exit_code))
    summarize(section(command, document, exit_code))


def section(command: str, document: Document, exit_code: int) -> str:
    """Markdown: the outputs people ask for, the findings, and what differs from the image before."""
    facts = [(name, code(str(document[name]), _TEXT_LENGTH_MAX)) for name in _TOLD if document.get(name) is not None]
    found = [(each.severity, code(each.rule), code(each.message, _TEXT_LENGTH_MAX)) for each in _findings(document)]
    parts = [
        f"### {command}" + (" failed" if exit_code else ""),
        table(("Output", "Value"), facts) if facts else "",
        table(("Severity", "Finding", "What was found"), found) if found else "",
        _compared(document),
    ]
    return "\n\n".join(filter(None, parts))


def _why(findings: Sequence[Finding], exit_code: int) -> str:
    errors = [f"{each.rule}: {each.message}" for each in findings if each.severity is Severity.ERROR]
    return shown("\n".join(errors) or f"it ended with exit code {exit_code}")


def _findings(document: Document) -> Sequence[Finding]:
    """Those of check-image, or of the run that it was a part of."""
    told = document.get("check-image", document)
    return read_findings(told) if told.get("findings") else ()


def _compared(document: Document) -> str:
    told = document.get("compare-images", document)
    if not told or "same_content" not in told:
        return ""
    return f"#### What differs\n\n{as_markdown(read_comparison(told))}"
