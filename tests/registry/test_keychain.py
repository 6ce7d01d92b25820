"""Which login belongs to which repository: the most specific entry by whole path segments, and nobody else's."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from layering.errors import InputError
from layering.reference import Repository
from layering.registry.keychain import Keychain

SECRET = "pl4nted-secret"


def login(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{SECRET}".encode()).decode()}


def write(path: Path, auths: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": auths}))
    return path


ENTRIES = {
    "quay.io": login("host"),
    "quay.io/acme": login("organization"),
    "quay.io/acme/os": login("repository"),
    "quay.io:444": login("port"),
    "https://index.docker.io/v1/": login("hub"),
    "http://plain.example.com": login("url"),
    "empty.example.com": {},
    "broken.example.com": {"auth": "%%%"},
    "letters.example.com": {"auth": "\u00e9"},
    "halves.example.com": {"username": "\ud800", "password": SECRET},
    "nocolon.example.com": {"auth": base64.b64encode(b"nocolon").decode()},
    "control.example.com": {"registrytoken": f"{SECRET}\r\nX: y"},
    "blank.example.com": {"identitytoken": f"{SECRET} y"},
    "fields.example.com": {"username": "fields", "password": SECRET},
    "colon.example.com": {"auth": base64.b64encode(f"colon:{SECRET}:x".encode()).decode()},
}


@pytest.mark.parametrize(
    ("repository", "user"),
    [
        ("quay.io/acme/os", "repository"),
        ("quay.io/acme/os/next", "repository"),
        ("quay.io/acme/osx", "organization"),
        ("quay.io/other/os", "host"),
        ("quay.io:444/acme/os", "port"),
        ("quay.io:445/acme/os", None),
        ("quay.io.evil.com/acme/os", None),
        ("evilquay.io/acme/os", None),
        ("docker.io/library/x", "hub"),
        ("plain.example.com/x", "url"),
        ("empty.example.com/x", None),
        ("broken.example.com/x", None),
        ("letters.example.com/x", None),
        ("halves.example.com/x", None),
        ("nocolon.example.com/x", None),
        ("control.example.com/x", None),
        ("blank.example.com/x", None),
        ("fields.example.com/x", "fields"),
        ("colon.example.com/x", "colon"),
        ("unknown.example.com/x", None),
    ],
)
def test_the_most_specific_entry_wins(tmp_path: Path, repository: str, user: str | None) -> None:
    found = Keychain(write(tmp_path / "auth.json", ENTRIES)).find(Repository.parse(repository))
    assert (found.username if found else None) == user


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"identitytoken": SECRET}, "identity_token"),
        ({"registrytoken": SECRET}, "bearer_token"),
        (login("x"), "password"),
    ],
    ids=["identity", "registry", "basic"],
)
def test_secrets_are_not_shown(tmp_path: Path, entry: dict[str, str], kind: str) -> None:
    found = Keychain(write(tmp_path / "auth.json", {"a.example.com": entry})).find(Repository.parse("a.example.com/x"))
    assert found is not None
    assert SECRET in getattr(found, kind).reveal()
    assert SECRET not in f"{found}{found!r}"


def test_the_old_file_of_docker_is_read_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".dockercfg").write_text(json.dumps({"https://a.example.com/v1/": login("old"), "b.x": login("old")}))
    write(tmp_path / ".docker/config.json", {"b.x": login("docker")})
    users = [Keychain(None).find(Repository.parse(name)) for name in ("a.example.com/x", "b.x/x", "c.x/x")]
    assert [user.username if user else None for user in users] == ["old", "docker", None]


def test_the_first_file_that_has_an_entry_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    write(tmp_path / "docker/config.json", {"a.example.com": login("docker"), "b.example.com": login("docker")})
    write(tmp_path / "config/containers/auth.json", {"a.example.com": login("config")})
    write(tmp_path / "run/containers/auth.json", {"c.example.com": login("run")})
    users = [Keychain(None).find(Repository.parse(f"{host}.example.com/x")) for host in "abc"]
    assert [user.username for user in users if user] == ["config", "docker", "run"]
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(write(tmp_path / "named.json", {"b.example.com": login("named")})))
    users = [Keychain(None).find(Repository.parse(f"{host}.example.com/x")) for host in "abc"]
    assert [user.username if user else None for user in users] == [None, "named", None]


@pytest.mark.parametrize("content", [None, b"{", b"[", b"[]", b'{"auths": [1]}', b"\xff", b"[" * 100_000], ids=str)
def test_a_named_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "auth.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        Keychain(path).find(Repository.parse("a.example.com/x"))


@pytest.mark.parametrize("document", [{}, {"auths": None}, {"auths": {"a.example.com": []}}], ids=str)
def test_a_file_with_nothing_in_it_has_no_credentials(tmp_path: Path, document: Any) -> None:
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(document))
    assert Keychain(path).find(Repository.parse("a.example.com/x")) is None
