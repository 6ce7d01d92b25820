"""GitHub Actions as far as builds see it: dispatches make runs, which a test brings to their end.

docs.github.com/rest/actions: workflow dispatch events, workflow runs, workflow jobs. The title of a run is what the
run-name of github-actions/workflows/rebuild.yml makes of its inputs.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.engines.actions_documents import failed_job, run
from tests.forges.github.described import judged
from tests.forges.github.pages import as_json
from tests.git_http import Asked, Served, serving

DETAILS = "return_run_details"
RUN_NAME = "Rebuild {image} [{key}/{attempt}]"
_SITE, _REPOSITORY = "https://github.test", "acme/builds"
_RUNS = re.compile(r"/repos/acme/builds/actions/workflows/rebuild\.yml/(dispatches|runs)")
_RUN = re.compile(r"/repos/acme/builds/actions/runs/(\d+)(?:/(jobs|cancel))?")


@dataclass(kw_only=True)
class Actions:
    """`bodies` are the dispatches as they came; `knows_details`: as Enterprise Server does from 3.21 on.

    `drops`: the next dispatch is done, and its answer is lost; `loses`: it is lost itself. `hides`: so many listings
    more do not have the newest. `refuses` are answers to dispatches or cancels instead. `run_name` makes a title of
    image, key and attempt. `hidden_when_dispatched`: so many listings do not have what is dispatched next. Runs with
    the numbers in `deleted` are gone. `asked` is how many requests came.
    """

    address: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    knows_details: bool = True
    no_details: Any = field(
        default_factory=lambda: {"message": f'Invalid request.\n\n"{DETAILS}" is not a permitted key.'}
    )
    drops: bool = False
    loses: bool = False
    hides: int = 0
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)
    run_name: str = RUN_NAME
    hidden_when_dispatched: int = 0
    deleted: list[int] = field(default_factory=list)
    asked: int = 0

    def dispatch(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.bodies.append(body)
        if DETAILS in body and not self.knows_details:
            return 422, self.no_details
        inputs = body["inputs"]
        self.hides, self.hidden_when_dispatched = self.hides or self.hidden_when_dispatched, 0
        made = self.begin(json.loads(inputs["request"])["image"], inputs["key"], inputs["attempt"], ref=body["ref"])
        if not self.knows_details:
            return 204, None
        return 200, {"workflow_run_id": made["id"], "run_url": made["url"], "html_url": made["html_url"]}

    def begin(self, image: str, key: str, attempt: str = "1", *, ref: str = "main") -> dict[str, Any]:
        """Whoever dispatched it."""
        title = self.run_name.format(image=image, key=key, attempt=attempt)
        number, now = len(self.runs) + 1, at()
        made = run(_SITE, _REPOSITORY, number, workflow="rebuild.yml", ref=ref, title=title, now=now)
        self.runs.append(made)
        return made

    def run_again(self, number: int) -> None:
        """A person has it run again, now."""
        self.runs[number - 1] |= {"status": "in_progress", "conclusion": None, "run_started_at": at(), "run_attempt": 2}

    def end(self, conclusion: str, *, ago: timedelta = timedelta()) -> None:
        """The newest run ended so, so long ago."""
        self.runs[-1] |= {"status": "completed", "conclusion": conclusion, "updated_at": at(-ago)}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked += 1
        if found := _RUNS.fullmatch(path):
            if found[1] == "dispatches" and "dispatch" in self.refuses:
                return refused(*self.refuses["dispatch"])
            if found[1] == "dispatches":
                return self.dispatch(body)
            listed = [run for run in self.runs[::-1] if run["id"] not in self.deleted]
            if listed and self.hides:
                listed, self.hides = listed[1:], self.hides - 1
            return 200, {"total_count": len(listed), "workflow_runs": listed}
        if found := _RUN.fullmatch(path):
            asked = self.runs[int(found[1]) - 1]
            if asked["id"] in self.deleted:
                return refused(404, "Not Found")
            if found[2] is None:
                return 200, asked
            if found[2] == "cancel" and "cancel" in self.refuses:
                return refused(*self.refuses["cancel"])
            if found[2] == "jobs":
                job = failed_job(asked, "image", {"check out": "success", "rebuild": "failure"})
                return 200, {"total_count": 1, "jobs": [job]}
            asked |= {"status": "completed", "conclusion": "cancelled", "updated_at": at()}
            return 202, {}
        return 404, {"message": f"no {method} {path}"}


def at(later: timedelta = timedelta()) -> str:
    """As GitHub writes when something was."""
    return f"{datetime.now(UTC) + later:%Y-%m-%dT%H:%M:%SZ}"


def refused(status: int, message: str) -> tuple[int, Any]:
    return status, {"message": message, "documentation_url": "https://docs.github.test/rest"}


@contextmanager
def actions_served() -> Iterator[Actions]:
    """On 127.0.0.1. What it is asked and answers must be as GitHub describes it (tests/forges/github/described.py)."""
    actions = Actions()

    def answer(asked: Asked, body: bytes) -> Served:
        status, document = actions.answer(asked.method, asked.target.partition("?")[0], json.loads(body or b"{}"))
        served = Served(status=204) if document is None else as_json(status, document)
        return heard.note(asked, body, served)

    def between(asked: Asked, serve: Callable[[], Served]) -> Served | None:
        if actions.loses and asked.method == "POST":
            actions.loses = False
            return None
        served = serve()
        drops, actions.drops = actions.drops and asked.method == "POST", actions.drops and asked.method != "POST"
        return None if drops else served

    with judged() as heard, serving(answer, between) as address:
        actions.address = address
        yield actions
