"""The table of docs/pull-requests.md and the test's cases are the same rows, and say the same."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from layering.reasons import Reason
from tests.forges.test_judgement import CASES

_SECTION = re.compile(r"^## What becomes of it$(.*?)^## ", re.MULTILINE | re.DOTALL)
_SAID = {Reason.PROPOSAL_OPEN: Reason.AWAITING_APPROVAL}  # as open-pull-request calls it


def faults(page: Path) -> Iterator[str]:
    """What the page has and no case says, the other way round, and where they say different reasons."""
    section = _SECTION.search(page.read_text())
    rows = dict(map(_row, re.findall(r"^\|.*\|$", section[1] if section else "", re.MULTILINE)[2:]))
    judged = _cases()
    yield from (f"{page.name}: no test of {seen!r}" for seen in rows.keys() - judged.keys())
    yield from (f"{page.name}: no row for {seen!r}" for seen in judged.keys() - rows.keys())
    for seen in rows.keys() & judged.keys():
        if rows[seen] != judged[seen]:
            yield f"{page.name}: {seen!r} gives {judged[seen]}, not {rows[seen]}"


def _row(line: str) -> tuple[str, str | None]:
    """What is seen, and the reason."""
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    return cells[0], cells[2].strip("`") or None


def _cases() -> Mapping[str, str | None]:
    reasons = {case.seen: case.reason for case in CASES}
    return {seen: str(_SAID.get(reason, reason)) if reason else None for seen, reason in reasons.items()}
