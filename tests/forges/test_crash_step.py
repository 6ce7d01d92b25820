"""`layerwatch-step open-pull-request` itself, run as a user runs it, is killed by SIGKILL and run again."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layering.forge.settings import Kind
from tests.forges.moments import moments
from tests.forges.places import MILESTONE, PLACES, Place
from tests.forges.standing import PERSON
from tests.forges.test_crash import LABELS, SECONDS, SEED, Case, Work

COUNT = 8


@pytest.fixture(params=[Kind.GITEA, Kind.GITHUB])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    with PLACES[request.param](tmp_path) as made:
        yield made


@dataclass(frozen=True, kw_only=True)
class Step:
    """A process of it."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, case: Case) -> "Step":
        settings, proposal = case.place.forge.settings, case.proposal(case.image)
        target = proposal.target
        assert settings.token_file is not None
        flags = {
            "forge": settings.kind,
            "forge-url": settings.url,
            "token-file": str(settings.token_file),
            "repository": target.repository,
            "file": target.file,
            "cluster": target.cluster,
            "pool": target.pool,
            "image": str(proposal.image),
            "key": proposal.key,
            "title": proposal.title,
            "reviewer": PERSON,
            "milestone": MILESTONE,
        }
        words = [f"--{name}={value}" for name, value in flags.items()] + [f"--label={label}" for label in LABELS]
        argv = [sys.executable, "-m", "pipeline.cli", "open-pull-request", *words]
        pipe = subprocess.PIPE
        return cls(process=subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, cwd=case.directory))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)

    def end(self) -> dict[str, Any]:
        """What it prints when nobody kills it."""
        out, said = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, said
        return dict(json.loads(out))


def test_the_step_is_killed_and_run_again(place: Place, tmp_path: Path) -> None:
    whole = Case.begin(place, "acme/whole", Work.OPEN, tmp_path)
    assert Step.start(whole).end()["state"] == "created"
    requests = [f"{asked.method} {asked.target}" for asked in place.forge.asked]
    whole.assert_all_is_there_once()
    for number, moment in enumerate(moments(len(requests), 0, SEED)[:COUNT]):
        print(f"seed {SEED}, {number}: {moment}, of {requests[moment.number - 1]}")  # shown when it fails
        case = Case.begin(place, f"acme/case-{number}", Work.OPEN, tmp_path)
        with case.deadly(moment) as killer:
            step = Step.start(case)
            killer.proposer.set_result(step)
            step.process.communicate(timeout=SECONDS)
        assert step.process.returncode == -signal.SIGKILL
        assert Step.start(case).end()["reason"] == "AwaitingApproval"
        case.assert_all_is_there_once()
