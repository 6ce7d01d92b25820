"""A fleet of clusters that answer as one real API server did: its answers recorded byte for byte, and given again.

Fifty API servers do not fit on one machine. So one is filled and asked, and what it said is served over TLS under a
path for each cluster, with the cluster's name in the place of the recorded one's. Two states are recorded, before and
after an upgrade, and the event with which the real server tells of the change. A request that was never recorded is
answered with 501, so that nothing is made up.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import requests
import yaml

from tests.kubernetes.certificates import CertificateFiles
from tests.kubernetes.server import TestApiServer

RECORDED = "fleet-00"  # all names are as long as this one


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the real server said."""

    status: int
    content_type: str
    body: bytes


Asked = tuple[str, str]  # path with query, Accept header
State = dict[Asked, Answer]


class Recorder:
    """Asks the real server and gives back what it said, unread."""

    def __init__(self, server: TestApiServer) -> None:
        (user,) = yaml.safe_load(server.kubeconfig.read_text())["users"]
        self._url = server.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(server.ca_file)
        authorization = f"Bearer {user['user']['token']}"
        self._session.headers.update({"Authorization": authorization, "Accept-Encoding": "identity"})

    def answer(self, asked: Asked) -> Answer:
        """One answer, whole."""
        path, accept = asked
        got = self._session.get(self._url + path, headers={"Accept": accept}, timeout=30)
        return Answer(status=got.status_code, content_type=got.headers.get("Content-Type", ""), body=got.content)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


class RecordedFleet:
    """Serves the clusters until closed; use it in a `with`. Counts what is asked, watches apart.

    While `recorder` is set, what is not known yet is asked there and kept in the state that is served.
    """

    def __init__(self, certificates: CertificateFiles) -> None:
        self.recorder: Recorder | None = None
        self.before: State = {}
        self.after: State = {}
        self.events: dict[Asked, Answer] = {}  # of watches, by path without query
        self.asked: Counter[str] = Counter()  # by cluster
        self.paths: list[tuple[str, str, str]] = []  # cluster, path with query, Accept
        self.unknown: list[Asked] = []
        self.watches: Counter[str] = Counter()
        self._upgraded: set[str] = set()
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _handler(self), certificates)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    def url(self, cluster: str) -> str:
        """Where that cluster's API is."""
        return f"https://127.0.0.1:{self._server.server_address[1]}/{cluster}"

    def upgrade(self, cluster: str) -> None:
        """It answers as the real server did after the upgrade, and its watches tell."""
        with self._changed:
            self._upgraded.add(cluster)
            self._changed.notify_all()

    def rewind(self) -> None:
        """All of them are as before the upgrade."""
        self._upgraded.clear()

    def is_upgraded(self, cluster: str) -> bool:
        """Whether it was."""
        return cluster in self._upgraded

    def reset(self) -> None:
        """Count from nothing again."""
        self.asked, self.paths = Counter(), []

    def answer(self, cluster: str, asked: Asked) -> Answer:
        """What this cluster says."""
        self.asked[cluster] += 1
        self.paths.append((cluster, *asked))
        state = self.after if cluster in self._upgraded else self.before
        if asked not in state and self.recorder is not None:
            state[asked] = self.recorder.answer(asked)
        if asked not in state:
            self.unknown.append(asked)
            return Answer(status=501, content_type="text/plain", body=b"never recorded")
        return state[asked]

    def wait_for_upgrade(self, cluster: str, seconds: float) -> bool:
        """Whether it is upgraded within this time."""
        with self._changed:
            return self._changed.wait_for(lambda: cluster in self._upgraded, seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], certificates: CertificateFiles
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.server, certificates.server_key)
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, peer = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no matter."""


def _handler(fleet: RecordedFleet) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            _, cluster, rest = self.path.split("/", 2)
            asked = (f"/{rest}", self.headers.get("Accept", ""))
            query = parse_qs(urlsplit(rest).query)
            if "watch" in query:
                self._watch(cluster, asked, float(query["timeoutSeconds"][0]))
                return
            answer = fleet.answer(cluster, asked)
            self._head(answer.status, answer.content_type, ("Content-Length", str(len(answer.body))))
            self.wfile.write(_named(answer.body, cluster))

        def _watch(self, cluster: str, asked: Asked, seconds: float) -> None:
            fleet.watches[cluster] += 1
            self._head(200, "application/json", ("Transfer-Encoding", "chunked"))
            self.wfile.flush()
            ends = time.monotonic() + seconds
            event = fleet.events.get((urlsplit(asked[0]).path, asked[1]))
            if not fleet.is_upgraded(cluster) and fleet.wait_for_upgrade(cluster, seconds) and event is not None:
                self._chunk(_named(event.body, cluster))
            time.sleep(max(0.0, ends - time.monotonic()))
            self._chunk(b"")

        def _head(self, status: int, content_type: str, length: tuple[str, str]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header(*length)
            self.end_headers()

        def _chunk(self, data: bytes) -> None:
            with contextlib.suppress(OSError):  # the watcher went away
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
                self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """What is asked is counted."""

    return Handler


def _named(body: bytes, cluster: str) -> bytes:
    return body.replace(RECORDED.encode(), cluster.encode())
