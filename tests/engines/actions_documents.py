"""The JSON of workflow runs and their jobs (docs.github.com/rest/actions), as full as GitHub's description has it."""

from collections.abc import Mapping
from typing import Any

from tests.forges.github.accounts import brief_repository, links

Document = Mapping[str, Any]

_SHA = "0" * 40  # nothing is checked out


def run(site: str, repository: str, number: int, *, workflow: str, ref: str, title: str, now: str) -> dict[str, Any]:
    """One that was just dispatched; it has to change as it goes on."""
    home = brief_repository(site, 1, repository, private=True)
    url = f"{home['url']}/actions/runs/{number}"
    return {
        "id": number,
        "node_id": f"WFR_{number}",
        "run_number": number,
        "event": "workflow_dispatch",
        "name": workflow.removesuffix(".yml"),
        "display_title": title,
        "path": f".github/workflows/{workflow}",
        "workflow_id": 1,
        "workflow_url": f"{home['url']}/actions/workflows/1",
        "head_branch": ref,
        "head_sha": _SHA,
        "head_commit": None,
        "pull_requests": [],
        "repository": home,
        "head_repository": home,
        "url": url,
        "html_url": f"{home['html_url']}/actions/runs/{number}",
        **links(url, "jobs logs artifacts cancel rerun"),
        "check_suite_url": f"{home['url']}/check-suites/{number}",
        "status": "queued",
        "conclusion": None,
        "created_at": now,
        "updated_at": now,
    }


def failed_job(of: Document, name: str, steps: Mapping[str, str]) -> Document:
    """`steps`: what each came to."""
    runner = dict.fromkeys(("runner_id", "runner_name", "runner_group_id", "runner_group_name"))
    url = f"{of['repository']['url']}/actions/jobs/1"
    return {
        "id": 1,
        "node_id": "CR_1",
        "run_id": of["id"],
        "run_url": of["url"],
        "url": url,
        "html_url": f"{of['html_url']}/job/1",
        "check_run_url": f"{of['repository']['url']}/check-runs/1",
        "name": name,
        "workflow_name": of["name"],
        **{field: of[field] for field in ("head_branch", "head_sha", "created_at")},
        "status": "completed",
        "conclusion": "failure",
        "started_at": of["created_at"],
        "completed_at": of["updated_at"],
        "labels": ["ubuntu-latest"],
        **runner,
        "steps": [
            {"number": number, "name": step, "status": "completed", "conclusion": conclusion}
            for number, (step, conclusion) in enumerate(steps.items(), 1)
        ],
    }
