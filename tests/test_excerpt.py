"""The end of a log in a report: short, printable, and without the secrets that have a known shape."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.excerpt import excerpt, without_secrets

SECRET = "pl4ntedS3cretpl4ntedS3cret"
KEY_LINES = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"] * 3)

PLANTED = {
    "a password in a URL": f"cloning https://joe:{SECRET}@git.example.com/x.git",
    "a header": f"> Authorization: Bearer {SECRET}",
    "a basic header": f"> authorization: Basic {base64.b64encode(f'joe:{SECRET}'.encode()).decode()}",
    "an assignment": f"+ export REGISTRY_PASSWORD={SECRET}",
    "a long name": f"export {'VERY_' * 12}LONG_PASSWORD={SECRET}",
    "a quoted assignment": f"api_key = '{SECRET} and more'",
    "YAML": f"  password: {SECRET}",
    "JSON": f'{{"auths": {{"r.example.com": {{"auth": "{SECRET}"}}}}}}',
    "JSON in one line with others": f'{{"identitytoken":"{SECRET}","x":1}}',
    "a flag": f"curl --token {SECRET} https://x.example.com",
    "a flag with a sign": f"skopeo login --password={SECRET} r.example.com",
    "a signed URL": f"GET https://s3.example.com/blob?X-Amz-Signature={SECRET}",
    "a GitHub token": f"remote: ghp_{SECRET} is not valid",
    "a fine-grained GitHub token": f"github_pat_{SECRET}",
    "a GitLab token": f"glpat-{SECRET}",
    "an OpenShift token": f"oc login with sha256~{SECRET}",
    "a JSON web token": f"got eyJhbGciOiJSUzI1NiJ9.eyJ{SECRET}.{SECRET}",
    "half a JSON web token": f"eyJhbGciOi{SECRET}",
}


@pytest.mark.parametrize("line", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("before", ["", "STEP 3/4: "], ids=["alone", "within a line"])
def test_known_shapes_of_secrets_are_taken_out(line: str, before: str) -> None:
    shown = excerpt(f"first\n{before}{line}\nlast\n")
    assert SECRET not in shown
    assert "***" in shown
    assert shown.startswith("first\n")
    assert shown.endswith("\nlast")


KEYS = {
    "whole": f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_LINES}\n-----END RSA PRIVATE KEY-----",
    "its beginning is not in the log": f"{KEY_LINES}\n-----END PRIVATE KEY-----",
    "its end is not in the log": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{KEY_LINES}",
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_private_keys_are_taken_out(key: str) -> None:
    assert "MIIE" not in excerpt(f"before:\n{key}\n")


ORDINARY = {
    "a digest": "Writing manifest sha256:" + "3" * 64,
    "a failing command": "error: No package matches 'htopp'",
    "a step's error": "layerwatch-step run: the tag holds another image\n  next: find out who pushed it",
    "an author": "Author: Joe <joe@example.com>",
    "tokens as a word": "3 tokens are left",
    "a certificate": "-----BEGIN CERTIFICATE-----",
}


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    assert excerpt(text) == text


def test_it_is_the_end_that_is_kept() -> None:
    log = "\n".join(f"line {number}" for number in range(1, 101))
    shown = excerpt(log, lines=3)
    assert shown == "…line 98\nline 99\nline 100"
    assert excerpt("x" * 30, characters=10) == "…" + "x" * 10
    assert excerpt("a\n\n\nb\n") == "a\nb"


LONG = {
    "one word": "a" * 500_000,
    "many hyphens": "a-" * 250_000,
    "many schemes": "a://" * 125_000,
    "lines of a key without its end": f"{'A' * 64}\n" * 8_000,
    "beginnings of keys": "-----BEGIN PRIVATE KEY-----\n" * 18_000,
    "escapes": "\x1b]" * 250_000,
    "names without values": "password=" * 55_000,
}


@pytest.mark.parametrize("log", LONG.values(), ids=LONG)
def test_no_log_takes_long(log: str) -> None:
    assert len(excerpt(log)) <= 2001


def test_half_a_secret_at_the_cut_is_not_shown() -> None:
    shown = excerpt(f"ghp_{'s3cret' * 40} " + "password=0123456789 " * 400, characters=100)
    assert "s3cret" not in shown
    assert "s3cret" not in excerpt(f"ghp_{'s3cret' * 100}", characters=100)


def test_nothing_commands_a_terminal() -> None:
    assert excerpt("\x1b[31mred\x1b[0m\a \x1b]0;title\x07\rnext\x9b31m") == "red  \nnext 31m"


@given(st.text(max_size=400))
def test_any_log_gives_a_short_printable_text(log: str) -> None:
    shown = excerpt(log, lines=5, characters=100)
    assert len(shown) <= 101
    assert shown.count("\n") < 5
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert without_secrets(shown) == without_secrets(without_secrets(shown))
