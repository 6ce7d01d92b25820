"""Proposes in a process of its own, forked with its imports done: many can be killed, or race, in a short time.

SIGKILL ends it; a git that it has begun goes on by itself.
"""

import contextlib
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from layering.errors import LayerwatchError
from layering.forge import gitea, github, gitlab, remote, remotegit  # noqa: F401 so that a forked one has them
from layering.forge.forge import Proposal, Proposed
from layering.forge.forges import open_forge
from layering.forge.settings import ForgeSettings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", "tests.forges.proposals", __name__])
_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Proposer:
    """One that runs. Its answer can be had once."""

    process: BaseProcess
    answer: Connection

    @classmethod
    def start(cls, settings: ForgeSettings, proposal: Proposal, directory: Path) -> "Proposer":
        """`directory` has its temporary files, which a killed one leaves.

        The body is pickled: its function belongs into tests/forges/proposals.py, for the module is imported anew.
        """
        here, there = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_propose, args=(there, settings, proposal, str(directory)), daemon=True)
        process.start()
        there.close()
        return cls(process=process, answer=here)

    def kill(self) -> None:
        """SIGKILL; it is dead when this returns. May be called from any thread."""
        self.process.kill()
        assert wait([self.process.sentinel], _SECONDS)

    def result(self) -> Proposed | LayerwatchError | None:
        """What came of it, when it has ended; None when it was killed."""
        found: Proposed | LayerwatchError | None = None
        with contextlib.suppress(EOFError):
            found = self.answer.recv()
        self.process.join(_SECONDS)
        assert not self.process.is_alive()
        return found


def run_to_its_end(
    settings: ForgeSettings, proposal: Proposal, on_request: Callable[[object], None] | None = None
) -> Proposed:
    """The same in this process: a new forge, which knows nothing of the one before."""
    forge = open_forge(settings, on_request=on_request)
    try:
        return forge.propose(proposal)
    finally:
        forge.close()


def _propose(answer: Connection, settings: ForgeSettings, proposal: Proposal, directory: str) -> None:
    tempfile.tempdir = os.environ["TMPDIR"] = directory
    try:
        answer.send(run_to_its_end(settings, proposal))
    except LayerwatchError as error:
        answer.send(error)
