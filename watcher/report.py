"""What a tick decided, for people and for machines: a table, JSON, one log line per change.

The words are the decision's own; this module only lays them out. It writes nowhere.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from layering.outcome import shown
from layering.request import API_VERSION
from watcher.decision import Decision, Kind
from watcher.world import Failure, Observation, Subject

_NOTHING_TO_DO = {Kind.UP_TO_DATE, Kind.BUILDING, Kind.AWAITING_APPROVAL, Kind.ROLLING_OUT, Kind.HELD}
_LOGGED_LENGTH_MAX = 300
COLOURS = {
    Kind.UP_TO_DATE: "32",
    Kind.REBUILD: "36",
    Kind.BUILDING: "36",
    Kind.PROPOSE: "36",
    Kind.ROLLING_OUT: "36",
    Kind.AWAITING_APPROVAL: "33",
    Kind.HELD: "33",
    Kind.BLOCKED: "31",
    Kind.UNKNOWN: "35",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One image and pool, what was seen of it, and what was decided."""

    subject: Subject
    seen: Observation | Failure
    decision: Decision


def check_exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 nothing to do, 10 something to do, 11 something blocked or unknown (which outweighs 10)."""
    kinds = {verdict.decision.kind for verdict in verdicts}
    if kinds & {Kind.BLOCKED, Kind.UNKNOWN}:
        return 11
    return 10 if kinds - _NOTHING_TO_DO else 0


def tick_exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 when the tick did all it could, also when a proposal waits for a person; 11 when something is in the way."""
    return 11 if check_exit_code(verdicts) == 11 else 0


def document(kind: str, verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """The JSON of `check` (kind Check) and `run --once` (kind Tick), in the configuration's order."""
    return {"apiVersion": API_VERSION, "kind": kind, "images": [entry(verdict) for verdict in verdicts]}


def entry(verdict: Verdict) -> dict[str, Any]:
    """One verdict as it stands in the JSON of every command."""
    subject, seen, decision = verdict.subject, verdict.seen, verdict.decision
    base = str(seen.wanted.base.reference) if isinstance(seen, Observation) else None
    proposal = seen.proposal if isinstance(seen, Observation) else None
    return {
        "name": subject.image,
        "cluster": subject.cluster,
        "pool": subject.pool,
        "decision": decision.kind.value,
        "reason": decision.reason.value,
        "message": decision.message,
        "nextStep": decision.next_step,
        "base": base,
        "pull_request": proposal.own_page if proposal else None,
    }


def as_json(kind: str, verdicts: Iterable[Verdict]) -> str:
    """`document`, printed."""
    return json.dumps(document(kind, verdicts), indent=2, ensure_ascii=False) + "\n"


def as_table(verdicts: Sequence[Verdict], *, colour: bool = False) -> str:
    """One line per image and pool, its message below, and the next step when there is one."""
    if not verdicts:
        return "no images are configured\n"
    rows = [(v.subject.image, place(v.subject), v.decision.kind.value, v.decision.reason.value) for v in verdicts]
    header = ("IMAGE", "POOL", "DECISION", "REASON")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(4)]
    lines = [_row(header, widths)]
    for row, verdict in zip(rows, verdicts, strict=True):
        decision = verdict.decision
        lines.append(_row(row, widths, COLOURS[decision.kind] if colour else None))
        lines.extend(f"    {line}" for line in shown(decision.message).splitlines())
        if decision.next_step:
            lines.append(f"    next: {shown(decision.next_step)}")
    return "\n".join(lines) + "\n"


def place(subject: Subject) -> str:
    """Cluster and pool, or a dash."""
    return f"{subject.cluster}/{subject.pool}" if subject.pool else "-"


def _row(cells: Sequence[str], widths: Sequence[int], decision_colour: str | None = None) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    if decision_colour:
        padded[2] = f"\033[{decision_colour}m{padded[2]}\033[0m"
    return "  ".join(padded).rstrip()


def _in_one_line(message: str) -> str:
    """The whole of it when it is short; of a build's log the end says why it failed."""
    line = " ".join(message.split())
    if len(line) <= _LOGGED_LENGTH_MAX:
        return line
    said, _, more = message.partition("\n")
    return f"{said} … {' '.join(more.split())[-_LOGGED_LENGTH_MAX:]}" if more else line


def log_line(verdict: Verdict) -> str:
    """The decision as one line, reason constant included, so that a search for the reason finds it."""
    decision = verdict.decision
    line = f"{verdict.subject}: {decision.kind} {decision.reason}: {_in_one_line(decision.message)}"
    return f"{line}; next: {decision.next_step}" if decision.next_step else line
