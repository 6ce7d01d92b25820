"""HTTP with one forge: what is waited for, what is not, what is never sent twice, and what nobody is shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from layering.errors import InputError, LayerwatchError, NotFoundError, RefusedError, UnavailableError
from layering.forge.credentials import TokenCredentials
from layering.forge.exchange import Exchange, LostAnswerError, Sent
from layering.forge.patience import Patience
from layering.forge.settings import ForgeSettings, Kind
from layering.reasons import Reason
from tests.forges.scripted import DROPPED, Scripted, served
from tests.registry.test_dripping import dripping

TOKEN = "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@dataclass(kw_only=True)
class Place:
    """An exchange with a scripted forge. Its patience has a clock of its own, which only waiting moves."""

    script: Scripted
    exchange: Exchange
    token_file: Path
    sent: list[Sent]
    waited: list[float]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    token_file, sent, waited = tmp_path / "token", list[Sent](), list[float]()
    token_file.write_text(f"{TOKEN}\n")
    with served() as script:
        settings = ForgeSettings(name="f", kind=Kind.GITHUB, url=f"http://{script.address}/api", token_file=token_file)
        patience = Patience(60.0, sleep=waited.append, clock=lambda: sum(waited))
        exchange = Exchange(settings, TokenCredentials(settings), headers={}, on_request=sent.append, patience=patience)
        exchange.begin()
        yield Place(script=script, exchange=exchange, token_file=token_file, sent=sent, waited=waited)
        exchange.close()


@pytest.mark.parametrize("token", [TOKEN, "0123456789abcdef" * 2 + "01234567"], ids=["GitHub's", "of no known shape"])
def test_the_token_is_sent_and_never_shown(place: Place, token: str) -> None:
    place.token_file.write_text(f"{token}\n")
    place.script.say(422, {"message": f"what is {token}?"})
    with pytest.raises(InputError) as caught:
        place.exchange.get("repos/o/r")
    assert place.script.asked[0][2]["Authorization"] == f"Bearer {token}"
    shown = f"{caught.value} {caught.value!r} {place.sent} {place.exchange!r}"
    assert token not in shown
    assert "what is ***?" in shown


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, DROPPED])
def test_a_read_that_fails_for_now_is_asked_again(place: Place, status: int, caplog: pytest.LogCaptureFixture) -> None:
    place.script.say(status)
    place.script.say(status)
    place.script.say(200, {"id": 1})
    assert place.exchange.get("repos/o/r").json == {"id": 1}
    assert len(place.waited) == 2
    assert ["; trying again for up to " in record.message for record in caplog.records] == [True, True]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_without_a_token_it_says_where_one_could_be(place: Place, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAYERWATCH_FORGE_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    settings = ForgeSettings(name="f", kind=Kind.GITHUB, url=f"http://{place.script.address}/api")
    place.script.say(status, {"message": "Not Found"})
    exchange = Exchange(settings, TokenCredentials(settings), headers={}, patience=Patience(1.0))
    with pytest.raises(RefusedError) as caught:
        exchange.get("repos/o/r")
    exchange.close()
    assert caught.value.next_step.endswith(
        "tokenFile (--token-file), or a variable: LAYERWATCH_FORGE_TOKEN, GITHUB_TOKEN"
    )


@pytest.mark.parametrize(
    ("begin", "drip"),
    [
        (b"HTTP/1.1 2", b"0"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["in its status", "in a header", "in its body", "in a body of no length", "in a chunk's size"],
)
def test_an_answer_that_drips_ends(begin: bytes, drip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_CONNECT_SECONDS", "_READ_SECONDS"):
        monkeypatch.setattr(f"layering.forge.exchange.{name}", 0.5)
    with dripping(begin, drip) as address:
        settings = ForgeSettings(name="f", kind=Kind.GITHUB, url=f"http://{address}/api")
        exchange = Exchange(settings, TokenCredentials(settings), headers={}, patience=Patience(0.0))
        with pytest.raises(UnavailableError) as caught:
            exchange.get("repos/o/r")
        exchange.close()
    assert caught.value.reason is Reason.FORGE_UNREACHABLE


@pytest.mark.parametrize(
    ("address", "said"),
    [
        pytest.param("127.0.0.1:1", "cannot be reached: Connection refused", id="nobody listens"),
        pytest.param("forge.invalid", "cannot be reached: .*[Nn]ame", id="a name that is none"),
    ],
)
def test_why_it_cannot_be_reached_is_told(address: str, said: str) -> None:
    settings = ForgeSettings(name="f", kind=Kind.GITHUB, url=f"https://{address}/api")
    exchange = Exchange(settings, TokenCredentials(settings), headers={}, patience=Patience(0.0))
    with pytest.raises(UnavailableError, match=said):
        exchange.get("repos/o/r")
    exchange.close()


@pytest.mark.parametrize("status", [502, DROPPED])
def test_a_read_that_never_succeeds_ends_with_the_patience(place: Place, status: int) -> None:
    place.script.say(status)
    with pytest.raises(UnavailableError) as caught:
        place.exchange.get("repos/o/r")
    assert caught.value.reason is Reason.FORGE_UNREACHABLE
    assert sum(place.waited) <= 60


@pytest.mark.parametrize("status", [500, 502, 503, DROPPED])
def test_a_write_whose_answer_is_lost_is_not_sent_again(place: Place, status: int) -> None:
    place.script.say(status)
    with pytest.raises(LostAnswerError):
        place.exchange.send("POST", "repos/o/r/pulls", {})
    assert len(place.script.asked) == 1


@pytest.mark.parametrize(
    ("status", "headers", "message", "seconds"),
    [
        pytest.param(429, {"Retry_After": "7"}, "", 7, id="429 with Retry-After"),
        pytest.param(403, {"Retry_After": "7"}, "", 7, id="403 with Retry-After"),
        pytest.param(503, {"Retry_After": "7"}, "", 7, id="503 with Retry-After"),
        pytest.param(403, {}, "You have exceeded a secondary rate limit", 60, id="secondary limit without a time"),
        pytest.param(429, {}, "", 60, id="429 without a time"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_limit_was_no_write_and_is_waited_for(
    place: Place, method: str, status: int, headers: dict[str, str], message: str, seconds: int
) -> None:
    place.script.say(status, {"message": message}, **headers)
    place.script.say(200, {"id": 1})
    answer = place.exchange.get("r") if method == "GET" else place.exchange.send(method, "r", {})
    assert (answer.json, len(place.script.asked), place.waited) == ({"id": 1}, 2, [seconds])


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504])
def test_a_forge_that_fails_is_asked_again_when_it_said(place: Place, status: int) -> None:
    for seconds in ("7", "7", "120"):
        place.script.say(status, Retry_After=seconds)
        if seconds == "7":
            place.script.say(200, {"id": 1})
    assert (place.exchange.get("r").json, place.waited) == ({"id": 1}, [7])
    with pytest.raises(LostAnswerError):
        place.exchange.send("POST", "r", {})
    assert (place.exchange.get("r").json, place.waited) == ({"id": 1}, [7, 7])
    for _ in range(2):
        with pytest.raises(UnavailableError):
            place.exchange.get("r")
    assert (len(place.script.asked), place.waited) == (5, [7, 7])


def test_a_limit_longer_than_the_patience_ends_at_once_and_nothing_is_sent_before_it_is_over(place: Place) -> None:
    place.script.say(429, Retry_After="120")
    for _ in range(3):
        place.exchange.begin()
        with pytest.raises(UnavailableError, match="limit of requests"):
            place.exchange.get("r")
    assert (len(place.script.asked), place.waited) == (1, [])


def test_the_last_request_of_a_limit_is_the_last(place: Place) -> None:
    place.script.say(
        200,
        X_RateLimit_Remaining="0",
        X_RateLimit_Reset="1800000030",
        Date="Fri, 15 Jan 2027 08:00:00 GMT",  # 1800000000
    )
    place.script.say(200)
    place.exchange.get("r")
    place.exchange.get("r")
    assert place.waited == [pytest.approx(31, abs=0.5)]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        pytest.param(401, RefusedError, "does not take the token", id="401"),
        pytest.param(403, RefusedError, "give the token what this needs: pull_requests=write", id="403"),
        pytest.param(404, NotFoundError, "no such thing", id="404"),
        pytest.param(410, NotFoundError, "no such thing", id="410"),
        pytest.param(301, RefusedError, "redirects elsewhere", id="301"),
        pytest.param(422, InputError, "cannot take it", id="422"),
    ],
)
def test_what_trying_again_does_not_mend_is_told_after_one_request(
    place: Place, status: int, kind: type[LayerwatchError], said: str
) -> None:
    place.script.say(status, Location="http://elsewhere.example/", X_Accepted_GitHub_Permissions="pull_requests=write")
    with pytest.raises(kind, match=said):
        place.exchange.get("r")
    assert (len(place.script.asked), place.waited) == (1, [])


def test_a_token_that_was_rotated_is_read_again_once(place: Place) -> None:
    place.script.say(200)
    place.exchange.get("r")
    place.token_file.write_text("n3w\n")
    place.script.answers.clear()
    place.script.say(401)
    place.script.say(200, {"id": 1})
    assert place.exchange.get("r").json == {"id": 1}
    assert [headers["Authorization"] for _, _, headers in place.script.asked] == [
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
        "Bearer n3w",
    ]


def test_what_has_not_changed_is_remembered(place: Place) -> None:
    place.script.say(200, [1, 2], ETag='"a"')
    place.script.say(304)
    assert [place.exchange.get("r").json for _ in range(2)] == [[1, 2], [1, 2]]
    assert place.script.asked[1][2]["If-None-Match"] == '"a"'


def test_the_next_page_is_asked_of_the_same_address_whatever_the_link_says(place: Place) -> None:
    place.script.say(200, [1], Link='<https://elsewhere.example/r?page=2>; rel="next"')
    place.script.say(200, [2])
    assert [answer.json for answer in place.exchange.pages("r", {"per_page": 1})] == [[1], [2]]
    assert [path for _, path, _ in place.script.asked] == ["/api/r?per_page=1", "/api/r?page=2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "no token is in it", id="empty"),
        pytest.param("two words", "more than a token is in it", id="two words"),
        pytest.param("a\nb", "more than a token is in it", id="two lines"),
        pytest.param(None, "cannot be read", id="no file"),
    ],
)
def test_a_file_without_a_token_is_told_before_anything_is_sent(place: Place, text: str | None, said: str) -> None:
    place.script.say(200)
    if text is None:
        place.token_file.unlink()
    else:
        place.token_file.write_text(text)
    with pytest.raises(InputError, match=said):
        place.exchange.get("r")
    assert place.script.asked == []
