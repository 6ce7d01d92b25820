"""One pod's life on the test kubelet: volumes, init containers, containers, and the status of each moment.

The containers run one after the other, as their order in the pod is: Tekton's entrypoint makes its steps wait for each
other, and here a step is started when its turn has come. All are called running meanwhile, as they would be.
Sidecars (containers that are no step) are therefore refused, and activeDeadlineSeconds is not watched.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from datetime import UTC, datetime
from pathlib import Path

from tests.kubernetes.container import Container, Mount, Spec
from tests.kubernetes.pod_environment import Body, Lookup, MissingReferenceError, command_line, environment, field
from tests.kubernetes.pod_volumes import PodVolumes
from tests.kubernetes.rest import Body as Status

_TERMINATION_BYTES = (
    4096  # of one container, https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
)
_LOOK_AGAIN_SECONDS = 0.2
_STEP = "step-"
_MAY_BEGIN = "tekton.dev/ready"


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What the kubelet gives each of its pods."""

    images: Mapping[str, str]  # an image that cannot be pulled -> the reason, such as ImagePullBackOff
    mounts: Sequence[Mount]  # for every container
    variables: Mapping[str, str]  # for every container; those of the pod win
    lookup: Lookup
    tell: Callable[[Status], None]  # writes the pod's status


@dataclass(kw_only=True, slots=True)
class _Known:
    """What the status says of one container."""

    name: str
    image: str
    state: Status = default(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})

    def status(self) -> Status:
        running, done = "running" in self.state, "terminated" in self.state
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "ready": running,
            "started": running,
            "restartCount": 0,
            "state": self.state,
        } | ({"containerID": f"test://{self.name}"} if done or running else {})


class PodRun:
    """Runs in one thread, which the kubelet starts with `run`; `kill` and `evict` come from others."""

    def __init__(self, pod: Body, root: Path, volumes: PodVolumes, around: Surroundings) -> None:
        self.pod = pod
        self._root, self._volumes, self._around = root, volumes, around
        self._started = _now()
        self._stopped = threading.Event()
        self._may_begin = threading.Event()
        self._lock = threading.RLock()
        self._container: Container | None = None
        spec = pod["spec"]
        self._init = [_Known(name=c["name"], image=c["image"]) for c in spec.get("initContainers") or ()]
        self._main = [_Known(name=c["name"], image=c["image"]) for c in spec["containers"]]

    def log(self, container: str) -> Path:
        """The file that has what `container` said."""
        return self._root / container / "log"

    def run(self) -> None:
        """From beginning to end, or until it is stopped."""
        self.see(self.pod)
        if not self._can_start():
            return
        specs = self._prepare()
        if specs is None:
            return
        for known in self._init:
            if self._execute(known, specs[known.name]) != 0:
                self._tell("Failed", message=f"init container {known.name} failed")
                return
        for known in self._main:
            known.state = {"running": {"startedAt": _now()}}
        self._tell("Running")
        self._may_begin.wait()
        failed = False
        for known in self._main:
            failed |= self._execute(known, specs[known.name]) != 0
        self._tell("Failed" if failed else "Succeeded")

    def see(self, pod: Body) -> None:
        """The pod as it is by now. Tekton's annotation that its steps may begin comes once it is Running."""
        self.pod = pod
        self._volumes.refresh(pod)
        if not _awaits_annotation(pod) or field(pod, f"metadata.annotations['{_MAY_BEGIN}']"):
            self._may_begin.set()

    def stop(self) -> None:
        """Kill what runs, and say nothing more of this pod."""
        self._stopped.set()
        self._may_begin.set()
        with self._lock:
            if self._container is not None:
                self._container.kill()

    def evict(self) -> None:
        """As a node under pressure does: kill what runs, phase Failed, reason Evicted; the pod stays."""
        self.stop()
        for known in self._main:
            if "terminated" not in known.state:
                known.state = _terminated(137, "Error", "", _now())
        with self._lock:
            status = self._status("Failed", "The node was low on resource: ephemeral-storage.", "Evicted")
            self._around.tell(status)

    def _can_start(self) -> bool:
        spec = self.pod["spec"]
        for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
            reason = self._around.images.get(container["image"])
            if reason is not None:
                self._wait_with(reason, f"image {container['image']} cannot be pulled")
                return False
        strangers = [known.name for known in self._main if not known.name.startswith(_STEP)]
        if strangers:
            self._tell("Failed", message=f"the test kubelet has no sidecars: {', '.join(strangers)}")
        return not strangers

    def _prepare(self) -> Mapping[str, Spec] | None:
        """What each container runs; waits, as a kubelet does, until what the volumes need is there."""
        while not self._stopped.is_set():
            try:
                self._volumes.make()
            except MissingReferenceError as error:
                self._wait_with("ContainerCreating", str(error))
                self._stopped.wait(_LOOK_AGAIN_SECONDS)
                continue
            try:
                spec = self.pod["spec"]
                return {c["name"]: self._spec(c) for c in (*(spec.get("initContainers") or ()), *spec["containers"])}
            except MissingReferenceError as error:
                self._wait_with("CreateContainerConfigError", str(error))
                return None
        return None

    def _spec(self, container: Body) -> Spec:
        directory = self._root / container["name"]
        scratch = directory / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        termination = directory / "termination"
        termination.touch()
        own = environment(container, self.pod, self._around.lookup)
        return Spec(
            argv=command_line(container, own),
            env={**self._around.variables, **own},
            working_dir=container.get("workingDir") or "/",
            mounts=[
                *self._around.mounts,
                *self._volumes.mounts(container),
                Mount(source=str(termination), target=container["terminationMessagePath"]),
            ],
            scratch=str(scratch),
        )

    def _execute(self, known: _Known, spec: Spec) -> int:
        began = _now()
        container = Container(spec, self.log(known.name))
        with self._lock:
            if self._stopped.is_set():
                return -1
            self._container = container
        code = container.run()
        message = (self._root / known.name / "termination").read_bytes()[-_TERMINATION_BYTES:]
        if not self._stopped.is_set():
            reason = "Completed" if code == 0 else "Error"
            known.state = _terminated(code, reason, message.decode("utf-8", "replace"), began)
            self._tell("Running" if known in self._main else "Pending")
        return code

    def _wait_with(self, reason: str, message: str) -> None:
        for known in self._main:
            known.state = {"waiting": {"reason": reason, "message": message}}
        self._tell("Pending")

    def _tell(self, phase: str, message: str = "") -> None:
        with self._lock:
            if not self._stopped.is_set():
                self._around.tell(self._status(phase, message))

    def _status(self, phase: str, message: str = "", reason: str = "") -> Status:
        ready = "True" if phase == "Running" else "False"
        return {
            "phase": phase,
            "startTime": self._started,
            "message": message or None,
            "reason": reason or None,
            "hostIP": "127.0.0.1",
            "podIP": "127.0.0.1",
            "podIPs": [{"ip": "127.0.0.1"}],
            "conditions": [{"type": kind, "status": ready} for kind in ("Ready", "ContainersReady")],
            "initContainerStatuses": [known.status() for known in self._init],
            "containerStatuses": [known.status() for known in self._main],
        }


def _awaits_annotation(pod: Body) -> bool:
    """Whether its first step looks into a file for the annotation, once a second; we wait for it without polling."""
    items = [
        item for volume in pod["spec"].get("volumes") or () for item in volume.get("downwardAPI", {}).get("items") or ()
    ]
    return any(_MAY_BEGIN in item.get("fieldRef", {}).get("fieldPath", "") for item in items)


def _terminated(code: int, reason: str, message: str, began: str) -> Status:
    return {
        "terminated": {
            "exitCode": code,
            "reason": reason,
            "message": message or None,
            "startedAt": began,
            "finishedAt": _now(),
        }
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
