"""A secret is planted in every input that can carry one; it is looked for in everything that comes out.

Out of it come: stdout and stderr, result files, errors with their repr, git commits, and what images say of themselves.
"""

import base64
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from layering.errors import LayerwatchError
from layering.git import run_git
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.keychain import Keychain
from layering.registry.manifest import ImageManifest
from layering.registry.server import RegistryServer, one_of
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from layering.sample.images import push_os_image
from pipeline import cli as steps
from tests.git_http import git_over_http
from tests.scenario import Scenario
from watcher import cli as watcher

SECRET = "pl4nted-s3cret"
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "a password": lambda secret: {"auth": base64.b64encode(f"joe:{secret}".encode()).decode()},
    "a password in fields": lambda secret: {"username": "joe", "password": secret},
    "an identity token": lambda secret: {"auth": base64.b64encode(b"joe:x").decode(), "identitytoken": secret},
    "a registry token": lambda secret: {"registrytoken": secret},
    "a registry token no header can carry": lambda secret: {"registrytoken": f"{secret}\n€"},
    "a broken entry": lambda secret: {"auth": f"%{secret}", "username": ["joe", secret]},
}


def spellings(secret: str) -> list[str]:
    """The secret, and what it looks like in a header or a URL."""
    login = base64.b64encode(f"joe:{secret}".encode()).decode()
    return [secret, login, login.rstrip("="), quote(login), base64.b64encode(secret.encode()).decode().rstrip("=")]


def assert_absent(*texts: str, secret: str = SECRET) -> None:
    for text in texts:
        for spelling in spellings(secret):
            assert spelling not in text


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a command line; nothing it printed holds the secret. Tracebacks of a defect would be printed too."""
    monkeypatch.setenv("LAYERWATCH_TRACEBACK", "1")

    def command(main: Callable[[list[str]], int], *words: object) -> int:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert_absent(captured.out, captured.err)
        assert "Traceback" not in captured.err
        return code

    return command


def auth_file(directory: Path, address: str, entry: dict[str, Any]) -> Path:
    path = directory / "auth.json"
    path.write_text(json.dumps({"auths": {address: entry}}))
    return path


def locked(server: RegistryServer, *, accept: bool) -> Callable[[Asked], Answer | None]:
    """A registry with a token service that knows the secret in each of its forms."""

    def hook(asked: Asked) -> Answer | None:
        given = asked.headers.get("authorization", "")
        if asked.target.startswith("/token"):
            form = asked.body.whole(10_000).decode()
            knows = SECRET in form or base64.b64encode(f"joe:{SECRET}".encode()).decode() in given
            if accept and knows:
                return Answer(status=200, body=json.dumps({"token": f"t-{SECRET}"}).encode())
            return error(401, "UNAUTHORIZED", f"{given} {form} is not known")
        if accept and SECRET in given:
            return None
        realm = f'Bearer realm="{server.url}/token?key={SECRET}",service="s"'
        return error(401, "UNAUTHORIZED", f"not with {given}", {"WWW-Authenticate": realm})

    return hook


@pytest.mark.parametrize("entry", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("accept", [True, False], ids=["accepted", "refused"])
def test_credentials_of_registries(
    tmp_path: Path, run: Callable[..., int], entry: Callable[[str], dict[str, Any]], accept: bool
) -> None:
    with RegistryServer() as server:
        with RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client:
            image = push_os_image(client, Repository(server.address, "a/b"), "t", version="1", seed="1")
        server.intercept = locked(server, accept=accept)
        auth = auth_file(tmp_path, server.address, entry(SECRET))
        flags = ["--authfile", auth, "--insecure-registry", server.address, "--results-dir", tmp_path]
        for words in (
            ["resolve-base", "--image", image],
            ["check-image", "--image", image, "--base", image],
            ["compare-images", "--old", image, "--new", image],
        ):
            code = run(steps.main, *words, *flags)
            usable = Keychain(auth).find(image.repository) is not None
            assert code == (0 if accept and usable else 3)
    assert_absent(*(path.read_text() for path in tmp_path.iterdir() if path != auth))


@pytest.mark.parametrize("entry", PLACES.values(), ids=PLACES)
def test_errors_and_values_hold_no_secret(tmp_path: Path, entry: Callable[[str], dict[str, Any]]) -> None:
    with RegistryServer() as server:
        server.intercept = locked(server, accept=False)
        auth = auth_file(tmp_path, server.address, entry(SECRET))
        repository = Repository(server.address, "a/b")
        credential = Keychain(auth).find(repository)
        assert_absent(repr(credential), str(credential), f"{credential}")
        settings = RegistrySettings(auth_file=auth, insecure=frozenset({server.address}))
        with RegistryClient(settings) as client, pytest.raises(LayerwatchError) as caught:
            client.manifest(repository.tagged("t"))
        assert_absent(repr(client), str(caught.value), repr(caught.value), repr(vars(caught.value)))
        assert_absent("".join(traceback.format_exception(caught.value)))


def test_a_file_that_is_no_json_is_not_quoted(tmp_path: Path, run: Callable[..., int]) -> None:
    auth = tmp_path / "auth.json"
    auth.write_text('{"auths": {"127.0.0.1:1": {"auth": "%s"' % base64.b64encode(f"joe:{SECRET}".encode()).decode())  # noqa: UP031
    assert run(steps.main, "resolve-base", "--image", "127.0.0.1:1/a:b", "--authfile", auth) == 2


def signed(status: int, location: str) -> Callable[[Asked], Answer | None]:
    return lambda asked: Answer(status=status, headers={"Location": location}) if "/blobs/" in asked.target else None


@pytest.mark.parametrize(
    "location",
    [
        f"http://127.0.0.1:1/blob?X-Amz-Signature={SECRET}",
        f"http://joe:{SECRET}@127.0.0.1:1/blob",
        f"/elsewhere?token={SECRET}",
        f"ftp://joe:{SECRET}@h/x",
        f"http://127.0.0.1:1\\@h/{SECRET}",
    ],
)
def test_addresses_that_a_registry_hands_out(tmp_path: Path, run: Callable[..., int], location: str) -> None:
    with RegistryServer() as server:
        with RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client:
            image = push_os_image(client, Repository(server.address, "a/b"), "t", version="1", seed="1")
        server.intercept = signed(307, location)
        assert run(steps.main, "resolve-base", "--image", image, "--insecure-registry", server.address) in (3, 4, 5)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Scenario, RegistryServer]]:
    """A whole world whose registry asks for a password."""
    with RegistryServer(check_password=one_of({"joe": SECRET})) as server:
        auth = auth_file(tmp_path, server.address, {"auth": base64.b64encode(f"joe:{SECRET}".encode()).decode()})
        settings = RegistrySettings(insecure=frozenset({server.address}), auth_file=auth)
        scenario = Scenario(
            directory=tmp_path, registry=server.address, settings=settings, extra_registries={"authFile": str(auth)}
        )
        yield scenario.set_up(), server


def everything_written(scenario: Scenario) -> list[str]:
    """All commits of the forge, and all that the image says of itself."""
    texts = [
        run_git(scenario.forge, ["log", "--all", "--patch", "--format=fuller"]),
        run_git(scenario.forge, ["for-each-ref"]),
    ]
    with RegistryClient(scenario.settings) as client:
        for tag in client.tags(scenario.target):
            found = client.manifest(scenario.target.tagged(tag))
            texts.append(found.raw.decode())
            if isinstance(found, ImageManifest):
                texts.append(client.config(scenario.target, found).raw.decode())
    return texts


def test_the_whole_job_with_a_password_for_the_registry(
    world: tuple[Scenario, RegistryServer], run: Callable[..., int]
) -> None:
    scenario, _ = world
    for words in (["validate"], ["check"], ["check", "--output", "json"], ["run", "--once", "--dry-run"]):
        assert run(watcher.main, *words, "-c", scenario.config) in (0, 10)
    assert run(watcher.main, "run", "--once", "-c", scenario.config) == 0
    assert scenario.proposal_commits()
    texts = everything_written(scenario)
    assert len(texts) > 3
    assert_absent(*texts)


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("http://joe:{secret}@127.0.0.1:1/x.git", {2}),  # the configuration takes no password
        ("http://{secret}@127.0.0.1:1/x.git", {2}),
        ("http://127.0.0.1:1/x.git?token={secret}", {2, 11}),
    ],
)
def test_a_configuration_with_a_secret_in_its_source(
    world: tuple[Scenario, RegistryServer], run: Callable[..., int], url: str, codes: set[int]
) -> None:
    scenario, _ = world
    source = {"git": url.format(secret=SECRET), "context": "worker", "containerfile": "worker/Containerfile"}
    scenario.configure(source=source)
    for words in (["validate"], ["check"], ["check", "--output", "json"], ["run", "--once"]):
        assert run(watcher.main, *words, "-c", scenario.config) in (codes if words != ["validate"] else codes | {0})


def test_a_request_with_a_password_in_its_source(
    world: tuple[Scenario, RegistryServer], run: Callable[..., int], tmp_path: Path
) -> None:
    scenario, server = world
    art = Repository(server.address, "openshift-release-dev/ocp-v4.0-art-dev")
    with RegistryClient(scenario.settings) as client:
        base = art.at(client.resolve(art.tagged("4.19.2-os")).digest)
    flags = ["--authfile", scenario.settings.auth_file, "--insecure-registry", server.address]
    with git_over_http(scenario.directory, "joe", SECRET) as address:
        request = {
            "apiVersion": "layerwatch/v1alpha1", "kind": "RebuildRequest", "image": "worker-os", "base": str(base),
            "release": None, "platforms": ["linux/amd64"],
            "source": {
                "git": f"http://joe:{SECRET}@{address}/os-images.git",
                "commit": run_git(scenario.source, ["rev-parse", "main"]).strip(),
                "context": "worker", "containerfile": "worker/Containerfile",
            },
            "target": f"{scenario.target}:one",
            "proposals": [{**scenario.proposal(), "repository": str(scenario.forge)}],
        }  # fmt: skip
        file = tmp_path / "request.json"
        file.write_text(json.dumps(request))
        assert run(steps.main, "run", "--request", file, *flags) == 0
        assert_absent(*everything_written(scenario))
        broken = {**request, "key": SECRET, "source": {**request["source"], "commit": "f" * 40}}  # type: ignore[dict-item]
        file.write_text(json.dumps(broken))
        assert run(steps.main, "run", "--request", file, *flags) == 2
        file.write_text(json.dumps({**broken, "key": None}))
        assert run(steps.main, "run", "--request", file, *flags) in (2, 3)
