"""What people tell us by comment: `/layerwatch rebase` and `/layerwatch ignore`, alone on a line.

Only somebody who may push is obeyed; from anybody else it is nothing. Nothing is asked and nothing is done here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from layering.forge.pullrequest import Comment

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(pre|script|style|textarea)\b.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_INDENTED = re.compile(r" {4}| {0,3}\t")


class Verb(StrEnum):
    """What can be told."""

    REBASE = "/layerwatch rebase"  # the branch is ours again: one commit on the current tip
    IGNORE = "/layerwatch ignore"  # close it, and do not propose this key again


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command that was not acted on yet."""

    verb: Verb
    comment: Comment


def pending(
    comments: Iterable[Comment], handled: int, first_by_a_pusher: Callable[[Sequence[Comment]], Comment | None]
) -> Command | None:
    """The newest command after the comment `handled` (its id) by somebody who may push; None when there is none.

    `first_by_a_pusher` (see Host) is asked once, about the newest command of each who wrote one, newest first.
    """
    newest: dict[str, Command] = {}
    for comment in sorted(comments, key=lambda each: each.id, reverse=True):
        is_new = comment.id > handled and comment.author not in newest
        if is_new and (verb := _verb(comment.text)) is not None:
            newest[comment.author] = Command(verb=verb, comment=comment)
    found = first_by_a_pusher([each.comment for each in newest.values()]) if newest else None
    return newest[found.author] if found is not None else None


def _verb(text: str) -> Verb | None:
    """The last one of a comment: who shows a command in code, or hides it, does not give it."""
    lines = [line.strip() for line in _spoken_lines(text)]
    return next((Verb(line) for line in reversed(lines) if line in set(Verb)), None)


def _spoken_lines(text: str) -> Iterator[str]:
    """Without code blocks, fenced or indented, HTML comments, and what HTML shows as it is.

    CommonMark 0.31: 4.4, 4.5, 4.6. Lines end as there (2.1), and nowhere else.
    """
    fence = ""
    for line in _LINE_END.split(_HIDDEN.sub("", text)):
        mark = _FENCE.match(line)
        if fence:
            is_its_end = mark is not None and mark[1].startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if is_its_end else fence
        elif mark is not None:
            fence = mark[1]
        elif not _INDENTED.match(line):
            yield line
