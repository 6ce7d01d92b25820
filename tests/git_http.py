"""Git repositories over http with a password, served by git's own http-backend."""

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.parts import require


@contextmanager
def git_over_http(root: Path, user: str, password: str) -> Iterator[str]:
    """HOST:PORT under which the bare repositories below `root` are."""
    login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(root, login)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _handler(root: Path, login: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.headers.get("Authorization") != login:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
                return
            head, _, content = _backend(root, self.command, self.path, self.headers, body).partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815 names are http.server's

        def log_message(self, format: str, *args: object) -> None:
            """The test looks at what our side prints."""

    return Handler


def _backend(root: Path, method: str, target: str, headers: object, body: bytes) -> bytes:
    path, _, query = target.partition("?")
    get = headers.get  # type: ignore[attr-defined] # email.message.Message
    environment = {
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "CONTENT_TYPE": get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": get("Content-Encoding", ""),
        "GIT_PROTOCOL": get("Git-Protocol", ""),
    }
    argv = [require("git"), "http-backend"]  # it fails for a commit that is not there, after saying so to the client
    done = subprocess.run(argv, input=body, env={**os.environ, **environment}, capture_output=True)
    return done.stdout
