"""GitHub Actions as builds see it: dispatch a workflow, list its runs, name the step that failed, cancel.

docs.github.com/rest/actions: "Create a workflow dispatch event", "List workflow runs for a workflow", "List jobs for a
workflow run", "Get a workflow run", "Cancel a workflow run". What runs mean for a build is not known here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from layering.errors import InputError, NotFoundError, UnavailableError
from layering.forge.apihost import moment
from layering.forge.exchange import Exchange
from layering.reasons import Reason

_PAGE_LENGTH = 100
_PAGES_MAX = 5  # the newest 500 runs; GitHub itself gives no more than 1,000
_DETAILS = "return_run_details"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowRun:
    """One run. `title` is what the workflow's run-name made of it; `conclusion` is None until it has ended. `created`
    stays when it is run again, and `started` does not.
    """

    id: int
    title: str
    url: str
    status: str
    conclusion: str | None
    created: datetime
    started: datetime
    updated: datetime

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.status == "completed"


class Workflows:
    """The runs of workflows. Safe to use from threads; raises what Exchange raises."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def close(self) -> None:
        """Close all connections."""
        self._exchange.close()

    def dispatch(self, repository: str, workflow: str, ref: str, inputs: Mapping[str, str]) -> int | None:
        """Start a run; its number, where the server tells it. Raises LostAnswerError when it may have been started:
        look for it before another try.

        Raises InputError (BuildMisconfigured) when the workflow does not take it, NotFoundError when it is not there.
        """
        self._exchange.begin()
        path = f"{_workflow(repository, workflow)}/dispatches"
        body: dict[str, Any] = {"ref": ref, "inputs": dict(inputs)}
        where = f"{repository}: {workflow} at {ref}"
        try:
            answer = self._exchange.send("POST", path, {**body, _DETAILS: True}, expect=(400, 422))
            if answer.status >= 400 and _DETAILS in answer.message:  # Enterprise Server up to 3.20
                answer = self._exchange.send("POST", path, body, expect=(400, 422))
        except NotFoundError as error:
            error.next_step = "see whether the workflow is there, and whether the token may write actions"
            raise
        if answer.status >= 400:
            raise InputError(
                f"the workflow does not take it: {answer.message}",
                where=where,
                next_step=_next_step(answer.message),
                reason=Reason.BUILD_MISCONFIGURED,
            )
        number = answer.json.get("workflow_run_id") if isinstance(answer.json, dict) else None
        return number if type(number) is int else None

    def run(self, repository: str, run: int) -> WorkflowRun:
        """One run. Raises NotFoundError when it is not there, or not yet."""
        self._exchange.begin()
        answer = self._exchange.get(f"{_runs(repository)}/{run}")
        return _run(answer.json if isinstance(answer.json, dict) else {})

    def runs(self, repository: str, workflow: str) -> Sequence[WorkflowRun]:
        """The dispatched runs of a workflow, newest first; of very many only the newest."""
        self._exchange.begin()
        path = f"{_workflow(repository, workflow)}/runs"
        parameters: Mapping[str, str | int] = {"event": "workflow_dispatch", "per_page": _PAGE_LENGTH}
        try:
            pages = list(self._exchange.pages(path, parameters, _PAGES_MAX))
        except NotFoundError as error:
            error.next_step = "see whether the workflow is there, and whether the token may read actions"
            raise
        return [_run(item) for page in pages for item in _items(page.json, "workflow_runs")]

    def failing(self, repository: str, run: int) -> tuple[str, str] | None:
        """The first job that failed and its first step that did (empty when none did); None when no job failed."""
        self._exchange.begin()
        answer = self._exchange.get(f"{_runs(repository)}/{run}/jobs", {"per_page": _PAGE_LENGTH})
        failed = next((job for job in _items(answer.json, "jobs") if _has_failed(job)), None)
        if failed is None:
            return None
        steps = filter(_has_failed, _items(failed, "steps") if failed.get("steps") else ())
        return str(failed.get("name")), next((str(step.get("name")) for step in steps), "")

    def cancel(self, repository: str, run: int) -> None:
        """Ask a run to end. One that has ended stays as it is."""
        self._exchange.begin()
        self._exchange.send("POST", f"{_runs(repository)}/{run}/cancel", expect=(409,))


_FAILED = {"failure", "timed_out", "startup_failure"}
_NEXT_STEPS = (  # by GitHub's words
    (re.compile(r"no ref found", re.IGNORECASE), "set build.ref to a branch or tag of that repository"),
    (re.compile(r"disabled", re.IGNORECASE), "enable the workflow there: Actions, the workflow, Enable workflow"),
)


def _next_step(said: str) -> str:
    known = next((step for words, step in _NEXT_STEPS if words.search(said)), None)
    return known or "copy github-actions/workflows/rebuild.yml there; its inputs are request, key and attempt"


def _runs(repository: str) -> str:
    return f"repos/{_quoted(repository)}/actions/runs"


def _workflow(repository: str, workflow: str) -> str:
    return f"repos/{_quoted(repository)}/actions/workflows/{quote(workflow, safe='')}"


def _quoted(repository: str) -> str:
    return "/".join(quote(part, safe="") for part in repository.split("/"))


def _has_failed(item: Mapping[str, Any]) -> bool:
    return str(item.get("conclusion")) in _FAILED


def _items(document: Any, key: str) -> Sequence[Mapping[str, Any]]:
    listed = document.get(key) if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise _odd(f"its answer has no list of {key}")
    return listed


def _run(item: Mapping[str, Any]) -> WorkflowRun:
    try:
        return WorkflowRun(
            id=int(item["id"]),
            title=str(item.get("display_title") or item.get("name") or ""),
            url=str(item.get("html_url") or ""),
            status=str(item["status"]),
            conclusion=None if item.get("conclusion") is None else str(item["conclusion"]),
            created=moment(item["created_at"]),
            started=moment(item.get("run_started_at") or item["created_at"]),
            updated=moment(item["updated_at"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _odd("its answer has a run that cannot be read") from None


def _odd(what: str) -> UnavailableError:
    return UnavailableError(
        what, where="GitHub Actions", next_step="see whether `url` is GitHub's API", reason=Reason.FORGE_UNREACHABLE
    )
