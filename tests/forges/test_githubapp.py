"""Tokens of a GitHub App: signed for, minted once, renewed in time, and told when it is not installed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from layering.errors import InputError, RefusedError, UnavailableError
from layering.forge.githubapp import InstallationTokens
from layering.forge.patience import Patience
from layering.forge.settings import App, ForgeSettings, Kind
from layering.secrets import Secret
from tests.forges.scripted import Scripted, served

KEY = generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(kw_only=True)
class Place:
    script: Scripted
    tokens: InstallationTokens

    def mints(self, token: str, lasts: timedelta = timedelta(hours=1)) -> None:
        """What GitHub says next of a minted token."""
        self.script.say(201, {"token": token, "expires_at": (datetime.now(UTC) + lasts).isoformat()})


def pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "key.pem").write_bytes(pem(KEY))
    app = App(id="Iv23abc", private_key_file=tmp_path / "key.pem")
    with served() as script:
        settings = ForgeSettings(name="g", kind=Kind.GITHUB, url=f"http://{script.address}", app=app)
        tokens = InstallationTokens(settings, app, headers={}, patience=Patience(1.0))
        yield Place(script=script, tokens=tokens)
        tokens.close()


def test_one_token_is_minted_for_a_repository_and_kept(place: Place) -> None:
    place.script.say(200, {"id": 7})
    place.mints("ghs_one")
    assert [place.tokens.token("o/r") for _ in range(3)] == [Secret("ghs_one")] * 3
    assert [(method, path) for method, path, _ in place.script.asked] == [
        ("GET", "/repos/o/r/installation"),
        ("POST", "/app/installations/7/access_tokens"),
    ]


@pytest.mark.parametrize("ahead", [timedelta(seconds=-120), timedelta(seconds=700)], ids=["behind us", "ahead of us"])
def test_a_clock_of_githubs_own_is_learnt_from_its_refusal(place: Place, ahead: timedelta) -> None:
    now = datetime.now(UTC) + ahead
    place.script.say(401, {"message": "'Issued at' claim ('iat') must be"}, Date=format_datetime(now, usegmt=True))
    place.script.say(200, {"id": 7})
    place.mints("ghs_one")
    assert place.tokens.token("o/r") == Secret("ghs_one")
    again = place.script.asked[1][2]["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(again, options={"verify_signature": False})
    assert claims["iat"] < now.timestamp() + 5 < claims["exp"]


def test_a_refusal_by_a_clock_like_ours_is_one(place: Place) -> None:
    place.script.say(401, {"message": "no"}, Date=format_datetime(datetime.now(UTC), usegmt=True))
    with pytest.raises(RefusedError):
        place.tokens.token("o/r")
    assert len(place.script.asked) == 1


def test_the_app_signs_for_itself_as_github_wants_it(place: Place) -> None:
    place.script.say(200, {"id": 7})
    place.mints("ghs_one")
    place.tokens.token("o/r")
    for _, _, headers in place.script.asked:
        claims = jwt.decode(headers["Authorization"].removeprefix("Bearer "), KEY.public_key(), algorithms=["RS256"])
        assert claims["iss"] == "Iv23abc"
        assert claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize(
    ("lasts", "tokens"),
    [
        pytest.param(timedelta(hours=1), ["ghs_one", "ghs_one"], id="an hour"),
        pytest.param(timedelta(minutes=4), ["ghs_one", "ghs_two"], id="about to end"),
    ],
)
def test_a_token_is_minted_again_before_it_ends(place: Place, lasts: timedelta, tokens: list[str]) -> None:
    place.script.say(200, {"id": 7})
    place.mints("ghs_one", lasts)
    place.mints("ghs_two")
    found = [place.tokens.token("o/r") for _ in range(2)]
    assert [token.reveal() for token in found if token] == tokens


def test_a_token_that_was_taken_back_is_minted_again(place: Place) -> None:
    place.script.say(200, {"id": 7})
    place.mints("ghs_one")
    place.mints("ghs_two")
    place.tokens.token("o/r")
    assert place.tokens.refused("o/r")
    assert place.tokens.token("o/r") == Secret("ghs_two")


def test_an_app_that_was_installed_anew_is_found_again(place: Place) -> None:
    place.script.say(200, {"id": 7})
    place.mints("ghs_one", timedelta(minutes=1))
    place.script.say(404, {"message": "Not Found"})
    place.script.say(200, {"id": 8})
    place.mints("ghs_two")
    assert place.tokens.token("o/r") == Secret("ghs_one")
    assert place.tokens.token("o/r") == Secret("ghs_two")
    assert [path for _, path, _ in place.script.asked][-3:] == [
        "/app/installations/7/access_tokens",
        "/repos/o/r/installation",
        "/app/installations/8/access_tokens",
    ]


@pytest.mark.parametrize("ends", ["soon", 7, None])
def test_a_time_that_is_none_is_told(place: Place, ends: object) -> None:
    place.script.say(200, {"id": 7})
    place.script.say(201, {"token": "ghs_one", "expires_at": ends})
    with pytest.raises(UnavailableError, match="expires_at"):
        place.tokens.token("o/r")


def test_a_time_without_an_offset_is_in_utc(place: Place) -> None:
    place.script.say(200, {"id": 7})
    place.script.say(201, {"token": "ghs_one", "expires_at": "2999-01-01T00:00:00"})
    assert [place.tokens.token("o/r") for _ in range(2)] == [Secret("ghs_one")] * 2


@pytest.mark.parametrize("answers", [[404], [200, 422]], ids=["nowhere", "not for this repository"])
def test_an_app_that_is_not_installed_is_told(place: Place, answers: list[int]) -> None:
    for status in answers:
        place.script.say(status, {"id": 7})
    with pytest.raises(RefusedError, match="not installed for o/r"):
        place.tokens.token("o/r")


@pytest.mark.parametrize("text", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_file_without_a_key_is_told_and_not_shown(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(text)
    app = App(id="1", private_key_file=file)
    settings = ForgeSettings(name="g", kind=Kind.GITHUB, url="https://api.github.com", app=app)
    with pytest.raises(InputError, match="no private key") as caught:
        InstallationTokens(settings, app, headers={}, patience=Patience(1.0))
    assert "AAAA" not in str(caught.value)
