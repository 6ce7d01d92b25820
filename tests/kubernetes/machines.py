"""Plays the Machine Config Operator: renders pools, and reports how far their machines are.

It does what openshift/machine-config-operator does to the objects (pkg/controller/render, pkg/controller/node), when
the test says so and not before; nothing happens to any machine. Every field is one the real CRD has: unknown ones are
refused. It checks nothing that the operator would refuse to render.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from layering.cluster.resources import (
    MACHINE_CONFIG_POOLS,
    MACHINE_CONFIGS,
    MACHINE_OS_CONFIGS,
    NODES,
    OS_IMAGE_STREAMS,
)
from tests.kubernetes.admin import Admin
from tests.kubernetes.rest import Body

_PREFIX = "machineconfiguration.openshift.io"
_ROLE = f"{_PREFIX}/role"
_CURRENT, _DESIRED = f"{_PREFIX}/currentConfig", f"{_PREFIX}/desiredConfig"


class MachinesPlay:
    """Pools, MachineConfigs and Nodes of one cluster. `os_image` is what a pool runs that nobody overrides."""

    def __init__(self, admin: Admin, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.admin = admin
        self.os_image = f"registry.example.com/release/os@sha256:{'0' * 64}"
        self._now = now

    def pool(self, name: str, *, machines: int = 0, paused: bool = False, stream: str | None = None) -> Body:
        """A pool with this many amd64 machines, rendered and rolled out. A custom pool takes worker's configs too."""
        roles = [name] if name in {"master", "worker"} else ["worker", name]
        spec: Body = {
            "machineConfigSelector": {"matchExpressions": [{"key": _ROLE, "operator": "In", "values": roles}]},
            "nodeSelector": {"matchLabels": {_role_label(name): ""}},
            "paused": False,
        }
        if stream is not None:
            spec["osImageStream"] = {"name": stream}
        self.admin.create(MACHINE_CONFIG_POOLS, {"metadata": {"name": name}, "spec": spec})
        self.machine_config(f"00-{name}", name)
        for number in range(machines):
            self.node(f"{name}-{number}", pool=name)
        self.render(name)
        self.roll_out(name)
        if paused:
            self.pause(name)
        return self.read_pool(name)

    def machine_config(
        self, name: str, role: str, os_image: str | None = None, *, extensions: Sequence[str] = ()
    ) -> None:
        """Create or replace a MachineConfig, as `oc apply` would; pools take it up when they are rendered."""
        spec: Body = {"config": {"ignition": {"version": "3.4.0"}}}
        if os_image is not None:
            spec["osImageURL"] = os_image
        if extensions:
            spec["extensions"] = list(extensions)
        body: Body = {"metadata": {"name": name, "labels": {_ROLE: role}}, "spec": spec}
        if self.admin.exists(MACHINE_CONFIGS, name):
            body["metadata"] = {**self.admin.read(MACHINE_CONFIGS, name)["metadata"], "labels": {_ROLE: role}}
            self.admin.replace(MACHINE_CONFIGS, body)
        else:
            self.admin.create(MACHINE_CONFIGS, body)

    def apply(self, document: Body) -> None:
        """Create or replace the MachineConfig of this document: what GitOps does with a merged one."""
        labels, spec = document["metadata"]["labels"], document["spec"]
        self.machine_config(document["metadata"]["name"], labels[_ROLE])
        self.admin.patch(MACHINE_CONFIGS, document["metadata"]["name"], {"metadata": {"labels": labels}, "spec": spec})

    def node(self, name: str, *, pool: str = "worker", arch: str = "amd64", ready: bool = True) -> None:
        """A machine of a pool. It runs what the pool is rendered to, if anything yet."""
        roles = {_role_label(pool): "", _role_label("master" if pool == "master" else "worker"): ""}
        rendered = _spec_configuration(self.read_pool(pool)) if self.admin.exists(MACHINE_CONFIG_POOLS, pool) else ""
        annotations = {_CURRENT: rendered, _DESIRED: rendered, f"{_PREFIX}/state": "Done"}
        labels = {**roles, "kubernetes.io/arch": arch, "kubernetes.io/os": "linux"}
        self.admin.create(NODES, {"metadata": {"name": name, "labels": labels, "annotations": annotations}})
        conditions = [{"type": "Ready", "status": "True" if ready else "False", "reason": "Played"}]
        info = {"architecture": arch, "operatingSystem": "linux", "osImage": "Red Hat Enterprise Linux CoreOS"}
        unused = ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeletVersion", "kubeProxyVersion")
        whole = {**info, "machineID": name, "systemUUID": name, **dict.fromkeys(unused, "")}
        self.admin.patch_status(NODES, name, {"nodeInfo": whole, "conditions": conditions})

    def render(self, pool: str) -> str:
        """Merge the pool's MachineConfigs, as the operator does seconds after a change. Gives the rendered name."""
        sources, os_image = self._merged(pool)
        base = self._base(pool)
        identity = "\n".join([os_image or base, *(f"{each['metadata']['name']} {each['spec']}" for each in sources)])
        name = f"rendered-{pool}-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
        if not self.admin.exists(MACHINE_CONFIGS, name):
            annotations = {f"{_PREFIX}/generated-by-controller-version": "played"}
            if os_image:
                annotations[f"{_PREFIX}/os-image-url-overridden"] = "true"
            spec = {"config": {"ignition": {"version": "3.4.0"}}, "osImageURL": os_image or base}
            self.admin.create(MACHINE_CONFIGS, {"metadata": {"name": name, "annotations": annotations}, "spec": spec})
        source = [{"apiVersion": f"{_PREFIX}/v1", "kind": "MachineConfig", **_named(each)} for each in sources]
        self._configure(pool, {"configuration": {"name": name, "source": source}})
        return name

    def roll_out(self, pool: str, *, machines: int | None = None) -> None:
        """Let so many more machines reach the rendered configuration; all of them by default."""
        body = self.read_pool(pool)
        assert not body["spec"].get("paused"), f"the pool {pool} is paused"
        wanted = _spec_configuration(body)
        behind = [node for node in self.nodes(pool) if node["metadata"]["annotations"][_CURRENT] != wanted]
        for node in behind if machines is None else behind[:machines]:
            annotations = {_CURRENT: wanted, _DESIRED: wanted, f"{_PREFIX}/state": "Done"}
            self.admin.patch(NODES, node["metadata"]["name"], {"metadata": {"annotations": annotations}})
        is_done = machines is None or machines >= len(behind)
        self._report(pool, wanted if is_done else _status_configuration(body))

    def pause(self, pool: str, paused: bool = True) -> None:
        """Pause or unpause; what is pending stays pending until `roll_out`."""
        self._configure(pool, {"paused": paused})

    def degrade(self, pool: str, message: str) -> None:
        """One machine cannot apply its configuration; `roll_out` mends it."""
        self._report(pool, _status_configuration(self.read_pool(pool)), degraded=message)

    def change_unobserved(self, pool: str) -> None:
        """Change the pool's spec so that the operator has not seen it yet: observedGeneration stays behind."""
        before = self.read_pool(pool)["spec"].get("maxUnavailable")
        self.admin.patch(MACHINE_CONFIG_POOLS, pool, {"spec": {"maxUnavailable": 2 if before == 1 else 1}})

    def layer_on_cluster(self, pool: str, name: str | None = None) -> None:
        """A MachineOSConfig: from now on the operator itself builds this pool's image."""
        spec = {
            "machineConfigPool": {"name": pool},
            "imageBuilder": {"imageBuilderType": "Job"},
            "renderedImagePushSecret": {"name": "push"},
            "renderedImagePushSpec": "registry.example.com/os/layered:latest",
        }
        self.admin.create(MACHINE_OS_CONFIGS, {"metadata": {"name": name or pool}, "spec": spec})

    def read_pool(self, name: str) -> Body:
        """The MachineConfigPool as it is now."""
        return self.admin.read(MACHINE_CONFIG_POOLS, name)

    def image_of(self, pool: str) -> str:
        """The osImageURL that the pool is rendered to."""
        rendered = self.admin.read(MACHINE_CONFIGS, _spec_configuration(self.read_pool(pool)))
        return str(rendered["spec"]["osImageURL"])

    def nodes(self, pool: str) -> list[Body]:
        """The pool's machines by name. One in a custom pool is not worker's as well."""
        return [node for node in self.admin.list(NODES) if _pool_of(node) == pool]

    def _merged(self, pool: str) -> tuple[list[Body], str]:
        """The pool's MachineConfigs in the order of their merge, and the last osImageURL, "" when none has one."""
        (expression,) = self.read_pool(pool)["spec"]["machineConfigSelector"]["matchExpressions"]
        chosen = [each for each in self.admin.list(MACHINE_CONFIGS) if _role(each) in expression["values"]]
        chosen.sort(key=lambda each: (_role(each) != "worker", each["metadata"]["name"]))
        images = [each["spec"].get("osImageURL") for each in chosen]
        return chosen, next((image for image in reversed(images) if image), "")

    def _base(self, pool: str) -> str:
        stream = self.admin.get(OS_IMAGE_STREAMS.path(name="cluster"))
        if stream is None:
            return self.os_image
        status = stream["status"]
        name = (self.read_pool(pool)["spec"].get("osImageStream") or {}).get("name") or status["defaultStream"]
        images = {each["name"]: each["osImage"] for each in status["availableStreams"]}
        return str(images.get(name, self.os_image))

    def _configure(self, pool: str, spec: Body) -> None:
        """Change the spec, and have it observed."""
        body = self.admin.patch(MACHINE_CONFIG_POOLS, pool, {"spec": spec})
        self._report(pool, _status_configuration(body))

    def _report(self, pool: str, current: str, degraded: str = "") -> None:
        body = self.read_pool(pool)
        wanted = _spec_configuration(body)
        nodes = self.nodes(pool)
        updated = sum(1 for node in nodes if node["metadata"]["annotations"][_CURRENT] == wanted)
        is_updated, is_paused = current == wanted, bool(body["spec"].get("paused"))
        waits = f"Pool is paused; will not update to {wanted}" if is_paused and not is_updated else ""
        conditions = (
            ("Updated", is_updated, ""),
            ("Updating", not is_updated and not is_paused, waits),
            ("Degraded", bool(degraded), ""),
            ("NodeDegraded", bool(degraded), degraded),
            ("RenderDegraded", False, ""),
        )
        self.admin.write_status(
            MACHINE_CONFIG_POOLS,
            pool,
            {
                "observedGeneration": body["metadata"]["generation"],
                "configuration": {"name": current},
                "machineCount": len(nodes),
                "updatedMachineCount": updated,
                "readyMachineCount": updated,
                "unavailableMachineCount": 0 if is_updated or is_paused else min(1, len(nodes) - updated),
                "degradedMachineCount": 1 if degraded else 0,
                "conditions": list(self._conditions(conditions)),
            },
        )

    def _conditions(self, conditions: Iterable[tuple[str, bool, str]]) -> Iterable[Body]:
        for kind, holds, message in conditions:
            status = "True" if holds else "False"
            yield {
                "type": kind,
                "status": status,
                "message": message,
                "reason": "",
                "lastTransitionTime": self._stamp(),
            }

    def _stamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _role_label(pool: str) -> str:
    return f"node-role.kubernetes.io/{pool}"


def _role(config: Body) -> str:
    return str((config["metadata"].get("labels") or {}).get(_ROLE, ""))


def _pool_of(node: Body) -> str:
    prefix = _role_label("")
    roles = {label.removeprefix(prefix) for label in node["metadata"]["labels"] if label.startswith(prefix)}
    return next(iter(sorted(roles - {"worker"}) or sorted(roles)), "")  # without a role: of no pool


def _named(config: Body) -> Body:
    return {"name": config["metadata"]["name"]}


def _spec_configuration(pool: Body) -> str:
    return str((pool["spec"].get("configuration") or {}).get("name", ""))


def _status_configuration(pool: Body) -> str:
    return str(((pool.get("status") or {}).get("configuration") or {}).get("name", ""))
