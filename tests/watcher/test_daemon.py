"""`layerwatch run` without --once: looks on schedule, and ends cleanly when told to, also in the middle of work."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from tests.daemon.process import eventually
from tests.scenario import Scenario
from watcher.configuration import load
from watcher.daemon import trigger

_SECONDS = 30


@contextmanager
def daemon(scenario: Scenario, *flags: str, path: str = "") -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    log = scenario.directory / "log"
    argv = [sys.executable, "-m", "watcher.cli", "run", "-c", str(scenario.config), *flags]
    environment = {**os.environ, **({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})}
    with log.open("wb") as stream:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stream, env=environment)
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def wait_for(log: Path, text: str, times: int = 1) -> None:
    for _ in range(_SECONDS * 20):
        if len(re.findall(re.escape(text), log.read_text())) >= times:
            return
        time.sleep(0.05)
    pytest.fail(f"{text!r} is not in the log:\n{log.read_text()}")


def every(scenario: Scenario, schedule: dict[str, str]) -> None:
    document = json.loads(scenario.config.read_text())
    scenario.config.write_text(json.dumps({**document, "schedule": schedule}))


def test_it_looks_now_and_again_and_ends_with_sigterm(scenario: Scenario) -> None:
    every(scenario, {"every": "1s"})
    with daemon(scenario, "--log-level", "debug") as (process, log):
        wait_for(log, "AwaitingApproval ProposalOpen", times=3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=_SECONDS) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert "Rebuild NeverBuilt" in log.read_text()
    assert len(scenario.tags()) == len(scenario.proposal_commits()) == 1


def test_a_dry_run_ticks_and_acts_on_nothing(scenario: Scenario) -> None:
    every(scenario, {"every": "1s"})
    with daemon(scenario, "--dry-run", "--log-level", "debug") as (process, log):
        wait_for(log, "Rebuild NeverBuilt", times=2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=_SECONDS) == 0
    assert scenario.branches() == ["refs/heads/main"]


def test_clusters_that_are_files_need_no_client_of_kubernetes(scenario: Scenario) -> None:
    code = "import sys; sys.modules['kubernetes'] = None; from watcher.cli import main; sys.exit(main(sys.argv[1:]))"
    flags = ["run", "-c", str(scenario.config), "--dry-run", "--ticks", "1"]
    done = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Rebuild NeverBuilt" in done.stderr
    assert "defect" not in done.stderr


def test_sigterm_in_the_middle_of_a_build_abandons_it(scenario: Scenario, tmp_path: Path) -> None:
    shim, mark = tmp_path / "bin" / "git", tmp_path / "building"
    shim.parent.mkdir()
    git = shutil.which("git")
    shim.write_text(f'#!/bin/sh\ncase "$*" in *checkout*) echo $$ > {mark}; exec sleep 600;; esac\nexec {git} "$@"\n')
    shim.chmod(0o755)
    with daemon(scenario, path=str(shim.parent)) as (process, log):
        git_pid = eventually("git is asked", lambda: mark.exists() and mark.read_text().strip())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=_SECONDS) == 0, log.read_text()
    assert "Blocked" not in log.read_text()
    eventually("git is ended, too", lambda: not Path(f"/proc/{git_pid}").exists())
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")


def test_a_defect_in_a_tick_is_seen_and_does_not_end_the_schedule(scenario: Scenario) -> None:
    every(scenario, {"every": "1s"})
    (scenario.directory / "clusterversion.yaml").unlink()
    with daemon(scenario) as (process, log):
        wait_for(log, "Unknown Unreachable")
        scenario.at("4.19.1")
        wait_for(log, "AwaitingApproval ProposalOpen")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=_SECONDS) == 0


@pytest.mark.parametrize(
    ("schedule", "kind", "text"),
    [
        ({"every": "90s", "jitter": "10s"}, IntervalTrigger, "0:01:30"),
        ({"cron": "*/5 * * * *"}, CronTrigger, "minute='0,5,10"),
    ],
    ids=["interval", "cron"],
)
def test_schedules(scenario: Scenario, schedule: dict[str, str], kind: type, text: str) -> None:
    every(scenario, schedule)
    made = trigger(load(scenario.config).schedule)
    assert isinstance(made, kind)
    assert text in str(made)


def test_without_the_scheduler_it_says_what_to_install(scenario: Scenario) -> None:
    """A finder that knows no apscheduler stands for an installation without the extra."""
    program = (
        "import sys, importlib.abc\n"
        "class Absent(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.startswith('apscheduler'):\n"
        "            raise ModuleNotFoundError(name, name='apscheduler')\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from watcher.cli import main\n"
        f"sys.exit(main(['run', '-c', {str(scenario.config)!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "pip install '.[watcher]'" in done.stderr
