"""act runs the workflows to copy, on this machine: our actions come from a clean checkout, nothing from the network.

What act does not do (nektos/act, 0.2): it enforces no required inputs, permissions or concurrency, and makes no
run-name. `actions/cache` needs GitHub's own service, so an action that does nothing stands for it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from layering.git import run_git
from tests.actions.files import ROOT
from tests.actions.runner import Annotation, annotations
from tests.docs.actions import ACTIONS
from tests.docs.check import _tracked
from tests.scenario import PERSON

TOKEN = "ghs_" + "t" * 36
_USES = re.compile(r"uses: ((?:acme/layerwatch|actions/cache)[\w./-]*)@([0-9a-f]{40})")
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
        """Commit the workflows and these files, and take a clean checkout of the product."""
        for file in _tracked():
            target = self.product / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
        workflows = {f".github/workflows/{file.name}": file.read_text() for file in ACTIONS.glob("workflows/*.yml")}
        for name, text in {**workflows, **files}.items():
            target = self.repository / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
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

    def dispatch(self, workflow: str, inputs: Mapping[str, str], **environment: str) -> Told:
        """As `workflow_dispatch`; the commands are this Python's own, unless LAYERWATCH_BIN says otherwise."""
        event = self.directory / "event.json"
        event.write_text(json.dumps({"inputs": dict(inputs)}))
        file = self.repository / ".github" / "workflows" / workflow
        argv = [
            *(self.program, "workflow_dispatch", "--workflows", str(file), "--eventpath", str(event)),
            *("--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server"),
            *(
                "--secret",
                f"GITHUB_TOKEN={TOKEN}",
                "--secret",
                "REGISTRY_AUTH={}",
                "--secret",
                "KUBECONFIG=kind: Config",
            ),
        ]
        for action, commit in set(_USES.findall(file.read_text())):
            place = self.product if action.startswith("acme/") else self.directory / "stub"
            argv += ["--local-repository", f"{'/'.join(action.split('/')[:2])}@{commit}={place}"]
        given = {"LAYERWATCH_BIN": str(Path(sys.executable).parent), **self.environment, **environment}
        argv += [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
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
