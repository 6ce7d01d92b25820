"""The registry of a row, the thief beside it, and the secrets that are planted with the client."""

import base64
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked, error
from layering.registry.storage import MemoryStorage
from tests.docker_registry import make_certificate
from tests.registry.hostile.goods import PATH, TAG, stored
from tests.registry.hostile.rows import Raw, Row

SECRET, OTHER_SECRET = "pl4nted-s3cret", "an0ther-s3cret"
LOGIN = base64.b64encode(f"joe:{SECRET}".encode()).decode()
_OTHER_LOGIN = base64.b64encode(f"joe:{OTHER_SECRET}".encode()).decode()
SPELLINGS = [
    spelt
    for secret in (SECRET, OTHER_SECRET, LOGIN, _OTHER_LOGIN)
    for spelt in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("="))
]
BASIC = {"WWW-Authenticate": 'Basic realm="registry"'}
_HEAD_BYTES_MAX = 256 * 1024


@dataclass
class World:
    """One row's registry and its neighbours. `heard` is what the thief heard, `told` what the registry did."""

    ours: str
    thief: str
    thief_tls: str
    port: int
    certificate: Path
    heard: list[str] = field(default_factory=list)
    told: list[Asked] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.ours.partition("://")[2]

    def order(self, row: Row, home: Path) -> dict[str, Any]:
        """What the victim is told."""
        auths = {self.address: row.login or {"auth": LOGIN}}
        for elsewhere in (self.thief, self.thief_tls):
            auths[elsewhere.partition("://")[2]] = {"auth": _OTHER_LOGIN}
        auth_file = home / "auth.json"
        auth_file.write_text(json.dumps({"auths": auths}))
        return {
            "do": row.do,
            "address": self.address,
            "auth_file": str(auth_file),
            "ca_file": str(self.certificate) if row.is_tls else "",
            "insecure": [] if row.is_tls else [self.address],
            "realms": {},
            "seconds": row.seconds,
            "names": dict(row.names),
            "is_public": row.is_public,
            **row.settings,
        }


@dataclass(frozen=True)
class Stage:
    """What all rows share: a store with the good image, of which each has a copy, and a certificate."""

    storage: MemoryStorage
    tls: tuple[Path, Path]

    @classmethod
    def made(cls, home: Path) -> "Stage":
        return cls(stored(PATH, TAG), make_certificate(home))

    @contextmanager
    def world(self, row: Row) -> Iterator[World]:
        """Everything runs. The registry asks for the password before it misbehaves, so that the client sends it."""
        heard: list[str] = []
        told: list[Asked] = []

        def registry(asked: Asked) -> Answer | None:
            told.append(asked)
            if not row.is_open and "authorization" not in asked.headers:
                return error(401, "UNAUTHORIZED", "who are you", BASIC)
            return row.does(world, asked) if row.does else None

        def elsewhere(asked: Asked) -> Answer | None:
            heard.append(_all_of(asked))
            return row.thief(world, asked) if row.thief else None

        with ExitStack() as stack:
            thief = stack.enter_context(RegistryServer(host="127.0.0.2", intercept=elsewhere))
            safe = stack.enter_context(RegistryServer(tls=self.tls, intercept=elsewhere))
            if row.raw is not None:
                ours = stack.enter_context(raw_server(row.raw, is_open=row.is_open))
            else:
                tls = self.tls if row.is_tls else None
                ours = stack.enter_context(RegistryServer(deepcopy(self.storage), tls=tls, intercept=registry)).url
            world = World(
                ours=ours,
                thief=thief.url,
                thief_tls=safe.url.replace("127.0.0.1", "localhost"),
                port=int(thief.url.rpartition(":")[2]),
                certificate=self.tls[0],
                heard=heard,
                told=told,
            )
            yield world


def _all_of(asked: Asked) -> str:
    """One request in one text, for secrets to be looked for in it."""
    head = [f"{name}: {value}" for name, value in asked.headers.items()]
    body = asked.body.whole(1 << 20).decode("latin-1")
    return "\n".join([asked.method, asked.target, unquote(asked.target), *head, body, unquote(body)])


class _NoBody:
    def chunks(self) -> Iterator[bytes]:
        return iter(())

    def whole(self, limit_bytes: int) -> bytes:
        return b""


_PING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_CHALLENGE = (
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
)


@contextmanager
def raw_server(raw: Raw, *, is_open: bool) -> Iterator[str]:
    """A server that writes what `raw` gives, and then ends the connection. It is asked for the password first."""
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            asked = _asked(connection)
            if asked is None:
                return
            if asked.target == "/v2/":
                connection.sendall(_PING)
                return
            if not is_open and "authorization" not in asked.headers:
                connection.sendall(_CHALLENGE)
                return
            for piece in raw(asked):
                if ended.is_set():
                    return
                connection.sendall(piece)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)


def _asked(connection: socket.socket) -> Asked | None:
    """One request's head; None for what is none, as a TLS handshake."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES_MAX:
        data = connection.recv(65536)
        if not data or (not head and data[:1] == b"\x16"):
            return None
        head += data
    lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, *_ = lines[0].split(" ")
    headers: Mapping[str, str] = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
    }
    return Asked(method=method, target=target, headers=headers, body=_NoBody())
