"""One token for many repositories, and one for each where a service or a registry will not have that."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from layering.errors import NotFoundError, RefusedError, UnavailableError
from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_MANIFEST, sha256
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.settings import RegistrySettings
from tests.docker_registry import write_auth_file
from tests.registry.test_client_connections import MANIFEST, push_image
from tests.registry.token_service import docker_registry_and_tokens

MANY, SCOPES_MAX, BYTES_MAX = 50, 20, 4096
_SCOPE = re.compile(r"repository:(?P<path>[^:]+):(?P<actions>.+)")


@dataclass
class Service:
    """A registry with its token service. A token is its number; `tokens` are the scopes it was asked with.

    `grants` is what of the scopes a token gets. `several` is the answer to a request for more than one scope. A token
    that is not enough is answered `refuses`. `hidden` repositories may not be read by anybody.
    """

    server: RegistryServer
    client: RegistryClient
    tokens: list[Sequence[str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    grants: Callable[[Sequence[str]], Sequence[str]] = tuple
    several: Answer | None = None
    refuses: int = 401
    hidden: frozenset[str] = frozenset()
    revoked: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> Answer:
        with self.guard:
            return self._token(asked) if asked.target.startswith("/token") else self._manifest(asked)

    def _token(self, asked: Asked) -> Answer:
        self.tokens.append(tuple(parse_qs(urlsplit(asked.target).query)["scope"]))
        self.logins.append(asked.headers.get("authorization", ""))
        if self.several is not None and len(self.tokens[-1]) > 1:
            return self.several
        document = {"token": f"t{len(self.tokens)}", "expires_in": 300}
        return Answer(status=200, body=json.dumps(document).encode())

    def _manifest(self, asked: Asked) -> Answer:
        self.asked.append(asked.target)
        path = asked.target.removeprefix("/v2/").partition("/manifests/")[0]
        challenge = {"WWW-Authenticate": f'Bearer realm="{self.server.url}/token",service="s"'}
        number = int(asked.headers.get("authorization", "Bearer t0").removeprefix("Bearer t"))
        if number <= self.revoked:
            return error(401, "UNAUTHORIZED", "no", challenge)
        scopes = [_SCOPE.fullmatch(scope) for scope in self.grants(self.tokens[number - 1])]
        allowed = {scope["path"] for scope in scopes if scope and "pull" in scope["actions"]} - self.hidden
        if path not in allowed:
            return error(self.refuses, "DENIED", "no", challenge if self.refuses == 401 else None)
        if asked.target.endswith("/none"):
            return error(404, "MANIFEST_UNKNOWN", "no")
        return Answer(status=200, headers={"Content-Type": OCI_MANIFEST}, body=MANIFEST)

    def repository(self, path: str | int) -> Repository:
        return Repository(self.server.address, f"os/r{path}" if isinstance(path, int) else path)

    def expect(self, count: int = MANY) -> None:
        self.client.expect(self.repository(number).tagged("t") for number in range(count))

    def resolve(self, path: str | int, tag: str = "t") -> None:
        self.client.manifest(self.repository(path).tagged(tag))

    def resolve_all(self, count: int = MANY) -> None:
        for number in range(count):
            self.resolve(number)


@pytest.fixture
def service() -> Iterator[Service]:
    with RegistryServer() as server:
        settings = RegistrySettings(insecure=frozenset({server.address}))
        with RegistryClient(settings, sleep=lambda seconds: None) as client:
            made = Service(server, client)
            server.intercept = made.answer
            yield made


def test_repositories_that_were_announced_share_tokens(service: Service) -> None:
    service.expect()
    service.resolve_all()
    assert [len(scopes) for scopes in service.tokens] == [SCOPES_MAX, SCOPES_MAX, MANY - 2 * SCOPES_MAX]
    assert len(service.asked) == 2 + MANY  # which scheme, and what it asks for


def test_threads_share_them_as_well(service: Service) -> None:
    service.expect()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(service.resolve, range(MANY)))
    assert len(service.tokens) == 3


def test_repositories_that_were_read_before_share_the_next_token(service: Service) -> None:
    service.resolve_all(10)
    assert len(service.tokens) == 10
    service.revoked = 10
    service.resolve_all(10)
    assert len(service.tokens) == 10 + 10  # each is refused the token that it has, and asks for no more than it must


@pytest.mark.parametrize("status", [400, 401, 403, 404, 431])
def test_a_registry_where_only_the_first_scope_counts_gets_a_token_for_each(service: Service, status: int) -> None:
    service.grants, service.refuses = (lambda scopes: scopes[:1]), status
    service.expect()
    service.resolve_all()
    service.resolve_all()
    assert [len(scopes) for scopes in service.tokens] == [SCOPES_MAX] + [1] * (MANY - 1)
    refused = len(service.asked) - 2 * MANY
    assert refused <= 1 + SCOPES_MAX


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_takes_no_shared_token_at_all(service: Service, status: int) -> None:
    service.grants, service.refuses = (lambda scopes: scopes if len(scopes) == 1 else ()), status
    service.expect()
    service.resolve_all()
    assert [len(scopes) for scopes in service.tokens] == [SCOPES_MAX] + [1] * MANY


@pytest.mark.parametrize(
    "several",
    [
        error(400, "UNSUPPORTED", "one scope"),
        error(403, "DENIED", "one of them is not yours"),
        error(500, "UNKNOWN", "?"),
        Answer(status=414),
        Answer(status=302, headers={"Location": "/login"}),
        Answer(status=200, body=b"{}"),
    ],
    ids=lambda answer: str(answer.status),
)
def test_a_service_that_gives_no_shared_token_is_asked_for_one_each(service: Service, several: Answer) -> None:
    service.several = several
    service.expect()
    service.resolve_all()
    asked = [scopes for scopes in service.tokens if len(scopes) > 1]
    assert len(set(asked)) == 1
    assert [len(scopes) for scopes in service.tokens[len(asked) :]] == [1] * MANY


def test_a_service_that_has_no_time_is_not_asked_twice(service: Service) -> None:
    service.several = error(429, "TOOMANYREQUESTS", "later")
    service.expect()
    with pytest.raises(UnavailableError, match="429"):
        service.resolve(0)
    assert {len(scopes) for scopes in service.tokens} == {SCOPES_MAX}
    service.several = None
    service.resolve_all()
    assert [len(scopes) for scopes in service.tokens][-3:] == [SCOPES_MAX, SCOPES_MAX, MANY - 2 * SCOPES_MAX]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_one_repository_that_may_not_be_read_costs_itself(service: Service, status: int) -> None:
    service.refuses, service.hidden = status, frozenset({"os/r7"})
    service.expect()
    for _ in range(2):
        for number in range(MANY):
            if number != 7:
                service.resolve(number)
                continue
            with pytest.raises(RefusedError, match=str(status)):
                service.resolve(number)
    assert [len(scopes) for scopes in service.tokens if len(scopes) > 1] == [20, 20, 10]
    assert all(scopes == ("repository:os/r7:pull",) for scopes in service.tokens if len(scopes) == 1)


def test_a_tag_that_is_not_there_is_believed_where_the_token_has_served(service: Service) -> None:
    service.expect(3)
    service.resolve_all(3)
    for _ in range(5):
        with pytest.raises(NotFoundError):
            service.resolve(1, "none")
    assert len(service.tokens) == 1


def test_a_tag_that_is_not_there_at_first_is_asked_for_once_more(service: Service) -> None:
    service.expect()
    for _ in range(5):
        with pytest.raises(NotFoundError):
            service.resolve(1, "none")
    service.resolve(1)
    service.resolve_all()
    assert sorted(len(scopes) for scopes in service.tokens) == [1, 10, 20, 20]


def test_a_shared_token_that_is_revoked_is_replaced_for_all(service: Service) -> None:
    service.expect(5)
    service.resolve_all(5)
    service.revoked = 1
    service.resolve_all(5)
    assert [len(scopes) for scopes in service.tokens] == [5, 5]


def test_a_token_to_push_is_shared_with_nobody(service: Service) -> None:
    service.expect(5)
    service.client.push_manifest(service.repository(3).tagged("new"), MANIFEST, OCI_MANIFEST)
    assert service.tokens == [("repository:os/r3:pull,push",)]


def test_what_is_asked_for_is_bounded_in_bytes(service: Service) -> None:
    paths = [f"os/{'x' * 200}{number}" for number in range(MANY)]
    service.client.expect(service.repository(path).tagged("t") for path in paths)
    for path in paths:
        service.resolve(path)
    targets = [served.path for served in service.server.requests if served.path.startswith("/token")]
    assert len(targets) == len(service.tokens) < MANY / 10
    assert max(map(len, targets)) < BYTES_MAX + 300


def test_each_credential_has_tokens_of_its_own(tmp_path: Path) -> None:
    with RegistryServer() as server:
        auth_file = write_auth_file(tmp_path / "auth.json", server.address, "joe", "pw")
        document = json.loads(auth_file.read_text())
        document["auths"][f"{server.address}/os/r1"] = {"username": "ann", "password": "other"}
        auth_file.write_text(json.dumps(document))
        settings = RegistrySettings(auth_file=auth_file, insecure=frozenset({server.address}))
        with RegistryClient(settings) as client:
            service = Service(server, client)
            server.intercept = service.answer
            service.expect(4)
            service.resolve_all(4)
    assert [set(scopes) for scopes in service.tokens] == [
        {f"repository:os/r{number}:pull" for number in (0, 2, 3)},
        {"repository:os/r1:pull"},
    ]
    assert len(set(service.logins)) == 2


def test_docker_registry_takes_a_shared_token(tmp_path: Path) -> None:
    with docker_registry_and_tokens(tmp_path) as (address, settings, tokens):
        references = [Repository(address, f"os/r{number}").tagged("t") for number in range(5)]
        with RegistryClient(settings) as client:
            for reference in references:
                push_image(client, reference.repository)
        before = len(tokens.requests)
        with RegistryClient(settings) as client:
            client.expect(references)
            assert {client.resolve(reference).digest for reference in references} == {sha256(MANIFEST)}
        assert len(tokens.requests) == before + 1
