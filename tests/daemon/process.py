"""One `layerwatch run` as a process of its own, and a world for it: a registry, git, and a cluster with a real API."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from layering.cluster.resources import EVENTS, LEASES, PIPELINE_RUNS, Resource
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.rest import Body
from tests.kubernetes.server import TestApiServer
from tests.scenario import Scenario
from watcher.metrics import METRICS

SECONDS = 60.0
_POLL_SECONDS = 0.05

READS = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}
RUNS = {"apiGroups": ["tekton.dev"], "resources": ["pipelineruns"], "verbs": ["create", "patch"]}
LEASE = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "update"]}
_RBAC = "rbac.authorization.k8s.io"
_CLUSTER_ROLES = Resource(group=_RBAC, version="v1", plural="clusterroles", kind="ClusterRole")
_CLUSTER_ROLE_BINDINGS = Resource(group=_RBAC, version="v1", plural="clusterrolebindings", kind="ClusterRoleBinding")

Line = dict[str, Any]


def eventually(what: str, found: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The first answer of `found` that is true; generous, since the machine is shared."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = found()
        if answer:
            return answer
        time.sleep(_POLL_SECONDS)
    pytest.fail(f"never: {what}")


@dataclass
class Daemon:
    """A running process, its log in JSON, and its listener."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def lines(self) -> list[Line]:
        """Every whole line so far; one that is no JSON fails the test."""
        text = self.log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def said(self, **known: str) -> list[Line]:
        """The lines of which all this is so; `message` needs only to be contained."""
        message = known.pop("message", "")
        return [
            line
            for line in self.lines
            if message in line["message"] and all(line.get(name) == value for name, value in known.items())
        ]

    def says(self, **known: str) -> Line:
        """Wait for such a line."""
        try:
            line: Line = eventually(str(known), lambda: self._alive_and(self.said(**known)))[0]
        except pytest.fail.Exception:
            pytest.fail(f"it never said {known}:\n{self.log.read_text()}")
        return line

    def _alive_and(self, lines: list[Line]) -> list[Line]:
        if not lines and self.process.poll() is not None:
            pytest.fail(f"it ended with {self.process.returncode}:\n{self.log.read_text()}")
        return lines

    def get(self, path: str) -> requests.Response:
        address = self.says(message="listening on ")["message"].removeprefix("listening on ")
        return requests.get(f"http://{address}{path}", timeout=10)

    def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Sample name to the values of its labels, in the table's order, to its number."""
        order = {metric.name: metric.labels for metric in METRICS}
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                labels = tuple(sample.labels[name] for name in order.get(sample.name, sorted(sample.labels)))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self, seconds: float = SECONDS) -> int:
        """Wait for its end, and give the exit code."""
        return self.process.wait(timeout=seconds)


@contextmanager
def running(config: Path, *flags: str, environment: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """Start `layerwatch run`; whatever it came to, it is gone afterwards, and said nothing on stdout."""
    number = len(list(config.parent.glob("daemon-*.log")))
    log, out = config.parent / f"daemon-{number}.log", config.parent / f"daemon-{number}.out"
    argv = [sys.executable, "-m", "watcher.cli", "run", "-c", str(config), "--log-format", "json"]
    with log.open("wb") as errors, out.open("wb") as output:
        process = subprocess.Popen(
            [*argv, "--listen", "127.0.0.1:0", *flags],
            stdout=output,
            stderr=errors,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield Daemon(process, log)
        finally:
            process.kill()
            process.wait()
    assert out.read_bytes() == b""


@dataclass
class ClusterWorld:
    """A scenario whose cluster is a real API server, with builds as PipelineRuns that nobody runs."""

    scenario: Scenario
    server: TestApiServer
    openshift: OpenShiftPlay
    namespace: str
    kubeconfig: Path

    def configure(self, **document: Any) -> Path:
        """Write the configuration; keywords replace keys of it."""
        self.scenario.configure(build={"engine": "tekton"})
        written = json.loads(self.scenario.config.read_text())
        written["clusters"] = [{"name": "prod", "access": {"kubeconfig": str(self.kubeconfig)}}]
        written["schedule"] = {"every": "1h"}
        written["daemon"] = {"namespace": self.namespace, **document.pop("daemon", {})}
        self.scenario.config.write_text(json.dumps({**written, **document}))
        return self.scenario.config

    def elect(self, **times: str) -> Path:
        """Configure an election that takes seconds."""
        quick = {"leaseDuration": "8s", "renewDeadline": "5s", "retryPeriod": "300ms"}
        return self.configure(daemon={"leaderElection": {**quick, **times}})

    def token_with(self, *rules: Body) -> str:
        """A token of a ServiceAccount of the namespace that may do this, everywhere, and nothing else."""
        admin, name = self.server.admin, self.namespace
        admin.create(_CLUSTER_ROLES, {"metadata": {"name": name}, "rules": list(rules)})
        subject = {"kind": "ServiceAccount", "name": "layerwatch", "namespace": name}
        role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name}
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
        admin.create(_CLUSTER_ROLE_BINDINGS, binding)
        return self.server.token_for("layerwatch", name)

    def upgrade(self, version: str) -> None:
        """The cluster is told to upgrade."""
        self.openshift.upgrade(version, str(self.scenario.payloads[version]))

    def runs(self) -> list[Body]:
        """The PipelineRuns so far."""
        return self.server.admin.list(PIPELINE_RUNS, namespace=self.namespace)

    def run_for(self, release: str) -> Body | None:
        """The run that builds for this release."""
        found = [run for run in self.runs() if run["metadata"]["annotations"]["layerwatch/release"] == release]
        return found[0] if found else None

    def holder(self) -> str:
        """Who holds the Lease; nobody: an empty text."""
        if not self.server.admin.exists(LEASES, "layerwatch", namespace=self.namespace):
            return ""
        lease = self.server.admin.read(LEASES, "layerwatch", namespace=self.namespace)
        return str(lease["spec"].get("holderIdentity") or "")

    def events(self, namespace: str = "default") -> list[Body]:
        """What we told people there."""
        listed = self.server.admin.list(EVENTS, namespace=namespace)
        return [event for event in listed if event.get("reportingController") == "layerwatch"]
