"""The part of a kubelet's HTTPS server that the API server asks for `pods/log`.

    GET /containerLogs/NAMESPACE/POD/CONTAINER?tailLines=N&limitBytes=N

It follows nothing, keeps no earlier containers, and asks nobody who they are: it listens on 127.0.0.1. The API server
believes its certificate, since it has no --kubelet-certificate-authority.
"""

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FindLog = Callable[[str, str, str], Path | None]  # namespace, pod, container


class LogServer:
    """Serves until `close`; `port` is where."""

    def __init__(self, find: FindLog, certificate: Path, key: Path) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(find))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(find: FindLog) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            parts = asked.path.strip("/").split("/")
            log = find(*parts[1:]) if len(parts) == 4 and parts[0] == "containerLogs" else None
            query = {key: int(values[0]) for key, values in parse_qs(asked.query).items() if values[0].isdigit()}
            content = _cut(log.read_bytes(), query) if log is not None and log.exists() else b""
            self.send_response(404 if log is None else 200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """The test looks at what our side prints."""

    return Handler


def _cut(content: bytes, query: dict[str, int]) -> bytes:
    if "tailLines" in query:
        lines = content.splitlines(keepends=True)
        content = b"".join(lines[len(lines) - min(query["tailLines"], len(lines)) :])
    return content[: query.get("limitBytes", len(content))]
