"""Secrets planted wherever the client meets them, and then looked for in everything that can be read afterwards."""

import base64
import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from layering.errors import LayerwatchError, UnavailableError
from layering.reference import Repository
from layering.registry.client import RegistryClient, Request
from layering.registry.manifest import Descriptor, sha256
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings

SECRET = "pl4nted-s3cret"
ENCODED = base64.b64encode(f"joe:{SECRET}".encode()).decode()
BLOB = Descriptor(media_type="x", digest=sha256(b"data"), size=4)


@dataclass
class Place:
    """A registry whose answers a test chooses, and the client that asks it with a planted credential."""

    server: RegistryServer
    auth_file: Path
    requests: list[Request] = field(default_factory=list)

    def credential(self, **entry: str) -> None:
        self.auth_file.write_text(json.dumps({"auths": {self.server.address: entry}}))

    def provoke(self) -> str:
        """All that the failures of all operations show: text, repr, traceback, and what was heard of requests."""
        settings = RegistrySettings(auth_file=self.auth_file, insecure=frozenset({self.server.address}))
        repository = Repository(self.server.address, "a/b")
        shown = [repr(settings)]
        with RegistryClient(settings, sleep=lambda seconds: None, on_request=self.requests.append) as client:
            operations: list[Callable[[], object]] = [
                lambda: client.manifest(repository.tagged("t")),
                lambda: client.find(repository.tagged("t")),
                lambda: client.read_blob(repository, BLOB, limit_bytes=10),
                lambda: client.push_blob(repository, b"data"),
                lambda: client.push_manifest(repository.tagged("t"), b"{}", "x"),
                lambda: client.copy_blob(repository, Repository(self.server.address, "c"), BLOB),
                lambda: client.tags(repository),
            ]
            for operation in operations:
                with pytest.raises(LayerwatchError) as caught:
                    operation()
                shown += [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
            shown += [repr(client), repr(vars(client)), repr(self.requests)]
        return "\n".join(shown)


def challenged(place: Place, scheme: str) -> None:
    def hook(asked: Asked) -> Answer:
        said = asked.headers.get("authorization", "nothing")
        echo = f"{said} is not good enough, {said.split()[-1]}, {SECRET if ENCODED in said else ''}"
        return error(401, "UNAUTHORIZED", echo, {"WWW-Authenticate": f'{scheme} realm="{place.server.url}/token"'})

    place.server.intercept = hook


def a_password_that_is_echoed(place: Place) -> None:
    place.credential(auth=ENCODED)
    challenged(place, "Basic")


def a_password_for_a_token(place: Place) -> None:
    place.credential(auth=ENCODED)
    challenged(place, "Bearer")


def an_identity_token(place: Place) -> None:
    place.credential(identitytoken=SECRET)
    challenged(place, "Bearer")


def a_registry_token_that_is_echoed(place: Place) -> None:
    place.credential(registrytoken=SECRET)
    challenged(place, "Bearer")


def a_registry_token_that_no_header_can_carry(place: Place) -> None:
    place.credential(registrytoken=f"{SECRET}\r\nX: y")
    challenged(place, "Bearer")


def an_issued_token_that_is_echoed(place: Place) -> None:
    place.credential(auth=ENCODED)

    def hook(asked: Asked) -> Answer:
        if asked.target.startswith("/token"):
            return Answer(status=200, body=json.dumps({"token": SECRET}).encode())
        realm = {"WWW-Authenticate": f'Bearer realm="{place.server.url}/token"'}
        return error(401, "UNAUTHORIZED", f"{asked.headers.get('authorization')} has expired", realm)

    place.server.intercept = hook


def a_broken_entry(place: Place) -> None:
    place.credential(auth=f"%%%{SECRET}")
    challenged(place, "Basic")


def a_signed_address(place: Place) -> None:
    place.server.intercept = lambda asked: Answer(
        status=307, headers={"Location": f"http://127.0.0.1:1/x?X-Amz-Signature={SECRET}"}
    )


def a_signed_address_that_answers(place: Place) -> None:
    place.server.intercept = lambda asked: (
        error(403, "DENIED", "x")
        if asked.target.startswith("/x")
        else Answer(status=307, headers={"Location": f"/x?X-Amz-Signature={SECRET}"})
    )


def an_address_with_a_password(place: Place) -> None:
    place.server.intercept = lambda asked: Answer(
        status=307 if asked.method in ("GET", "HEAD") else 202,
        headers={"Location": f"http://joe:{SECRET}@{place.server.address}/x"},
    )


def a_realm_with_a_password(place: Place) -> None:
    place.credential(auth=ENCODED)
    realm = {"WWW-Authenticate": f'Bearer realm="http://joe:{SECRET}@127.0.0.1/token"'}
    place.server.intercept = lambda asked: error(401, "UNAUTHORIZED", "x", realm)


@pytest.mark.parametrize(
    "plant",
    [
        a_password_that_is_echoed,
        a_password_for_a_token,
        an_identity_token,
        a_registry_token_that_is_echoed,
        a_registry_token_that_no_header_can_carry,
        an_issued_token_that_is_echoed,
        a_broken_entry,
        a_signed_address,
        a_signed_address_that_answers,
        an_address_with_a_password,
        a_realm_with_a_password,
    ],
)
def test_no_secret_is_shown(
    plant: Callable[[Place], None], tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "auth.json").write_text("{}")
    with RegistryServer() as server:
        place = Place(server, tmp_path / "auth.json")
        plant(place)
        shown = place.provoke()
        assert server.requests, "it was never asked"
    captured = capfd.readouterr()
    everything = f"{shown}\n{caplog.text}\n{captured.out}\n{captured.err}"
    assert SECRET not in everything
    assert ENCODED not in everything


def test_a_proxy_with_a_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://joe:{SECRET}@127.0.0.1:1")
    (tmp_path / "auth.json").write_text("{}")
    settings = RegistrySettings(auth_file=tmp_path / "auth.json")
    with (
        RegistryClient(settings, sleep=lambda seconds: None) as client,
        pytest.raises(UnavailableError, match="the proxy cannot be reached") as caught,
    ):
        client.find(Repository("registry.example.com", "a/b").tagged("t"))
    shown = "".join([str(caught.value), repr(caught.value), *traceback.format_exception(caught.value), caplog.text])
    assert SECRET not in shown
