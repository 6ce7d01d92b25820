"""GitHub Actions as far as builds see it: dispatches make runs, which a test brings to their end.

docs.github.com/rest/actions: workflow dispatch events, workflow runs, workflow jobs. The title of a run is what the
run-name of github-actions/workflows/rebuild.yml makes of its inputs.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DETAILS = "return_run_details"
_RUNS = re.compile(r"/repos/acme/builds/actions/workflows/rebuild\.yml/(dispatches|runs)")
_RUN = re.compile(r"/repos/acme/builds/actions/runs/(\d+)/(jobs|cancel)")


@dataclass(kw_only=True)
class Actions:
    """`bodies` are the dispatches as they came; `knows_details`: as Enterprise Server does from 3.21 on.

    `drops`: the next dispatch is done, and its answer is lost. `title` is made of a run's inputs.
    """

    address: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    knows_details: bool = True
    drops: bool = False

    def dispatch(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.bodies.append(body)
        if DETAILS in body and not self.knows_details:
            return 422, {"message": f'Invalid request.\n\n"{DETAILS}" is not a permitted key.'}
        inputs = body["inputs"]
        number, image = len(self.runs) + 1, json.loads(inputs["request"])["image"]
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        self.runs.append(
            {
                "id": number,
                "name": "rebuild",
                "display_title": f"Rebuild {image} [{inputs['key']}/{inputs['attempt']}]",
                "html_url": f"https://github.test/acme/builds/actions/runs/{number}",
                "status": "queued",
                "conclusion": None,
                "created_at": now,
                "updated_at": now,
            }
        )
        if not self.knows_details:
            return 204, None
        return 200, {"workflow_run_id": number, "run_url": "https://github.test/", "html_url": "https://github.test/"}

    def end(self, conclusion: str, *, ago: timedelta = timedelta()) -> None:
        """The newest run ended so, so long ago."""
        ended = f"{datetime.now(UTC) - ago:%Y-%m-%dT%H:%M:%SZ}"
        self.runs[-1] |= {"status": "completed", "conclusion": conclusion, "updated_at": ended}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if found := _RUNS.fullmatch(path):
            if found[1] == "dispatches":
                return self.dispatch(body)
            return 200, {"total_count": len(self.runs), "workflow_runs": self.runs[::-1]}
        if found := _RUN.fullmatch(path):
            run = self.runs[int(found[1]) - 1]
            if found[2] == "jobs":
                steps = [{"name": "check out", "conclusion": "success"}, {"name": "rebuild", "conclusion": "failure"}]
                return 200, {"total_count": 1, "jobs": [{"name": "image", "conclusion": "failure", "steps": steps}]}
            run |= {"status": "completed", "conclusion": "cancelled"}
            return 202, {}
        return 404, {"message": f"no {method} {path}"}


@contextmanager
def actions_served() -> Iterator[Actions]:
    """On 127.0.0.1."""
    actions = Actions()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, document = actions.answer(self.command, self.path.partition("?")[0], json.loads(raw or b"{}"))
            if actions.drops and self.command == "POST":
                actions.drops, self.close_connection = False, True
                return
            content = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815 names of http.server

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    actions.address = f"127.0.0.1:{server.server_port}"
    try:
        yield actions
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
