"""What a tick decided, to the reader of a GitHub Actions job: a table in its summary, and what needs somebody, marked.

The words are the decisions' own.
"""

from collections.abc import Sequence

from layering.githubactions import annotate, summarize
from layering.markdown import code, table
from layering.outcome import shown
from watcher.decision import Kind
from watcher.report import Verdict, place

_STUCK = {Kind.BLOCKED, Kind.UNKNOWN}
_TEXT_LENGTH_MAX = 500


def tell(command: str, verdicts: Sequence[Verdict]) -> None:
    """One annotation for all that is blocked or unknown, and one row of the summary for each image and pool."""
    stuck = [verdict for verdict in verdicts if verdict.decision.kind in _STUCK]
    if stuck:
        annotate("error", command, shown("\n".join(map(_why, stuck))))
    summarize(section(command, verdicts))


def section(command: str, verdicts: Sequence[Verdict]) -> str:
    """Markdown: every image and pool with its decision."""
    rows = [
        (code(each.subject.image), code(place(each.subject)), each.decision.kind, each.decision.reason, _message(each))
        for each in verdicts
    ]
    title = f"### {command}"
    return f"{title}\n\n{table(('Image', 'Pool', 'Decision', 'Reason', 'Why'), rows) if rows else 'Nothing to watch.'}"


def _message(verdict: Verdict) -> str:
    decision = verdict.decision
    text = f"{decision.message}; next: {decision.next_step}" if decision.next_step else decision.message
    return code(shown(text), _TEXT_LENGTH_MAX)


def _why(verdict: Verdict) -> str:
    decision = verdict.decision
    line = f"{verdict.subject}: {decision.kind} {decision.reason}: {decision.message}"
    return f"{line}\n  next: {decision.next_step}" if decision.next_step else line
