"""What an answer may not have in the places of a pull request and of a comment."""

from datetime import UTC, datetime
from typing import Any

import pytest

from layering.forge.pullrequest import Comment, PullRequest, PullState

AT = datetime(2026, 3, 1, tzinfo=UTC)
NO_TEXTS: list[Any] = [None, 1, []]
PULL: dict[str, Any] = {
    "number": 1,
    "url": "https://forge.example.com/1",
    "title": "t",
    "body": "",
    "state": PullState.OPEN,
    "draft": False,
    "head": "layerwatch/prod/worker",
    "head_commit": "a" * 40,
    "base": "main",
    "updated": AT,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("url", "title", "body", "head", "head_commit", "base") for value in NO_TEXTS),
        *(("number", value) for value in (None, "../../user", 1.0, True)),
        ("clone_url", 7),
        ("labels", (None,)),
    ],
    ids=str,
)
def test_a_pull_request(name: str, value: Any) -> None:
    PullRequest(**PULL)
    with pytest.raises(TypeError):
        PullRequest(**{**PULL, name: value})


@pytest.mark.parametrize(("name", "value"), [("id", "1"), ("author", None), ("author_id", "1"), ("text", {})])
def test_a_comment(name: str, value: Any) -> None:
    with pytest.raises(TypeError):
        Comment(**{"id": 1, "author": "a", "text": "", "changed": AT, name: value})
