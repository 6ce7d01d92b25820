"""Which run of a CI system we are part of, from the variables that it sets."""

import pytest

from layering.proposal import body
from pipeline.steps.open_pull_request import with_run
from pipeline.this_run import ThisRun, this_run
from tests.test_proposal import LEAST

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://git.example.com",
    "GITHUB_REPOSITORY": "acme/os-images",
    "GITHUB_RUN_ID": "7",
}
GITLAB = {"GITLAB_CI": "true", "CI_JOB_ID": "8", "CI_JOB_URL": "https://git.example.com/acme/os-images/-/jobs/8"}
RUNS = {
    "GitHub Actions": (GITHUB, ThisRun(name="run 7", url="https://git.example.com/acme/os-images/actions/runs/7")),
    "GitHub Actions that tells no repository": ({**GITHUB, "GITHUB_REPOSITORY": ""}, None),
    "GitLab CI": (GITLAB, ThisRun(name="job 8", url="https://git.example.com/acme/os-images/-/jobs/8")),
    "GitLab CI that tells no page": ({"GITLAB_CI": "true"}, None),
    "neither": ({}, None),
    "variables that somebody left there": ({**GITHUB, "GITHUB_ACTIONS": ""}, None),
}


@pytest.mark.parametrize(("environment", "expected"), RUNS.values(), ids=RUNS)
def test_this_run(environment: dict[str, str], expected: ThisRun | None) -> None:
    assert this_run(environment) == expected


def test_a_proposal_links_the_run_that_built_its_image() -> None:
    text = body(with_run(LEAST, this_run(GITHUB)), 60_000)
    assert "**From** build [`run 7`](https://git.example.com/acme/os-images/actions/runs/7)." in text
    assert "**From**" not in body(with_run(LEAST, None), 60_000)
