"""When a token is fetched, and as whom: lifetimes that a service tells or does not, and identity tokens."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest

from layering.errors import RefusedError
from layering.registry.challenge import Challenge
from layering.registry.credentials import Credential
from layering.registry.deadline import Deadline
from layering.registry.rest import Rest
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from layering.registry.tokens import Ask, TokenCache
from layering.registry.transport import Transport
from layering.secrets import Secret

HOUR = 3600
IDENTITY = "1dentity"


def jwt(**claims: Any) -> str:
    """Signed by nobody: what stands in it is only believed for when to fetch another one."""
    parts = [json.dumps(each).encode() for each in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "x"])


@dataclass
class Place:
    """A cache of tokens of a service, with a clock."""

    server: RegistryServer
    cache: TokenCache
    now: list[float]
    answer: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def bearer(
        self, credential: Credential | None = None, path: str = "a/b", others: Callable[[], Iterable[str]] | None = None
    ) -> str:
        return self.cache.bearer(self.ask(path, credential, others), Deadline.after(30)).value.reveal()

    def ask(self, path: str, credential: Credential | None, others: Callable[[], Iterable[str]] | None) -> Ask:
        challenge = Challenge(scheme="bearer", parameters={"realm": f"{self.server.url}/token", "service": "s"})
        return Ask(challenge=challenge, credential=credential, scopes=(f"repository:{path}:pull",), others=others)


@pytest.fixture
def place() -> Iterator[Place]:
    now = [1000.0]
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        transport = Transport(settings, lambda seconds: None, None, Rest())
        cache = TokenCache(transport, server.url, verify=False, clock=lambda: now[0])
        made = Place(server=server, cache=cache, now=now)

        def serve(asked: Asked) -> Answer:
            made.asked.append(asked)
            return Answer(status=200, body=json.dumps(made.answer).encode())

        server.intercept = serve
        yield made
        transport.close()


@pytest.mark.parametrize(
    ("answer", "fetched"),
    [
        ({"token": jwt(iat=500, exp=500 + HOUR)}, 2),
        ({"token": jwt(nbf=500, exp=500 + HOUR)}, 2),
        ({"token": jwt(iat=500, exp=500 + HOUR), "expires_in": 300}, 14),
        ({"token": "opaque", "expires_in": HOUR}, 2),
        ({"token": "opaque"}, 67),
        ({"token": jwt(exp=500 + HOUR)}, 67),
        ({"token": jwt(iat=500, exp=400)}, 67),
        ({"token": jwt(iat=1, exp=10**400)}, 67),
        ({"token": "a.b.c"}, 67),
        ({"token": "..."}, 67),
    ],
    ids=[
        "as-quay-does", "not-before", "the-service-says", "an-hour", "nobody-says", "no-beginning",
        "ends-before-it-begins", "a-huge-number", "no-claims", "dots",
    ],
)  # fmt: skip
def test_fetches_in_an_hour(place: Place, answer: dict[str, Any], fetched: int) -> None:
    place.answer = answer
    for second in range(0, HOUR, 2):
        place.now[0] = 1000.0 + second
        place.bearer()
    assert len(place.asked) == fetched


def test_tokens_that_end_together_are_followed_by_a_shared_one(place: Place) -> None:
    """What a daemon's ticks come to that are further apart than tokens last."""
    place.answer = {"token": "t0ken", "expires_in": 300}
    read: dict[str, None] = {}

    def tick() -> int:
        before = len(place.asked)
        for number in range(30):
            read[f"repository:os/r{number}:pull"] = None
            place.bearer(path=f"os/r{number}", others=lambda: list(read))
        return len(place.asked) - before

    fetched = []
    for hour in range(3):
        place.now[0] = 1000.0 + hour * HOUR
        fetched.append(tick())
    assert fetched == [30, 2, 2]


def test_one_that_got_nothing_from_a_shared_token_is_in_none_again(place: Place) -> None:
    place.answer = {"token": "t0ken", "expires_in": 300}

    def others() -> list[str]:
        return [f"repository:{path}:pull" for path in ("a", "b", "c")]

    refused = place.ask("b", None, others)
    place.cache.forget(refused, place.cache.bearer(refused, Deadline.after(30)))
    place.now[0] += HOUR
    place.bearer(path="a", others=others)
    place.bearer(path="b", others=others)
    asked = [parse_qs(asked.target.partition("?")[2])["scope"] for asked in place.asked]
    assert [[scope.split(":")[1] for scope in scopes] for scopes in asked] == [["b", "a", "c"], ["a", "c"], ["b"]]


def test_another_password_under_the_same_name_gets_another_token(place: Place) -> None:
    """Whoever may do less, or more, from now on does not go on with what the former could do."""
    place.answer = {"token": "t0ken", "expires_in": HOUR}
    for password in ("old", "old", "new", "new"):
        place.bearer(Credential(source="x", username="joe", password=Secret(password)))
    sent = [base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")) for asked in place.asked]
    assert sent == [b"joe:old", b"joe:new"]


def test_an_identity_token_is_exchanged_for_a_shared_token(place: Place) -> None:
    forms: list[str] = []

    def serve(asked: Asked) -> Answer:
        forms.append(asked.body.whole(10_000).decode())
        return Answer(status=200, body=b'{"access_token": "t0ken"}')

    place.server.intercept = serve
    credential = Credential(source="x", identity_token=Secret(IDENTITY))
    others = ["repository:a/b:pull", "repository:c/d:pull"]
    assert place.bearer(credential, others=lambda: others) == "t0ken"
    assert place.bearer(credential, path="c/d", others=lambda: others) == "t0ken"
    (form,) = map(parse_qs, forms)
    assert form["scope"] == ["repository:a/b:pull repository:c/d:pull"]
    assert form["grant_type"] == ["refresh_token"]


@pytest.mark.parametrize("status", [404, 405])
def test_a_service_that_knows_no_form_gets_an_identity_token_as_a_password(place: Place, status: int) -> None:
    def serve(asked: Asked) -> Answer:
        place.asked.append(asked)
        if asked.method == "POST":
            return error(status, "UNSUPPORTED", "no such thing")
        return Answer(status=200, body=b'{"token": "t0ken"}')

    place.server.intercept = serve
    credential = Credential(source="x", identity_token=Secret(IDENTITY))
    assert place.bearer(credential) == "t0ken"
    assert [each.method for each in place.asked] == ["POST", "GET"]
    sent = base64.b64decode(place.asked[1].headers["authorization"].removeprefix("Basic ")).decode()
    assert sent == f"<token>:{IDENTITY}"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_service_that_refuses_an_identity_token_is_not_asked_again(place: Place, status: int) -> None:
    place.server.intercept = lambda asked: place.asked.append(asked) or error(status, "DENIED", "no")  # type: ignore[func-returns-value]
    with pytest.raises(RefusedError) as caught:
        place.bearer(Credential(source="x", identity_token=Secret(IDENTITY)))
    assert len(place.asked) == 1
    assert IDENTITY not in str(caught.value)
