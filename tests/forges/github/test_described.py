"""Every request we send to GitHub, and every answer of the tests' GitHub, is as GitHub's own description says."""

import pytest
from openapi_core.exceptions import OpenAPIError

from tests.forges.github.described import check
from tests.forges.github.state import Milestone
from tests.forges.github.test_github import Place, app, place  # noqa: F401 fixtures
from tests.git_http import Asked, Served


class Judge:
    """Keeps what was asked and answered; judged afterwards, so that no failure is swallowed by the server's thread."""

    def __init__(self) -> None:
        self.heard: list[tuple[Asked, bytes, Served]] = []

    def judge(self) -> int:
        for asked, body, served in self.heard:
            try:
                check(asked, body, served)
            except OpenAPIError as error:
                raise AssertionError(
                    f"{asked.method} {asked.target} {body!r} {served.status}: {error.__cause__!r}"
                ) from error
        return len(self.heard)


@pytest.fixture
def judge(place: Place) -> Judge:  # noqa: F811
    made, answer = Judge(), place.api.answer

    def heard(asked: Asked, body: bytes, site: str) -> Served:
        served = answer(asked, body, site)
        made.heard.append((asked, body, served))
        return served

    place.api.answer = heard  # type: ignore[method-assign]
    return made


def test_a_proposals_whole_life(place: Place, judge: Judge) -> None:  # noqa: F811
    place.found.milestones.append(Milestone(number=3, title="4.19"))
    place.propose(labels=("a",), reviewers=("pat", "nobody"), assignees=("pat",), milestone="4.19", draft=True)
    place.propose()
    place.found.origin.commit({"notes.txt": "mine\n"}, branch="layerwatch/prod/worker")
    place.propose("2")
    place.github.say(place.found.pulls[0], place.github.user("pat"), "/layerwatch rebase")
    place.propose("2")
    place.github.say(place.found.pulls[0], place.github.user("pat"), "/layerwatch ignore")
    place.propose("2")
    assert judge.judge() > 20


def test_an_apps_proposal(place: Place, judge: Judge, app: object) -> None:  # noqa: F811
    place.propose()
    place.propose("2")
    assert judge.judge() > 20


@pytest.mark.parametrize(
    ("asked", "body", "answered"),
    [
        pytest.param("POST /repos/o/r/pulls", b'{"head": "h", "base": "b", "titel": ""}', b"{}", id="a wrong field"),
        pytest.param("GET /repos/o/r/pulls?stat=all", b"", b"[]", id="a misspelt parameter"),
        pytest.param("GET /repos/o/r/pulls?state=every", b"", b"[]", id="a state that is none"),
        pytest.param("GET /repos/o/r/pulls", b"", b'[{"number": "1"}]', id="a number as text"),
        pytest.param("GET /repos/o/r/pull", b"", b"[]", id="a path that is none"),
    ],
)
def test_what_is_wrong_is_seen(asked: str, body: bytes, answered: bytes) -> None:
    method, _, target = asked.partition(" ")
    with pytest.raises((OpenAPIError, AssertionError)):
        check(
            Asked(method=method, target=f"/api/v3{target}", headers={}),
            body,
            Served(status=201 if method == "POST" else 200, body=answered),
        )
