"""Killing the process at any moment loses nothing and doubles nothing: SIGKILL, run again, look at what there is.

The process is real and so is the signal. Boundaries are hit exactly: the registry server kills when a certain request
arrives (or was answered), a `git` before the real one on PATH kills before or after a certain command.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from layering.git import run_git
from layering.registry.client import RegistryClient
from layering.registry.manifest import ImageManifest
from layering.registry.server import RegistryServer
from layering.registry.server_http import Answer, Asked
from layering.registry.settings import RegistrySettings
from tests.scenario import Scenario

_SEED = 20250603
_ROUNDS = 5
_PER_ROUND = 10

_GIT = """\
#!/bin/sh
# git, but for one command: it kills whoever runs the job, before or after.
case " $* " in *" {command} "*) hit=1;; *) hit=0;; esac
if [ $hit = 1 ] && [ {when} = before ]; then mkdir "{mark}" 2>/dev/null && sleep 600; fi
{git} "$@"; code=$?
if [ $hit = 1 ] && [ {when} = after ]; then mkdir "{mark}" 2>/dev/null && sleep 600; fi
exit $code
"""


def kill_tree(pid: int) -> None:
    """SIGKILL for a process and all it started, wherever their sessions are."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    queue = [pid]
    while queue:
        current = queue.pop()
        queue += parents.get(current, [])
        try:
            os.kill(current, signal.SIGKILL)
        except ProcessLookupError:
            continue


def start(scenario: Scenario, path: str = "") -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "watcher.cli", "run", "-c", str(scenario.config), "--once"]
    env = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)


def assert_whole(scenario: Scenario) -> None:
    """One image, one branch, one commit, and everything in them is there and is its digest."""
    assert scenario.tick() == ("AwaitingApproval", "ProposalOpen")
    assert len(scenario.tags()) == 1
    assert scenario.branches() == ["refs/heads/layerwatch/prod/worker", "refs/heads/main"]
    assert len(scenario.proposal_commits()) == 1
    run_git(scenario.forge, ["fsck", "--strict"])
    with RegistryClient(scenario.settings) as client:
        manifest = client.manifest(scenario.target.tagged(scenario.tags()[0]))
        assert isinstance(manifest, ImageManifest)
        for blob in (manifest.config, *manifest.layers):
            with client.stream_blob(scenario.target, blob) as chunks:
                assert sum(map(len, chunks)) == blob.size


class _KillOn:
    """Kills the job when the nth request of a kind arrives; `late` answers it first."""

    def __init__(self, matches: Callable[[Asked], bool], *, late: bool) -> None:
        self.matches = matches
        self.late = late
        self.process: subprocess.Popen[bytes] | None = None
        self.done = threading.Event()

    def __call__(self, asked: Asked) -> Answer | None:
        if self.process is None or self.done.is_set() or not self.matches(asked):
            return None
        self.done.set()
        if self.late:
            # Let this very request be answered and the connection be used; then end the job.
            threading.Timer(0.02, kill_tree, [self.process.pid]).start()
        else:
            kill_tree(self.process.pid)
        return None


def _is(method: str, part: str) -> Callable[[Asked], bool]:
    return lambda asked: asked.method == method and part in asked.target


@pytest.mark.parametrize("late", [False, True], ids=["as it arrives", "when it was answered"])
@pytest.mark.parametrize(
    "matches",
    [
        pytest.param(_is("GET", "/openshift-release-dev/ocp-release/"), id="reading the payload"),
        pytest.param(_is("HEAD", "/acme/worker-os/manifests/"), id="asking for the target tag"),
        pytest.param(_is("POST", "/acme/worker-os/blobs/uploads/?mount"), id="mounting the base"),
        pytest.param(_is("PUT", "/acme/worker-os/blobs/uploads/"), id="pushing a blob"),
        pytest.param(_is("PUT", "/acme/worker-os/manifests/sha256"), id="pushing the manifest"),
        pytest.param(_is("PUT", "/acme/worker-os/manifests/4"), id="setting the tag"),
    ],
)
def test_killed_at_a_request(
    scenario: Scenario, server: RegistryServer, matches: Callable[[Asked], bool], late: bool
) -> None:
    killer = _KillOn(matches, late=late)
    server.intercept = killer
    killer.process = start(scenario)
    killer.process.wait(timeout=60)
    assert killer.done.is_set()
    time.sleep(0.05 if late else 0)
    server.intercept = None
    assert_whole(scenario)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("command", ["ls-remote", "fetch", "checkout", "hash-object", "commit-tree", "update-ref"])
def test_killed_at_a_git_command(scenario: Scenario, tmp_path: Path, command: str, when: str) -> None:
    shim, mark = tmp_path / "bin" / "git", tmp_path / "mark"
    shim.parent.mkdir()
    shim.write_text(_GIT.format(command=command, when=when, mark=mark, git=shutil.which("git")))
    shim.chmod(0o755)
    process = start(scenario, str(shim.parent))
    for _ in range(1200):
        if mark.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    assert mark.exists()
    kill_tree(process.pid)
    process.wait(timeout=10)
    assert_whole(scenario)


@pytest.mark.parametrize("batch", range(_ROUNDS))
def test_killed_at_a_random_moment(tmp_path: Path, server: RegistryServer, batch: int) -> None:
    """Fifty seeded moments within the time one undisturbed run takes, in five batches."""
    settings = RegistrySettings(insecure=frozenset({server.address}))
    moments = random.Random(_SEED)
    fractions = [moments.random() for _ in range(_ROUNDS * _PER_ROUND)][batch * _PER_ROUND : (batch + 1) * _PER_ROUND]
    duration = 0.0
    for number, fraction in enumerate([None, *fractions]):
        directory = tmp_path / str(number)
        directory.mkdir()
        scenario = Scenario(directory=directory, registry=server.address, settings=settings).set_up()
        scenario.configure(target=str(scenario.target_named(f"acme/os-{batch}-{number}")))
        started = time.monotonic()
        process = start(scenario)
        if fraction is None:
            process.wait(timeout=60)
            duration = time.monotonic() - started
        else:
            time.sleep(duration * fraction)
            kill_tree(process.pid)
            process.wait(timeout=10)
            take_away_a_lock(scenario)
        assert_whole(scenario)


def take_away_a_lock(scenario: Scenario) -> None:
    """A git that is killed while it moves a branch leaves one: who reads the error takes it away, as it says."""
    locks = list((scenario.forge / "refs").rglob("*.lock"))
    assert len(locks) <= 1
    for lock in locks:
        assert scenario.tick() == ("Unknown", "ForgeUnreachable")
        lock.unlink()
