"""The run of a CI system that we are part of: what it is called, and its page.

GitHub Actions, Gitea's and Forgejo's alike (docs.github.com, "Default environment variables"), and GitLab CI
(docs.gitlab.com, "Predefined CI/CD variables"). None of these values is secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ThisRun:
    """`url` is the page that a person opens."""

    name: str
    url: str


def this_run(environment: Mapping[str, str]) -> ThisRun | None:
    """None where no CI system runs us, or it does not say."""
    given = environment.get
    if given("GITHUB_ACTIONS") == "true":
        server, repository, run = given("GITHUB_SERVER_URL"), given("GITHUB_REPOSITORY"), given("GITHUB_RUN_ID")
        if server and repository and run:
            return ThisRun(name=f"run {run}", url=f"{server.rstrip('/')}/{repository}/actions/runs/{run}")
    if given("GITLAB_CI") == "true" and (url := given("CI_JOB_URL")):
        return ThisRun(name=f"job {given('CI_JOB_ID') or given('CI_JOB_NAME') or ''}".strip(), url=url)
    return None
