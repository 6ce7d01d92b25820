"""act runs the workflows to copy, on this machine: our actions come from a clean clone, nothing from the network.

They are copied as github-actions/README.md says, and so name the commit of that clone, whose code the commands run.

What act does not do (nektos/act, 0.2): it enforces no required inputs, permissions or concurrency, and makes no
run-name. What it does and GitHub does not: an action's inputs are INPUT_NAME in its steps, and all that they put out is
put out by the action; that action.yml passes each on is seen in test_files.py. `actions/cache` needs GitHub's own
service, so an action that does nothing stands for it.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from layering.git import run_git
from tests.actions.files import ROOT
from tests.actions.runner import Annotation, annotations
from tests.scenario import PERSON

TOKEN = "ghs_" + "t" * 36
OUT_OF_THE_CLONE = {"LAYERWATCH_BIN": "", "PYTHONPATH": ""}
"""The environment in which the actions install what they are part of."""
_USES = re.compile(r"uses: (acme/layerwatch|actions/cache)\b[\w./-]*@([0-9a-f]{40})")
_COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_STUB = "name: stub\ndescription: stub\nruns:\n  using: composite\n  steps: [{shell: bash, run: 'true'}]\n"
_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Told:
    """A run that ended; `log` is what a person sees of it."""

    succeeded: bool
    log: str

    @property
    def annotations(self) -> list[Annotation]:
        return annotations("\n".join(re.findall(r"\S+  (::(?:error|warning|notice) .*)", self.log)))

    @property
    def outputs(self) -> Mapping[str, str]:
        """Those of the last step that set any."""
        return dict(re.findall(r"::set-output:: (\w+)=(.*)", self.log))

    @property
    def exit_codes(self) -> set[int]:
        return set(map(int, re.findall(r"exit status (\d+)", self.log)))

    @property
    def summary(self) -> str:
        return self.log.partition("Summary - ")[2]


@dataclass(frozen=True, kw_only=True)
class Act:
    """One repository with the workflows in it, and a home that is act's alone."""

    program: str
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        return self.directory / "repository"

    @property
    def product(self) -> Path:
        return self.directory / "layerwatch"

    def set_up(self, files: Mapping[str, str]) -> "Act":
        """A repository with these files, into which the workflows were copied."""
        clean_clone(self.product)
        for name, text in files.items():
            (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
            (self.repository / name).write_text(text)
        (commands,) = _COMMANDS.findall((self.product / "github-actions" / "README.md").read_text())
        subprocess.run(["sh", "-euc", commands], cwd=self.repository, check=True)
        run_git(None, ["init", "--quiet", "--initial-branch=main", str(self.repository)])
        run_git(self.repository, ["add", "--all"])
        run_git(self.repository, ["commit", "--quiet", "-m", "the workflows"], PERSON)
        run_git(self.repository, ["remote", "add", "origin", "https://github.com/acme/cluster-config"])
        (self.directory / "stub").mkdir()
        (self.directory / "stub" / "action.yml").write_text(_STUB)
        rc = self.directory / "home" / ".config" / "act" / "actrc"
        rc.parent.mkdir(parents=True)
        rc.write_text("\n")  # without it act asks which image it should fetch
        return self

    def dispatch(
        self,
        workflow: str,
        inputs: Mapping[str, str] = {},
        *,
        secrets: Mapping[str, str] = {},
        environment: Mapping[str, str] = {},
    ) -> Told:
        """As `workflow_dispatch`. The commands are this Python's, with the code of the clone; see OUT_OF_THE_CLONE."""
        event = self.directory / "event.json"
        event.write_text(json.dumps({"inputs": dict(inputs)}))
        file = self.repository / ".github" / "workflows" / workflow
        argv = [
            *(self.program, "workflow_dispatch", "--workflows", str(file), "--eventpath", str(event)),
            *("--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server"),
        ]
        places = {"acme/layerwatch": self.product, "actions/cache": self.directory / "stub"}
        for repository, commit in set(_USES.findall(file.read_text())):
            argv += ["--local-repository", f"{repository}@{commit}={places[repository]}"]
        code = {"LAYERWATCH_BIN": str(Path(sys.executable).parent), "PYTHONPATH": str(self.product)}
        argv += _pairs("--env", {**code, **self.environment, **environment})
        argv += _pairs("--secret", {"GITHUB_TOKEN": TOKEN, **secrets})
        done = subprocess.run(
            argv,
            cwd=self.repository,
            env={**os.environ, "HOME": str(self.directory / "home")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        return Told(succeeded=done.returncode == 0, log=done.stdout)


def clean_clone(directory: Path) -> None:
    """This repository at HEAD; what is not committed yet is one commit more, so that it is tested as well."""
    run_git(None, ["clone", "--quiet", "--no-checkout", str(ROOT), str(directory)])
    run_git(ROOT, [f"--git-dir={directory / '.git'}", f"--work-tree={ROOT}", "add", "--all"])
    if run_git(directory, ["write-tree"]) != run_git(directory, ["rev-parse", "HEAD^{tree}"]):
        run_git(directory, ["commit", "--quiet", "-m", "not committed yet"], PERSON)
    run_git(directory, ["reset", "--quiet", "--hard"])


def _pairs(flag: str, values: Mapping[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in (flag, f"{name}={value}")]
