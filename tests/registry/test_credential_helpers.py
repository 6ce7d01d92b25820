"""Programs that keep credentials: which is asked, with what, how often, and what its answers mean."""

import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layering.errors import InputError, LayerwatchError, RefusedError
from layering.reference import Repository
from layering.registry import credentialhelper
from layering.registry.keychain import Keychain
from layering.secrets import Secret

SECRET = "pl4nted-secret"
HELPER = f"""#!{sys.executable}
import json, os, sys, time
asked = sys.stdin.read()
here = os.path.dirname(__file__)
with open(f"{{here}}/asked", "a") as file:
    file.write(f"{{os.path.basename(sys.argv[0])}} {{' '.join(sys.argv[1:])}} {{asked}}\\n")
answer = json.load(open(f"{{here}}/answer"))
time.sleep(answer.get("sleep", 0))
sys.stderr.write(answer.get("stderr", ""))
sys.stdout.write(answer["stdout"])
sys.exit(answer.get("code", 0))
"""


@dataclass(kw_only=True)
class Helpers:
    """A directory on PATH with docker-credential-ours, and a file of credentials that names it."""

    directory: Path

    def answer(self, stdout: Any, **more: Any) -> None:
        """What the helper will say, from now on."""
        text = stdout if isinstance(stdout, str) else json.dumps(stdout)
        (self.directory / "answer").write_text(json.dumps({"stdout": text, **more}))

    def asked(self) -> list[str]:
        """What it was asked so far."""
        file = self.directory / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def file(self, document: Any) -> Path:
        """A file of credentials."""
        path = self.directory / "config.json"
        path.write_text(json.dumps(document))
        return path


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Helpers:
    program = tmp_path / "docker-credential-ours"
    program.write_text(HELPER)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = Helpers(directory=tmp_path)
    found.answer({"ServerURL": "x", "Username": "helped", "Secret": SECRET})
    return found


PLAIN = {"username": "written", "password": SECRET}


@pytest.mark.parametrize(
    ("document", "repository", "user", "asked"),
    [
        ({"credHelpers": {"q.io": "ours"}}, "q.io/a/b", "helped", "q.io"),
        ({"credHelpers": {"q.io": "ours"}, "auths": {"q.io/a": PLAIN}}, "q.io/a/b", "helped", "q.io"),
        ({"credHelpers": {"q.io": "ours"}, "auths": {"r.io": PLAIN}}, "r.io/a/b", "written", None),
        ({"credHelpers": {"q.io": "ours"}}, "q.io.evil.com/a", None, None),
        ({"credHelpers": {"q.io": "ours"}}, "q.io:444/a", None, None),
        ({"credHelpers": {"q.io": ""}, "auths": {"q.io": PLAIN}}, "q.io/a/b", "written", None),
        ({"credHelpers": {"docker.io": "ours"}}, "docker.io/library/x", "helped", "docker.io"),
        ({"credHelpers": {"index.docker.io": "ours"}}, "docker.io/library/x", "helped", "index.docker.io"),
        ({"credsStore": "ours"}, "q.io/a/b", "helped", "q.io"),
        ({"credsStore": "ours"}, "docker.io/library/x", "helped", "https://index.docker.io/v1/"),
        ({"credsStore": "ours", "auths": {"q.io": PLAIN}}, "q.io/a/b", "helped", "q.io"),
    ],
    ids=[
        "named",
        "before-an-entry",
        "for-its-own-host-only",
        "by-whole-name",
        "with-its-port",
        "empty-name",
        "docker-hub",
        "docker-hub-by-its-older-name",
        "store",
        "store-for-docker-hub",
        "store-before-an-entry",
    ],
)
def test_who_is_asked(helpers: Helpers, document: Any, repository: str, user: str | None, asked: str | None) -> None:
    found = Keychain(helpers.file(document)).find(Repository.parse(repository))
    assert (found.username if found else None) == user
    assert helpers.asked() == ([f"docker-credential-ours get {asked}"] if asked else [])


@pytest.mark.parametrize("says", ["credentials not found in native keychain\n", "credentials not found"], ids=str)
def test_who_keeps_nothing_is_passed_over(helpers: Helpers, says: str) -> None:
    helpers.answer(says, code=1)
    document = {"credHelpers": {"q.io": "ours"}, "auths": {"q.io": PLAIN}}
    found = Keychain(helpers.file(document)).find(Repository.parse("q.io/a"))
    assert found is not None
    assert found.username == "written"
    anonymous = Keychain(helpers.file({"credHelpers": {"q.io": "ours"}}))
    assert anonymous.find(Repository.parse("q.io/a")) is None


def test_an_identity_token_is_told_by_its_user(helpers: Helpers) -> None:
    helpers.answer({"Username": "<token>", "Secret": SECRET})
    found = Keychain(helpers.file({"credsStore": "ours"})).find(Repository.parse("q.io/a"))
    assert found is not None
    assert found.identity_token == Secret(SECRET)
    assert found.password is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"stdout": f"boom {SECRET}", "stderr": SECRET, "code": 1}, "ended with 1"),
        ({"stdout": "{"}, "no credential"),
        ({"stdout": "[]"}, "no credential"),
        ({"stdout": json.dumps({"Username": "u"})}, "no credential"),
        ({"stdout": json.dumps({"Username": "u", "Secret": 1})}, "no credential"),
        ({"stdout": json.dumps({"Username": "u", "Secret": ""})}, "no credential"),
        ({"stdout": json.dumps({"Username": "<token>", "Secret": f"{SECRET}\r\nX: y"})}, "no credential"),
        ({"stdout": "{}", "sleep": 30}, "did not end within"),
    ],
    ids=["fails", "no-json", "no-object", "no-secret", "odd-secret", "empty-secret", "header-in-token", "hangs"],
)
def test_a_failure_is_refused_and_not_anonymous(
    helpers: Helpers, answer: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentialhelper, "_TIMEOUT_SECONDS", 5.0 if "sleep" not in answer else 0.5)
    helpers.answer(answer.pop("stdout"), **answer)
    document = {"credHelpers": {"q.io": "ours"}, "auths": {"q.io": PLAIN}}
    with pytest.raises(RefusedError, match=says) as raised:
        Keychain(helpers.file(document)).find(Repository.parse("q.io/a"))
    assert SECRET not in str(raised.value)
    assert "docker-credential-ours get" in raised.value.next_step


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"credsStore": "nowhere"}, "docker-credential-nowhere is not on this machine"),
        ({"credsStore": "../../bin/sh"}, "no name of a credential helper"),
        ({"credsStore": "ours\n"}, "no name of a credential helper"),
        ({"credHelpers": {"q.io": "ours; true"}}, "no name of a credential helper"),
        ({"credHelpers": {"q.io": 1}}, "not named by a text"),
        ({"credHelpers": ["q.io"]}, "cannot be read"),
        ({"credsStore": {}}, None),
        ({"credsStore": ["ours"]}, "not named by a text"),
    ],
    ids=["missing", "a-path", "newline", "a-shell", "a-number", "a-list", "empty", "store-a-list"],
)
def test_what_cannot_be_asked_is_bad_input(helpers: Helpers, document: Any, says: str | None) -> None:
    keychain = Keychain(helpers.file(document))
    if says is None:
        assert keychain.find(Repository.parse("q.io/a")) is None
        return
    with pytest.raises(InputError, match=says):
        keychain.find(Repository.parse("q.io/a"))
    assert helpers.asked() == []


def test_it_is_asked_once_an_hour(helpers: Helpers) -> None:
    now = [0.0]
    keychain = Keychain(helpers.file({"credsStore": "ours"}), clock=lambda: now[0])
    for seconds in (0, 1, 3599):
        now[0] = seconds
        keychain.find(Repository.parse("q.io/a"))
        keychain.find(Repository.parse("q.io/b"))
    assert len(helpers.asked()) == 1
    now[0] = 3600
    keychain.find(Repository.parse("q.io/a"))
    assert len(helpers.asked()) == 2


def test_after_a_failure_it_is_asked_again_five_seconds_later(helpers: Helpers) -> None:
    now = [0.0]
    keychain = Keychain(helpers.file({"credsStore": "ours"}), clock=lambda: now[0])
    helpers.answer("", code=2)
    for seconds in (0, 4):
        now[0] = seconds
        with pytest.raises(LayerwatchError):
            keychain.find(Repository.parse("q.io/a"))
    assert len(helpers.asked()) == 1
    helpers.answer({"Username": "helped", "Secret": SECRET})
    now[0] = 5
    assert keychain.find(Repository.parse("q.io/a")) is not None


def test_what_was_refused_is_asked_for_again(helpers: Helpers) -> None:
    keychain = Keychain(helpers.file({"credsStore": "ours"}))
    for name in ("q.io/a", "docker.io/library/x"):
        keychain.find(Repository.parse(name))
    keychain.forget(Repository.parse("docker.io/library/x"))
    for name in ("q.io/a", "docker.io/library/x"):
        keychain.find(Repository.parse(name))
    assert [line.split()[-1] for line in helpers.asked()] == ["q.io", *["https://index.docker.io/v1/"] * 2]


def test_a_clusters_secret_names_no_programs_of_this_machine(helpers: Helpers) -> None:
    text = json.dumps({"credsStore": "ours", "credHelpers": {"q.io": "ours"}, "auths": {"q.io": PLAIN}})
    found = Keychain(Secret(text)).find(Repository.parse("q.io/a"))
    assert found is not None
    assert found.username == "written"
    assert helpers.asked() == []


def test_a_file_is_read_again_when_it_changes(helpers: Helpers) -> None:
    keychain = Keychain(helpers.file({"auths": {"q.io": PLAIN}}))
    assert keychain.find(Repository.parse("q.io/a")) is not None
    helpers.file({"auths": {}})
    assert keychain.find(Repository.parse("q.io/a")) is None
