"""Fills a real API server with one OpenShift cluster of a usual size, and records it before and after an upgrade.

Four pools, 50 nodes, 60 MachineConfigs of which 26 are old rendered ones, rendered ones of 100 KB: what a cluster has
after some updates. It is of a release without OSImageStream, as 4.19 is. Every pool runs a layered image of its own.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks.recorded import RECORDED, Answer, Asked, RecordedFleet, Recorder
from layering.cluster.access import Kubeconfig
from layering.cluster.api import ClusterApi, Listed
from layering.cluster.resources import (
    CLUSTER_VERSIONS,
    MACHINE_CONFIG_POOLS,
    MACHINE_CONFIGS,
    OS_IMAGE_STREAMS,
    Resource,
)
from layering.cluster.state import ClusterState, Memory, read_state
from layering.reference import ImageReference
from tests.kubernetes.admin import CRDS
from tests.kubernetes.crds import load_openshift
from tests.kubernetes.machines import MachinesPlay
from tests.kubernetes.openshift import OpenShiftPlay
from tests.kubernetes.server import TestApiServer

POOLS: Mapping[str, int] = {"master": 3, "worker": 39, "infra": 3, "gpu": 5}  # machines
_PREFIX = "machineconfiguration.openshift.io"
_GENERATED = {f"{_PREFIX}/generated-by-controller-version": "played"}
_CONFIGS = 60
_RENDERED_BYTES = 100_000
_KINDS_OF_WATCHES = (CLUSTER_VERSIONS, MACHINE_CONFIG_POOLS)
_EVENTS = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"


def record_cluster(
    fleet: RecordedFleet, kubeconfig: Path, payloads: tuple[ImageReference, ImageReference], images: Mapping[str, str]
) -> str:
    """Record a cluster that runs the first payload and is told to go to the second; `images` are what its pools run.

    `kubeconfig` leads to the recorded one. Says what was compared with the real server.
    """
    with TestApiServer() as server:
        play = _filled(server, payloads[0], images)
        recorder = Recorder(server)
        versions = _recorded(fleet, recorder, kubeconfig)
        compared = _compare(server.kubeconfig, kubeconfig)
        play.upgrade("4.19.2", str(payloads[1]))
        for resource, version in zip(_KINDS_OF_WATCHES, versions, strict=True):
            event = _event(recorder, resource, version)
            if event.body:
                fleet.events[(resource.path(), _EVENTS)] = event
        fleet.upgrade(RECORDED)
        _recorded(fleet, recorder, kubeconfig)
        _compare(server.kubeconfig, kubeconfig)
        recorder.close()
    fleet.rewind()
    return compared


def _filled(server: TestApiServer, payload: ImageReference, images: Mapping[str, str]) -> OpenShiftPlay:
    load_openshift(server.admin)
    server.admin.delete(CRDS, f"{OS_IMAGE_STREAMS.plural}.{OS_IMAGE_STREAMS.group}")
    play = OpenShiftPlay(server.admin)
    play.cluster_version("4.19.1", str(payload))
    for pool, machines in POOLS.items():
        play.pool(pool)
        for kind in (
            "01-{}-container-runtime",
            "01-{}-kubelet",
            "97-{}-generated-kubelet",
            "99-{}-registries",
            "99-{}-ssh",
        ):
            play.machine_config(kind.format(pool), pool)
            _generated(play, kind.format(pool))
        _generated(play, f"00-{pool}")
        play.machine_config(f"99-{pool}-chrony", pool)
        play.machine_config(f"99-{pool}-osimageurl", pool, images[pool])
        for number in range(machines):
            play.node(f"{pool}-{number}", pool=pool)
    for pool in POOLS:
        name = play.render(pool)
        server.admin.patch(MACHINE_CONFIGS, name, {"spec": {"config": _content()}})
        play.roll_out(pool)
    for number in range(_CONFIGS - len(server.admin.list(MACHINE_CONFIGS))):
        metadata = {"name": f"rendered-worker-{number:032x}", "annotations": _GENERATED}
        server.admin.create(MACHINE_CONFIGS, {"metadata": metadata, "spec": {"config": _content()}})
    return play


def _generated(play: MachinesPlay, name: str) -> None:
    play.admin.patch(MACHINE_CONFIGS, name, {"metadata": {"annotations": _GENERATED}})


def _content() -> dict[str, object]:
    """An Ignition configuration of the size that rendered ones have."""
    data = base64.b64encode(os.urandom(_RENDERED_BYTES * 3 // 4)).decode()
    file = {"path": "/etc/played", "contents": {"source": f"data:;base64,{data}"}}
    return {"ignition": {"version": "3.4.0"}, "storage": {"files": [file]}}


def _recorded(fleet: RecordedFleet, recorder: Recorder, kubeconfig: Path) -> list[str]:
    """Record what a watcher asks, at first and later; gives where its watches would begin."""
    fleet.recorder = recorder
    with ClusterApi(Kubeconfig(file=kubeconfig), name=RECORDED) as api:
        memory = Memory()
        for _ in range(2):
            read_state(api, memory)
        listed: list[Listed] = [api.list(resource, metadata_only=True) for resource in _KINDS_OF_WATCHES]
    fleet.recorder = None
    return [each.resource_version for each in listed]


def _compare(real: Path, played: Path) -> str:
    """The recorded cluster must be read as the real one is, with as many requests."""
    states, counts = zip(*(_state(file) for file in (real, played)), strict=True)
    if states[0] != states[1] or counts[0] != counts[1]:
        raise SystemExit(f"the recorded cluster is not the real one:\n{states[0]}\n{states[1]}\n{counts}")
    return f"{counts[0][0]} requests at first, {counts[0][1]} later"


def _state(kubeconfig: Path) -> tuple[ClusterState, tuple[int, int]]:
    codes: list[int | str] = []
    with ClusterApi(Kubeconfig(file=kubeconfig), name=RECORDED, on_request=codes.append) as api:
        memory = Memory()
        read_state(api, memory)
        first = len(codes)
        return read_state(api, memory), (first, len(codes) - first)


def _event(recorder: Recorder, resource: Resource, version: str) -> Answer:
    """What a watch from this version on tells within a second or two."""
    query = f"watch=1&allowWatchBookmarks=false&resourceVersion={version}&timeoutSeconds=2"
    asked: Asked = (f"{resource.path()}?{query}", _EVENTS)
    return recorder.answer(asked)
