"""Tekton's own webhook and controller beside a test API server, so that what we ship and create is judged by Tekton.

Both are the real programs, with Tekton's ConfigMaps as they are. They run in a private network (see private_network):
they listen on all interfaces and cannot be told otherwise. Two relays cross its border: the API server calls the
webhook as localhost:PORT, by a Service of type ExternalName, and both call the API server on the port it has anyway.

It runs no pods; kubelet does. It has no resolvers, no events controller, and rights without limit: what Tekton's own
RBAC would refuse is not seen.
"""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import requests
import yaml

from tests.kubernetes.admin import CRDS
from tests.kubernetes.crds import wait_until_served
from tests.kubernetes.private_network import PrivateNetwork, Program
from tests.kubernetes.rest import Body, RefusedError
from tests.kubernetes.server import TestApiServer

NAMESPACE = "tekton-pipelines"
_SERVICE = "tekton-pipelines-webhook"
_WEBHOOK_PORT, _PROBES_PORT, _METRICS_PORT, _PROFILING_PORT = 8443, 8080, 9090, 8008
_READY_SECONDS = 60
_POLL_SECONDS = 0.05
_NO_STEPS = {
    "apiVersion": "tekton.dev/v1",
    "kind": "Task",
    "metadata": {"name": "without-steps", "namespace": NAMESPACE},
    "spec": {"steps": []},
}
_ANY_IMAGE = f"example.com/tekton@sha256:{'0' * 64}"  # names only; the test kubelet has the programs itself
_IMAGES = (
    "-entrypoint-image",
    "-nop-image",
    "-sidecarlogresults-image",
    "-workingdirinit-image",
    "-shell-image",
    "-shell-image-win",
)


class Tekton:
    """A running webhook and controller. `manifests` is the directory config/ of Tekton's Go module.

    `api` is the admin's way to the API server it stands beside.
    """

    def __init__(self, server: TestApiServer, directory: Path, manifests: Path, webhook: str, controller: str) -> None:
        self.server, self.api = server, server.admin
        self._directory = directory
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = int(listener.getsockname()[1])
            self._install(manifests, port)
            programs = self._programs(webhook, controller, str(server.kubeconfig))
            self._network = PrivateNetwork(directory / "network", programs, {listener: _WEBHOOK_PORT}, [server.port])
        self._wait_until_ready()
        wait_until_served(self.api, self.api.list(CRDS))  # its webhook has changed them, and may be changing them

    def kill(self) -> None:
        """End both; the webhook configurations stay, so that the API server then refuses every Tekton object."""
        self._network.kill()

    def wait_for(self, path: str) -> Body:
        """The object of that path, as soon as some controller made it. Raises TimeoutError."""
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end:
            found = self.api.get(path)
            if found is not None:
                return found
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"nobody makes {path}")

    def log(self, program: str) -> str:
        """What `webhook` or `controller` said so far."""
        return (self._directory / f"{program}.log").read_text()

    def _install(self, manifests: Path, port: int) -> None:
        for document in _documents(manifests):
            for client in _webhook_clients(document):
                client["service"]["port"] = port
            self.api.call("POST", _collection(document), document)
        self.api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/services", _service(port))

    def _programs(self, webhook: str, controller: str, kubeconfig: str) -> list[Program]:
        flags = ["--disable-ha", "-kube-api-qps=200", "-kube-api-burst=400"]
        images = [word for image in _IMAGES for word in (image, _ANY_IMAGE)]
        return [
            Program(
                argv=[webhook],
                env=_environment(kubeconfig, "webhook", 0),
                log=str(self._directory / "webhook.log"),
            ),
            Program(
                argv=[controller, *flags, *images],
                env=_environment(kubeconfig, "controller", 1),
                log=str(self._directory / "controller.log"),
            ),
        ]

    def _wait_until_ready(self) -> None:
        """No readiness probe says that the webhook's rules are registered: only a refused Task does."""
        end = time.monotonic() + _READY_SECONDS
        said = ""
        while time.monotonic() < end and not self._network.ended():
            try:
                self.api.call("POST", "/apis/tekton.dev/v1/namespaces/tekton-pipelines/tasks", _NO_STEPS)
                self.api.call("DELETE", "/apis/tekton.dev/v1/namespaces/tekton-pipelines/tasks/without-steps")
                said = "it accepts a Task without steps"
            except RefusedError as error:
                said = str(error)
                if "denied the request" in said:
                    return
            except requests.RequestException as error:
                said = str(error)
            time.sleep(_POLL_SECONDS)
        why = self._network.ended() or said
        self.kill()
        raise RuntimeError(f"Tekton is not ready: {why}; {self.log('webhook')[-2000:]}")


def _documents(manifests: Path) -> Iterator[Body]:
    """Namespace, CRDs, ConfigMaps, and the webhook configurations with their empty Secret, in this order."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    files = (*manifests.glob("300-crds/*.yaml"), *manifests.glob("config-*.yaml"), manifests / "500-webhooks.yaml")
    for file in files:
        yield from (document for document in yaml.safe_load_all(file.read_text()) if document)


def _webhook_clients(document: Body) -> Iterator[Body]:
    """Each `clientConfig` in it: where the API server finds the webhook."""
    for webhook in document.get("webhooks") or ():
        yield webhook["clientConfig"]
    if document["kind"] == "CustomResourceDefinition" and "webhook" in (document["spec"].get("conversion") or {}):
        yield document["spec"]["conversion"]["webhook"]["clientConfig"]


def _service(port: int) -> Body:
    return {
        "metadata": {"name": _SERVICE},
        "spec": {
            "type": "ExternalName",
            "externalName": "localhost",
            "ports": [{"name": "https-webhook", "port": port}],
        },
    }


def _collection(document: Body) -> str:
    version, plural = document["apiVersion"], f"{document['kind'].lower()}s"
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = document["metadata"].get("namespace")
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def _environment(kubeconfig: str, program: str, offset: int) -> dict[str, str]:
    """As in Tekton's Deployments; `offset` keeps the ports of the two apart."""
    return {
        "PATH": os.defpath,
        "KUBECONFIG": kubeconfig,
        "SYSTEM_NAMESPACE": NAMESPACE,
        "KUBERNETES_MIN_VERSION": "v1.28.0",
        "WEBHOOK_PORT": str(_WEBHOOK_PORT),
        "WEBHOOK_SERVICE_NAME": _SERVICE,
        "WEBHOOK_SECRET_NAME": "webhook-certs",
        "WEBHOOK_ADMISSION_CONTROLLER_NAME": "webhook.pipeline.tekton.dev",
        "PROBES_PORT": str(_PROBES_PORT + offset),
        "PROFILING_PORT": str(_PROFILING_PORT + offset),
        "METRICS_PROMETHEUS_HOST": "127.0.0.1",
        "METRICS_PROMETHEUS_PORT": str(_METRICS_PORT + offset),
        "CONFIG_LOGGING_NAME": "config-logging",
        "CONFIG_OBSERVABILITY_NAME": "config-observability",
        "CONFIG_FEATURE_FLAGS_NAME": "feature-flags",
        "CONFIG_DEFAULTS_NAME": "config-defaults",
        "CONFIG_LEADERELECTION_NAME": f"config-leader-election-{program}",
        "CONFIG_SPIRE": "config-spire",
    }
