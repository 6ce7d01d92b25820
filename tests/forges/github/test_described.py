"""What the tests' GitHub is asked and answers is held to GitHub's own description; what is not so fails the test."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from layering.errors import RefusedError
from tests.engines.actions_api import actions_served
from tests.forges.github.described import difference, operation
from tests.forges.github.server import NAME, TOKEN, add_repository, github_at
from tests.forges.github.state import Milestone
from tests.forges.github.test_github import Place, app, place  # noqa: F401 fixtures
from tests.git_http import Asked, Served
from tests.parts import require

PULLS = f"/repos/{NAME}/pulls"
RUNS = "/repos/acme/builds/actions/workflows/rebuild.yml"


@pytest.fixture(autouse=True)
def description() -> None:
    """Without it, nothing here is judged."""
    require("github-api")


def exchanged(asked: str, body: bytes, status: int, answer: bytes, kind: str = "application/json") -> list[str]:
    method, _, target = asked.partition(" ")
    headers = {"Content-Type": kind} if kind else {}
    return difference(
        Asked(method=method, target=f"/api/v3{target}", headers={"content-type": "application/json"}),
        body,
        Served(status=status, headers=headers, body=answer),
    )


ERROR = b'{"message": "no", "documentation_url": "https://docs.github.com/rest"}'


@pytest.mark.parametrize(
    ("asked", "body", "status", "answer", "told"),
    [
        pytest.param(
            f"POST {PULLS}",
            b'{"head": "h", "base": "b", "titel": ""}',
            422,
            ERROR,
            "'titel' was unexpected",
            id="field",
        ),
        pytest.param(
            f"POST {PULLS}",
            b'{"head": "h"}',
            422,
            ERROR,
            "'base' is a required property",
            id="a field that is not there",
        ),
        pytest.param(
            f"POST /repos/{NAME}/git/trees",
            b'{"tree": [{"path": "a", "mod": "100644"}]}',
            422,
            ERROR,
            "$.tree[0]: Additional properties are not allowed ('mod' was unexpected)",
            id="a field within",
        ),
        pytest.param(f"GET {PULLS}?stat=all", b"", 200, b"[]", "no parameter 'stat'", id="a misspelt parameter"),
        pytest.param(f"GET {PULLS}?state=every", b"", 200, b"[]", "'every' is not one of", id="a state that is none"),
        pytest.param("GET /repos/o/r/pull", b"", 200, b"[]", "there is none", id="a path that is none"),
        pytest.param(f"DELETE {PULLS}", b"", 200, b"[]", "there is none", id="a method that is none"),
        pytest.param(
            f"GET /repos/{NAME}/issues/1/comments", b"", 200, b"[{}]", "is a required property", id="an answer without"
        ),
        pytest.param(
            "GET /repos/o/r/git/ref/a",
            b"",
            200,
            b'{"ref": "a", "node_id": "", "url": "https://a/", "object": {"type": "commit", "sha": 1, "url": "https://a/"}}',
            "$.object.sha: 1 is not of type 'string'",
            id="a number for a text",
        ),
        pytest.param(f"GET {PULLS}", b"", 418, ERROR, "418", id="a status that is none of its own"),
        pytest.param(
            f"GET {PULLS}", b"", 422, b"{}", "'message' is a required property", id="an error that says nothing"
        ),
        pytest.param(
            f"POST {PULLS}", b'{"head": "h", "base": "b"}', 304, b"", "304", id="a write that is not modified"
        ),
        pytest.param(f"GET {PULLS}", b"", 304, b"[]", "has no body", id="the body of what is not modified"),
        pytest.param(
            f"POST {RUNS}/dispatches", b'{"ref": "main"}', 204, b"{}", "has no body", id="a body where none is"
        ),
        pytest.param(
            f"POST {RUNS}/dispatches",
            b'{"inputs": {}}',
            204,
            b"",
            "'ref' is a required property",
            id="a dispatch of none",
        ),
    ],
)
def test_what_is_not_as_described_is_seen(asked: str, body: bytes, status: int, answer: bytes, told: str) -> None:
    found = exchanged(asked, body, status, answer)
    assert told in "\n".join(found)
    assert all(line.startswith(asked.partition("?")[0]) for line in found)


def test_an_answer_that_says_of_no_kind_is_seen() -> None:
    assert exchanged(f"GET {PULLS}", b"", 200, b"[]", kind="text/html")
    assert exchanged(f"GET {PULLS}", b"", 200, b"[]", kind="")


@pytest.mark.parametrize(
    ("asked", "status", "answer"),
    [
        pytest.param(f"GET {PULLS}?state=all&per_page=100", 200, b"[]", id="a list"),
        pytest.param(f"GET /repos/{NAME}", 304, b"", id="what was there already"),
        pytest.param(f"GET {PULLS}", 401, ERROR, id="a wrong token"),
        pytest.param(f"GET {PULLS}", 404, ERROR, id="what may not be seen"),
    ],
)
def test_what_github_says_elsewhere_may_be(asked: str, status: int, answer: bytes) -> None:
    assert exchanged(asked, b"", status, answer) == []


def wrong_answer(root: Path) -> None:
    with github_at(root) as (github, api, address):
        add_repository(github, root)
        api.add("GET", "rate_limit", lambda call: {"resources": {}})
        requests.get(f"http://{address}/api/v3/rate_limit", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)


def wrong_request(root: Path) -> None:
    with github_at(root) as (github, _, address):
        add_repository(github, root)
        requests.get(f"http://{address}/api/v3/rate_limits", timeout=10)


def wrong_dispatch(root: Path) -> None:
    with actions_served() as actions:
        body = {"ref": "main", "input": {}, "inputs": {"request": '{"image": "i"}', "key": "k", "attempt": "1"}}
        requests.post(f"http://{actions.address}{RUNS}/dispatches", json=body, timeout=10)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param(wrong_answer, "GET /rate_limit 200: .* required property", id="an answer"),
        pytest.param(wrong_request, "GET /rate_limits: there is none", id="a request"),
        pytest.param(wrong_dispatch, "dispatches: .*'input' was unexpected", id="a dispatch"),
    ],
)
def test_it_fails_the_test_that_it_was_in(act: Callable[[Path], None], told: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=told):
        act(tmp_path)


def test_a_test_that_failed_is_told_what_was_not_as_described(tmp_path: Path) -> None:
    def fail() -> None:
        with github_at(tmp_path) as (_, _, address):
            requests.get(f"http://{address}/api/v3/nowhere", timeout=10)
            raise ValueError("the test's own")

    with pytest.raises(AssertionError, match="there is none") as caught:
        fail()
    assert isinstance(caught.value.__context__, ValueError)


OPERATIONS = [  # besides those of GitHub Actions
    "GET /app",
    "GET /repos/{owner}/{repo}",
    "GET /repos/{owner}/{repo}/collaborators",
    "GET /repos/{owner}/{repo}/collaborators/{username}/permission",
    "GET /repos/{owner}/{repo}/compare/{basehead}",
    "GET /repos/{owner}/{repo}/installation",
    "GET /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "GET /repos/{owner}/{repo}/milestones",
    "GET /repos/{owner}/{repo}/pulls",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}",
    "GET /users/{username}",
    "PATCH /repos/{owner}/{repo}/issues/{issue_number}",
    "PATCH /repos/{owner}/{repo}/pulls/{pull_number}",
    "POST /app/installations/{installation_id}/access_tokens",
    "POST /repos/{owner}/{repo}/git/commits",
    "POST /repos/{owner}/{repo}/git/trees",
    "POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/assignees",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/labels",
    "POST /repos/{owner}/{repo}/pulls",
    "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
]


def test_what_an_apps_proposal_asks_in_its_whole_life(place: Place, app: Any) -> None:  # noqa: F811
    operations, answer = set(), place.api.answer

    def heard(asked: Asked, body: bytes, site: str) -> Served:
        operations.add(operation(asked))
        return answer(asked, body, site)

    place.api.answer = heard  # type: ignore[method-assign]
    place.found.milestones.append(Milestone(number=3, title="4.19"))
    place.found.teams.append("os")
    app.tells_repositories, place.found.archived = False, True
    with pytest.raises(RefusedError, match="archived"):
        place.propose()
    app.tells_repositories, place.found.archived = True, False
    place.propose()
    place.found.pulls.clear()  # as after a crash between the branch and the pull request
    people = ("pat", "team:os", "nobody")
    place.propose(labels=("a",), reviewers=people, assignees=("pat",), milestone="4.19", draft=True)
    place.propose("2", assignees=("pat",))
    place.found.origin.commit({"notes.txt": "mine\n"}, branch="layerwatch/prod/worker")
    place.propose("3")
    for command in ("rebase", "ignore"):
        place.github.ahead += timedelta(minutes=1)
        place.github.say(place.found.pulls[0], place.github.user("pat"), f"/layerwatch {command}")
        place.propose("3")
    assert place.settings.app is not None
    place.settings = replace(place.settings, app=replace(place.settings.app, installation=7))
    place.found.pulls.clear()
    place.propose("3")
    assert sorted(operations) == OPERATIONS
