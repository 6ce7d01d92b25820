"""A test kubelet: binds the pods of some namespaces to its node and runs their steps as processes of this machine.

It runs pods as Tekton makes them, with Tekton's own entrypoint: init containers, steps, results, exit codes and
termination messages are the real thing. `kubectl logs`, deletion, eviction and images that cannot be pulled work too.

What it does not show, because nothing here plays it: images (each container sees this machine's files, through an
overlay, and the programs on `path`), users and security contexts (a step is root, or root of a user namespace),
resource limits and OOM, networks (a step has the machine's), sidecars, probes, restarts, activeDeadlineSeconds,
graceful termination (a deleted pod is killed at once), and volumes beyond those of pod_volumes.
"""

import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import requests

from tests.kubernetes.container import Mount
from tests.kubernetes.kubelet_logs import LogServer
from tests.kubernetes.pod_run import PodRun, Surroundings
from tests.kubernetes.pod_volumes import PodVolumes
from tests.kubernetes.private_network import CHECKOUT
from tests.kubernetes.rest import Body, RefusedError, Rest
from tests.parts import require

_WATCH_SECONDS = 60
_AGAIN_SECONDS = 0.1
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STEP_COMMAND = """#!{python}
import sys
sys.path.insert(0, {checkout!r})
from pipeline.cli import main
sys.exit(main())
"""


class Kubelet:
    """One node. `root` is a directory for it alone; `certificate` and `key` are what it serves logs with.

    `path` is the PATH of the containers: this checkout's layerwatch-step, then the machine's programs; a test may put
    directories before it. `images` maps an image that cannot be pulled to the reason (ImagePullBackOff).
    `variables` are given to each container, where the pod does not set them itself.
    """

    def __init__(self, kubeconfig: Path, root: Path, certificate: Path, key: Path, namespaces: Sequence[str]) -> None:
        self.root = root
        self.namespaces = set(namespaces)
        self.images: dict[str, str] = {}
        self.variables: dict[str, str] = {"HOME": "/tekton/home"}
        self.path = f"{_step_commands(root)}:{_SYSTEM_PATH}"
        self._tools = [
            Mount(source=require(f"tekton-{tool}"), target=f"/ko-app/{tool}", read_only=True)
            for tool in ("entrypoint", "workingdirinit")
        ]
        self._api = Rest(kubeconfig)
        self._logs = LogServer(self._log, certificate, key)
        self.node = f"test-{self._logs.port}"
        self._runs: dict[str, PodRun] = {}
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._register()
        self._thread = threading.Thread(target=self._follow, name=self.node, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Kill every container, remove the pods and the node, and all directories but the logs."""
        self._closed.set()
        self._api.stop_watching()
        self._thread.join()
        for run in self._runs.values():
            run.stop()
        for thread in self._threads:
            thread.join()
        self._logs.close()
        with suppress(requests.RequestException):
            for run in self._runs.values():
                self._remove(run.pod)
            self._api.call("DELETE", f"/api/v1/nodes/{self.node}")
        self._api.close()
        for volumes in (self.root / "claims", *self.root.glob("pods/*/volumes")):
            shutil.rmtree(volumes, ignore_errors=True)

    def evict(self, namespace: str, pod: str) -> None:
        """As a node under pressure: the pod's processes are killed, its phase is Failed, its reason Evicted."""
        run = self._find(namespace, pod)
        assert run is not None, f"{self.node} has no pod {namespace}/{pod}"
        run.evict()

    def pods(self) -> Sequence[tuple[str, str]]:
        """(namespace, name) of the pods it has, those that ended and were not deleted among them."""
        with self._lock:
            return [_name(run.pod) for run in self._runs.values()]

    def _register(self) -> None:
        self._api.call("POST", "/api/v1/nodes", {"metadata": {"name": self.node, "labels": {"layerwatch/test": "yes"}}})
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._logs.port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        self._api.merge(f"/api/v1/nodes/{self.node}/status", {"status": status})

    def _follow(self) -> None:
        while not self._closed.is_set():
            try:
                listed = self._api.call("GET", "/api/v1/pods")
                self._forget({item["metadata"]["uid"] for item in listed["items"]})
                for pod in listed["items"]:
                    self._see("MODIFIED", pod)
                self._watch(listed["metadata"]["resourceVersion"])
            except (
                RefusedError,
                requests.RequestException,
                ValueError,
            ):  # away, or killed in a line
                self._closed.wait(_AGAIN_SECONDS)

    def _watch(self, version: str) -> None:
        for kind, pod in self._api.watch("/api/v1/pods", version, _WATCH_SECONDS):
            if kind == "ERROR" or self._closed.is_set():
                return
            self._see(kind, pod)

    def _see(self, kind: str, pod: Body) -> None:
        metadata, spec = pod["metadata"], pod["spec"]
        if metadata["namespace"] not in self.namespaces or self._closed.is_set():
            return
        if kind == "DELETED":
            self._drop(metadata["uid"])
        elif metadata.get("deletionTimestamp"):
            self._drop(metadata["uid"])
            self._remove(pod)
        elif not spec.get("nodeName"):
            self._bind(pod)
        elif metadata["uid"] in self._runs:
            self._runs[metadata["uid"]].see(pod)
        elif spec["nodeName"] == self.node and (pod.get("status") or {}).get("phase", "Pending") == "Pending":
            self._start(pod)

    def _bind(self, pod: Body) -> None:
        binding = {"metadata": {"name": pod["metadata"]["name"]}, "target": {"kind": "Node", "name": self.node}}
        with suppress(RefusedError):  # somebody was faster, or it is gone
            self._api.call("POST", f"{_path(pod)}/binding", {"apiVersion": "v1", "kind": "Binding", **binding})

    def _start(self, pod: Body) -> None:
        uid = pod["metadata"]["uid"]
        directory = self.root / "pods" / uid
        directory.mkdir(parents=True)
        lookup = partial(self._lookup, pod)
        volumes = PodVolumes(pod, directory / "volumes", self.root / "claims", lookup, partial(self._token, pod))
        around = Surroundings(
            images=self.images,
            mounts=self._tools,
            variables={"PATH": self.path, "HOSTNAME": pod["metadata"]["name"], **self.variables},
            lookup=lookup,
            tell=partial(self._tell, pod),
        )
        run = PodRun(pod, directory, volumes, around)
        with self._lock:
            self._runs[uid] = run
        thread = threading.Thread(target=run.run, name=pod["metadata"]["name"], daemon=True)
        self._threads.append(thread)
        thread.start()

    def _lookup(self, pod: Body, plural: str, name: str) -> Body | None:
        return self._patiently(lambda: self._api.get(f"{_namespace(pod)}/{plural}/{name}"))

    def _tell(self, pod: Body, status: Mapping[str, object]) -> None:
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        self._patiently(lambda: self._api.merge(f"{_path(pod)}/status", body))

    def _patiently(self, call: Callable[[], Body | None]) -> Body | None:
        """Try until the API server is there again, as in some tests it is not; None when it refuses."""
        while not self._closed.is_set():
            try:
                return call()
            except RefusedError as error:
                if error.code < 429:
                    return None  # the pod is gone, or another one has its name
            except requests.RequestException:
                pass
            self._closed.wait(_AGAIN_SECONDS)
        return None

    def _remove(self, pod: Mapping[str, Any]) -> None:
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        with suppress(RefusedError):
            self._api.call("DELETE", _path(pod), body)

    def _drop(self, uid: str) -> None:
        with self._lock:
            run = self._runs.pop(uid, None)
        if run is not None:
            run.stop()

    def _forget(self, present: set[str]) -> None:
        with self._lock:
            missed = set(self._runs) - present
        for uid in missed:
            self._drop(uid)

    def _token(self, pod: Body, audience: str, seconds: int) -> str:
        account = pod["spec"].get("serviceAccountName") or "default"
        wanted = {"expirationSeconds": max(600, seconds)} | ({"audiences": [audience]} if audience else {})
        path = f"{_namespace(pod)}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        return str(self._api.call("POST", path, body)["status"]["token"])

    def _log(self, namespace: str, pod: str, container: str) -> Path | None:
        run = self._find(namespace, pod)
        return run.log(container) if run is not None else None

    def _find(self, namespace: str, pod: str) -> PodRun | None:
        with self._lock:
            return next((run for run in self._runs.values() if _name(run.pod) == (namespace, pod)), None)


def _step_commands(root: Path) -> Path:
    """A directory with this checkout's layerwatch-step."""
    directory = root / "bin"
    directory.mkdir(parents=True)
    program = directory / "layerwatch-step"
    program.write_text(_STEP_COMMAND.format(python=sys.executable, checkout=str(CHECKOUT)))
    program.chmod(0o755)
    return directory


def _namespace(pod: Mapping[str, Any]) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}"


def _path(pod: Mapping[str, Any]) -> str:
    return f"{_namespace(pod)}/pods/{pod['metadata']['name']}"


def _name(pod: Mapping[str, Any]) -> tuple[str, str]:
    return str(pod["metadata"]["namespace"]), str(pod["metadata"]["name"])
