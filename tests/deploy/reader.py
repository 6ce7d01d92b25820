"""Somebody who follows docs/install.md at a real API server, and what plays the pods that such a server does not run.

The kubelet and the Deployment's controller: the container's command is run here, as the shipped ServiceAccount, with
the ConfigMap and the Secrets as its files. Tekton: the one run's request is given to `layerwatch-step`. `podman login`
says yes.
"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from layering.cluster.resources import CONFIG_MAPS, PIPELINE_RUNS, SECRETS, Resource
from tests.daemon.process import Daemon, eventually
from tests.deploy.files import ACCOUNT, NAMESPACE, ROOT
from tests.deploy.oc import moved
from tests.kubernetes.rest import Body
from tests.kubernetes.server import TestApiServer
from tests.parts import require

_DEPLOYMENTS = Resource(group="apps", version="v1", plural="deployments", kind="Deployment")
_COMMAND_SECONDS = 120


@dataclass(kw_only=True)
class Reader:
    """One reader with an empty directory. `named` are the example's names, and what they are here."""

    directory: Path
    server: TestApiServer
    named: Mapping[str, str]

    @property
    def paths(self) -> Mapping[str, str]:
        """The pod's mounts, here."""
        return {path: f"{self.directory}/pod{path}" for path in ("/var/lib/layerwatch/git", "/etc/layerwatch")} | {
            "/var/run/secrets/layerwatch": f"{self.directory}/pod/secrets"
        }

    def set_up(self) -> None:
        """The checkout, and a PATH with `oc`, `podman` and `layerwatch`."""
        for name in ("tekton", "deploy"):
            (self.directory / name).symlink_to(ROOT / name)
        programs = {
            "oc": f"{sys.executable} -m tests.deploy.oc",
            "layerwatch": f"{sys.executable} -m watcher.cli",
            "podman": "true",
        }
        (self.directory / "bin").mkdir()
        for name, command in programs.items():
            program = self.directory / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            program.chmod(0o755)
        (self.directory / "pod/var/lib/layerwatch/git").mkdir(parents=True)

    def write(self, name: str, text: str) -> None:
        """Write a file of the page."""
        (self.directory / name).write_text(moved(text, self.named))

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a block of the page."""
        pod = {
            "paths": self.paths,
            "environment": self.environment() if self._is_deployed() else {},
            "ready": f"{self.directory}/ready",
            "kubectl": require("kubectl"),
            "kubeconfig": str(self.server.kubeconfig),
        }
        played = self.directory / "pod.json"
        played.write_text(json.dumps(pod))
        environment = {
            **os.environ,
            "PATH": f"{self.directory}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PLAYED_POD": str(played),
            "HOME": str(self.directory),
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", moved(text, self.named)],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def environment(self) -> Mapping[str, str]:
        """What the container's environment is."""
        token = self.server.token_for(ACCOUNT, NAMESPACE)
        account = self.server.pod_files_for(token, NAMESPACE, self.directory / "pod/serviceaccount")
        return {entry["name"]: moved(entry["value"], self.paths) for entry in self._container()["env"]} | dict(account)

    @contextmanager
    def pod(self) -> Iterator[Daemon]:
        """The Deployment's one pod."""
        self._mount()
        argv = [moved(word, self.paths) for word in self._container()["args"]]
        argv = ["--listen=127.0.0.1:0" if word.startswith("--listen=") else word for word in argv]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.environment()}
        log = self.directory / "daemon.log"
        with log.open("wb") as errors:
            process = subprocess.Popen([sys.executable, "-m", "watcher.cli", *argv], stderr=errors, env=environment)
        try:
            daemon = Daemon(process, log)
            address = daemon.says(message="listening on ")["message"].removeprefix("listening on ")
            (self.directory / "ready").write_text(f"http://{address}/readyz")
            yield daemon
        finally:
            process.kill()
            process.wait()

    def build(self) -> None:
        """What Tekton does with the run: the step does its work, and the run succeeds."""
        run = eventually("a run", lambda: self.server.admin.list(PIPELINE_RUNS, namespace=NAMESPACE))[0]
        (request,) = (param["value"] for param in run["spec"]["params"] if param["name"] == "request")
        argv = [sys.executable, "-m", "pipeline.cli", "run", "--request", "-"]
        insecure = ["--insecure-registry", self.named["registry.example.com"]]
        subprocess.run([*argv, *insecure], input=request, text=True, check=True, capture_output=True, cwd=ROOT)
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"type": "Succeeded", "status": "True", "reason": "Succeeded", "lastTransitionTime": stamp}
        status = {"conditions": [{**condition, "message": "Tasks Completed: 1"}], "completionTime": stamp}
        self.server.admin.patch_status(PIPELINE_RUNS, run["metadata"]["name"], status, namespace=NAMESPACE)

    def _mount(self) -> None:
        """The ConfigMap, and the login, as the kubelet brings them into the pod."""
        configuration = Path(self.paths["/etc/layerwatch"])
        configuration.mkdir(parents=True)
        text = self.server.admin.read(CONFIG_MAPS, "layerwatch-config", namespace=NAMESPACE)["data"]["layerwatch.yaml"]
        (configuration / "layerwatch.yaml").write_text(moved(text, self.paths))
        login = self.server.admin.read(SECRETS, "layerwatch-registry", namespace=NAMESPACE)["data"][".dockerconfigjson"]
        mounted = Path(self.paths["/var/run/secrets/layerwatch"]) / "registry/config.json"
        mounted.parent.mkdir(parents=True)
        mounted.write_bytes(base64.b64decode(login))

    def _container(self) -> Body:
        deployment = self.server.admin.read(_DEPLOYMENTS, "layerwatch", namespace=NAMESPACE)
        container: Body = deployment["spec"]["template"]["spec"]["containers"][0]
        return container

    def _is_deployed(self) -> bool:
        return self.server.admin.exists(_DEPLOYMENTS, "layerwatch", namespace=NAMESPACE)
