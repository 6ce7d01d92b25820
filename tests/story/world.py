"""A cluster in which everything is there: OpenShift's kinds, Tekton at work, a kubelet, git, a registry, the daemon.

What nobody else does here, the test does: the operators (OpenShiftPlay), the person who merges, and GitOps, which
applies what was merged.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from layering.cluster.resources import EVENTS, PIPELINE_RUNS
from layering.git import run_git
from layering.reference import ImageReference
from layering.registry.client import RegistryClient
from layering.registry.manifest import ImageManifest
from tests.daemon.process import ClusterWorld, Daemon, eventually
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.rest import Body
from tests.scenario import Scenario
from tests.tekton.installed import condition

UNSEEN = "StatusNotObserved"  # a look between an operator's change of a spec and its report on it
_SECONDS = 180

Told = tuple[str, str]


@dataclass
class StoryWorld(ClusterWorld):
    """A cluster whose runs are run. `build` is what the configuration's image says besides `engine: tekton`."""

    kubelet: Kubelet
    build: Mapping[str, Any]

    def configure(self, **document: Any) -> Path:
        """Write the configuration: git is looked at each second, since nothing tells that it changed."""
        super().configure(**{"schedule": {"every": "1s"}, **document})
        written = json.loads(self.scenario.config.read_text())
        written["images"][0]["build"] |= self.build
        self.scenario.config.write_text(json.dumps(written))
        return self.scenario.config

    def begin(self, version: str, *, machines: int) -> None:
        """The cluster runs this version, and what git has is applied to its pool `worker`."""
        self.server.admin.delete_all(EVENTS, namespace="default")
        self.openshift.cluster_version(version, str(self.scenario.payloads[version]))
        self.openshift.pool("worker", machines=machines)
        self.apply()
        self.openshift.roll_out("worker")
        self.configure()

    def apply(self) -> None:
        """What GitOps does with the base branch, and the operator with what is applied."""
        self.openshift.apply(yaml.safe_load(self.scenario.file_on_main()))
        self.openshift.render("worker")

    @property
    def config(self) -> Path:
        """The configuration of the daemon."""
        return self.scenario.config

    def keep(self, kind: str, name: str, data: Mapping[str, str]) -> None:
        """A Secret or a ConfigMap beside the builds."""
        body = {"metadata": {"name": name}, "stringData" if kind == "secrets" else "data": dict(data)}
        self.server.admin.call("POST", f"/api/v1/namespaces/{self.namespace}/{kind}", body)

    def built(self, version: str) -> ImageManifest:
        """The image that was built for this release, by the tag that its run was told."""
        run = self.run_for(version)
        assert run is not None
        (request,) = (param["value"] for param in run["spec"]["params"] if param["name"] == "request")
        with RegistryClient(self.scenario.settings) as client:
            return client.image(ImageReference.parse(json.loads(request)["target"]))

    def pinned(self) -> str:
        """The image that git's base branch names."""
        return str(yaml.safe_load(self.scenario.file_on_main())["spec"]["osImageURL"])

    def end_of(self, run: Body) -> Told:
        """Status and reason of a run's `Succeeded`, once it has ended."""

        def ended() -> Told | None:
            found = self.server.admin.read(PIPELINE_RUNS, run["metadata"]["name"], namespace=self.namespace)
            return condition(found) if condition(found)[0] in ("True", "False") else None

        told: Told = eventually(f"the end of {run['metadata']['name']}", ended, _SECONDS)
        return told

    def verify_rollout(self, image: str) -> tuple[int, str]:
        """The exit code of `layerwatch-step verify-rollout`, and the state it tells."""
        flags = ["--kubeconfig", str(self.kubeconfig), "--pool", "worker", "--image", image]
        argv = [sys.executable, "-m", "pipeline.cli", "verify-rollout", *flags]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, json.loads(done.stdout)["state"]


def comes_to(daemon: Daemon, decision: str, reason: str, message: str = "") -> Body:
    """Wait until /status says this of the only image, with this in its message, and give all that it says."""
    last: list[Body] = []

    def found() -> Body | None:
        answer = daemon.get("/status")
        last[:] = answer.json()["images"] if answer.ok else []  # before the first tick there is none
        told = [entry for entry in last if (entry["decision"], entry["reason"]) == (decision, reason)]
        return next((entry for entry in told if message in entry["message"]), None)

    try:
        entry: Body = eventually(f"{decision}/{reason}", found, _SECONDS)
    except pytest.fail.Exception:
        pytest.fail(f"it never came to {decision}/{reason} {message!r}, but to {last}\n{daemon.log.read_text()}")
    return entry


def decisions(daemon: Daemon) -> list[Told]:
    """Every decision that it came to, in order, each told once: a line of the log stands for a change."""
    lines = [(line["decision"], line["reason"]) for line in daemon.lines if "decision" in line]
    return [told for told in lines if told[1] != UNSEEN]


def reasons(events: Sequence[Body]) -> Counter[str]:
    """What people were told: reason to how many times that happened."""
    told: Counter[str] = Counter()
    for event in events:
        if event["reason"] != UNSEEN:
            told[event["reason"]] += (event.get("series") or {"count": 1})["count"]
    return told


def commits_of_ours(scenario: Scenario) -> int:
    """How many commits of layerwatch there are on the base branch."""
    return len(run_git(scenario.forge, ["log", "--author=layerwatch", "--format=%H", "main"]).split())
