"""What people tell us by comment, and who is obeyed."""

from datetime import UTC, datetime

import pytest

from layering.forge.commands import Verb, pending
from layering.forge.pullrequest import Comment

_AT = datetime(2026, 3, 1, tzinfo=UTC)


def _said(*comments: tuple[int, str, str]) -> list[Comment]:
    return [Comment(id=number, author=author, text=text, changed=_AT) for number, author, text in comments]


@pytest.mark.parametrize(
    ("comments", "handled", "expected"),
    [
        pytest.param([], 0, None, id="nothing was said"),
        pytest.param([(1, "maintainer", "/layerwatch rebase")], 0, (Verb.REBASE, 1), id="rebase"),
        pytest.param([(1, "maintainer", "/layerwatch ignore")], 0, (Verb.IGNORE, 1), id="ignore"),
        pytest.param(
            [(1, "maintainer", "Not now.\r\n/layerwatch ignore \r\nSorry.")], 0, (Verb.IGNORE, 1), id="a line"
        ),
        pytest.param([(1, "maintainer", "please /layerwatch ignore")], 0, None, id="in a sentence"),
        pytest.param([(1, "maintainer", "> /layerwatch ignore")], 0, None, id="quoted"),
        pytest.param([(1, "maintainer", "Say:\n```\n/layerwatch ignore\n```\n")], 0, None, id="shown in a fence"),
        pytest.param([(1, "maintainer", "Say:\n~~~ text\n/layerwatch ignore")], 0, None, id="in a fence without end"),
        pytest.param([(1, "maintainer", "````\n```\n/layerwatch ignore\n````")], 0, None, id="in a longer fence"),
        pytest.param([(1, "maintainer", "Say:\n\n    /layerwatch ignore")], 0, None, id="shown indented"),
        pytest.param([(1, "maintainer", "Say:\n\n\t/layerwatch ignore")], 0, None, id="shown behind a tab"),
        pytest.param([(1, "maintainer", "Hm.\n<!--\n/layerwatch ignore\n-->")], 0, None, id="where nobody sees it"),
        pytest.param([(1, "maintainer", "<!-- say\n/layerwatch ignore")], 0, None, id="hidden to the end"),
        pytest.param([(1, "maintainer", "<pre>\n/layerwatch ignore\n</pre>")], 0, None, id="shown by HTML"),
        pytest.param([(1, "maintainer", "No.\u2028/layerwatch ignore")], 0, None, id="on what looks like a line"),
        pytest.param(
            [(1, "maintainer", "```\nx\n```\n  /layerwatch ignore")], 0, (Verb.IGNORE, 1), id="after what is shown"
        ),
        pytest.param([(1, "maintainer", "/layerwatch ignore it")], 0, None, id="with more words"),
        pytest.param([(1, "maintainer", "/layerwatch merge")], 0, None, id="no such command"),
        pytest.param([(1, "stranger", "/layerwatch ignore")], 0, None, id="by somebody who may not push"),
        pytest.param([(1, "maintainer", "/layerwatch ignore")], 1, None, id="acted on before"),
        pytest.param(
            [(1, "maintainer", "/layerwatch ignore"), (2, "maintainer", "/layerwatch rebase")],
            0,
            (Verb.REBASE, 2),
            id="the newest counts",
        ),
        pytest.param(
            [(1, "maintainer", "/layerwatch ignore"), (2, "stranger", "/layerwatch rebase")],
            0,
            (Verb.IGNORE, 1),
            id="a stranger's does not hide it",
        ),
    ],
)
def test_command(comments: list[tuple[int, str, str]], handled: int, expected: tuple[Verb, int] | None) -> None:
    found = pending(
        _said(*comments), handled, lambda told: next((each for each in told if each.author == "maintainer"), None)
    )
    assert (found and (found.verb, found.comment.id)) == expected


@pytest.mark.parametrize(
    ("comments", "asked"),
    [
        pytest.param([(1, "reviewer", "Looks good.")], [], id="nobody commanded"),
        pytest.param([(1, "a", "/layerwatch ignore"), (2, "b", "Why?")], [[1]], id="who commanded nothing"),
        pytest.param([(8, "a", "/layerwatch ignore"), (9, "b", "/layerwatch ignore")], [[9, 8]], id="newest first"),
        pytest.param(
            [(6, "a", "/layerwatch ignore"), (7, "b", "/layerwatch ignore"), (8, "a", "/layerwatch rebase")],
            [[8, 7]],
            id="several of one",
        ),
        pytest.param([(1, "a", "/layerwatch ignore"), (2, "a", "Or not?")], [[1]], id="said more since"),
    ],
)
def test_who_is_asked_about(comments: list[tuple[int, str, str]], asked: list[list[int]]) -> None:
    heard: list[list[int]] = []
    pending(_said(*comments), 0, lambda told: heard.append([each.id for each in told]))
    assert heard == asked
