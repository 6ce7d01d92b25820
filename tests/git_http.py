"""Git repositories over http with a password, served by git's own http-backend; a test may come between.

What is served otherwise can be come between in the same way: see `serving` and tests/forges/relay.py.
"""

import base64
import contextlib
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.parts import require


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request. `target` is its path with the query; names of `headers` are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def kind(self) -> str:
        """What for: `GET refs to read`, `POST fetch or list`, `GET refs to push`, `POST push`."""
        push = "receive-pack" in self.target
        if self.method == "GET":
            return "GET refs to push" if push else "GET refs to read"
        return "POST push" if push else "POST fetch or list"


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """An answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Between = Callable[[Asked, Callable[[], Served]], Served | None]
"""What is answered instead: of the request, and what git's backend would answer when asked. None: the line drops."""


Serve = Callable[[Asked, bytes], Served]
"""Answers a request with this body."""


@contextmanager
def git_over_http(
    root: Path,
    user: str,
    password: str,
    between: Between = lambda _, serve: serve(),
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """HOST:PORT under which the bare repositories below `root` are."""
    login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    with serving(lambda asked, body: git_served(root, login, asked, body), between, tls) as address:
        yield address


@contextmanager
def serving(serve: Serve, between: Between, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """HOST:PORT of a server on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(serve, between)) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _handler(serve: Serve, between: Between) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(method=self.command, target=self.path, headers=headers)
            served = between(asked, lambda: serve(asked, body))
            if served is None:
                self.close_connection = True
                return
            self.send_response_only(served.status)
            ours = {"Content-Length": str(len(served.body)), "Date": self.date_time_string()}
            for name, value in {**ours, **served.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who asked may be dead by now
                self.wfile.write(served.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 names are http.server's

        def log_message(self, format: str, *args: object) -> None:
            """The test looks at what our side prints."""

    return Handler


def git_served(root: Path, login: str, asked: Asked, body: bytes) -> Served:
    """What git's backend answers about the repositories below `root`; 401 to any header but `login`."""
    if asked.headers.get("authorization") != login:
        return Served(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
    head, _, content = _backend(root, asked, body).partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    return Served(status=int(fields.pop("Status", "200 OK").split()[0]), headers=fields, body=content)


def _backend(root: Path, asked: Asked, body: bytes) -> bytes:
    path, _, query = asked.target.partition("?")
    environment = {
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": asked.method,
        "CONTENT_TYPE": asked.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": asked.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
    }
    argv = [require("git"), "http-backend"]  # it fails for a commit that is not there, after saying so to the client
    done = subprocess.run(argv, input=body, env={**os.environ, **environment}, capture_output=True)
    return done.stdout
