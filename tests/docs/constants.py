"""docs/reference/exit-codes.md and reasons.md, from the enumerations and the comments beside their members."""

import inspect
import re
from collections.abc import Iterator, Sequence
from enum import Enum

from layering.errors import ExitCode
from layering.reasons import Reason
from pipeline.builders.refusal import RefusalReason
from tests.docs.markdown import code, page, table

_MEMBER = re.compile(r"    ([A-Z_0-9]+) = \S+(?:  # (.*))?")
_GROUP = re.compile(r"    # (.*)")


def exit_codes() -> str:
    """The page about exit codes."""
    rows = [(str(ExitCode[name].value), meaning) for _, name, meaning in _members(ExitCode)]
    return page(
        "Exit codes",
        "layering/errors.py",
        "Both commands, `layerwatch` and `layerwatch-step`, end with one of these. The message on stderr says what was "
        "wrong, where, what to do next, and a [reason](reasons.md).",
        table(["Code", "Who must act, and why"], rows),
        "`layerwatch check` answers with two codes more: 10, there is something to do, and 11, something is blocked or "
        "could not be told, which outweighs 10. `layerwatch run --once` ends with 0 when the tick did all it could, "
        "also when a proposal waits for a person, and with 11 when anything is blocked or unknown. "
        "`status` and `explain` only tell, and end with 0 whatever they find.",
    )


def reasons() -> str:
    """The page about reasons."""
    return page(
        "Reasons",
        "layering/reasons.py and pipeline/builders/refusal.py",
        "Why something was decided or refused. The same word stands in the table, the JSON, the log and the message.",
        *_sections(Reason),
        "## Why `compose` hands over to buildah",
        "`--builder auto` says one of these on stderr and uses buildah; `--builder compose` ends with it.",
        *_sections(RefusalReason, level=3),
    )


def _sections(constants: type[Enum], level: int = 2) -> Iterator[str]:
    members = list(_members(constants))
    for group in dict.fromkeys(group for group, _, _ in members):
        yield f"{'#' * level} {group.rstrip('.')}"
        yield _listed([(constants[name].value, meaning) for of, name, meaning in members if of == group])


def _listed(rows: Sequence[tuple[str, str]]) -> str:
    if not any(meaning for _, meaning in rows):
        return ", ".join(code(value) for value, _ in rows)
    return table(["Reason", "Means"], [(code(value), meaning) for value, meaning in rows])


def _members(constants: type[Enum]) -> Iterator[tuple[str, str, str]]:
    """Group, name and meaning of each member, in the order of the source."""
    group = ""
    for line in inspect.getsource(constants).splitlines():
        if match := _GROUP.fullmatch(line):
            group = match[1]
        elif match := _MEMBER.fullmatch(line):
            yield group, match[1], match[2] or ""
