"""`verify-rollout`: wait until every machine of a pool runs an image, or say what keeps it from that.

openshift/machine-config-operator pkg/controller/node/status.go: a rollout is over when the pool is Updated, has seen
its own spec, and all its machines have the configuration it wants. It reads; it changes nothing in the cluster.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from layering.cluster.access import ClusterAccess, InCluster, Kubeconfig
from layering.cluster.api import ClusterApi
from layering.cluster.memory import Memory
from layering.cluster.pools import Pool, read_pool
from layering.errors import ExitCode, InputError, NotFoundError, UnavailableError
from layering.reasons import Reason
from layering.reference import ImageReference, same_digest
from pipeline.flag_value import flag_value

SUMMARY = "wait until every machine of a pool runs an image"
EXAMPLE = (
    "layerwatch-step verify-rollout --kubeconfig ~/.kube/config --pool worker \\\n"
    "    --image quay.io/acme/os@sha256:… --timeout-seconds 3600"
)
_INTERVAL_SECONDS = 10.0
_CALL_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The pool, the image, how long to wait, and how the cluster is reached."""
    parser.add_argument("--pool", required=True, metavar="POOL", help="the MachineConfigPool")
    parser.add_argument("--image", required=True, metavar="PULLSPEC", help="the image, by digest")
    parser.add_argument(
        "--timeout-seconds", type=float, default=0.0, metavar="N", help="how long to wait (default: 0, look once)"
    )
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: as a pod of the cluster")
    parser.add_argument("--context", metavar="NAME", help="of the kubeconfig; default: its current-context")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the step was asked for."""

    pool: str
    image: ImageReference
    timeout_seconds: float
    access: ClusterAccess


class State(StrEnum):
    """How far the pool is. NotRequested: its configuration names another image."""

    ROLLED_OUT = "RolledOut"
    UPDATING = "Updating"
    PAUSED = "Paused"
    DEGRADED = "Degraded"
    NOT_REQUESTED = "NotRequested"


_EXIT_CODES = {State.ROLLED_OUT: ExitCode.DONE, State.DEGRADED: ExitCode.CHECK_SAID_NO}
_WORTH_WAITING = (State.UPDATING, State.NOT_REQUESTED)


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The state at the end. The numbers count machines."""

    state: State
    updated: int
    total: int
    degraded: int
    message: str

    @property
    def exit_code(self) -> ExitCode:
        """DONE when it is rolled out, CHECK_SAID_NO when it is degraded, otherwise: try again later."""
        return _EXIT_CODES.get(self.state, ExitCode.UNAVAILABLE)


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Check what does not need the cluster. Raises InputError."""
    if not math.isfinite(arguments.timeout_seconds) or arguments.timeout_seconds < 0:
        raise InputError("must be 0 or more seconds", where="--timeout-seconds")
    if not arguments.pool:
        raise InputError("is empty", where="--pool", next_step="name a MachineConfigPool, such as worker")
    if arguments.context is not None and arguments.kubeconfig is None:
        raise InputError("a context is one of a kubeconfig", where="--context", next_step="name it with --kubeconfig")
    return Inputs(
        pool=arguments.pool,
        image=flag_value("--image", ImageReference.parse_pinned, arguments.image),
        timeout_seconds=arguments.timeout_seconds,
        access=(
            InCluster()
            if arguments.kubeconfig is None
            else Kubeconfig(file=arguments.kubeconfig, context=arguments.context)
        ),
    )


def run(
    inputs: Inputs,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outputs:
    """Look until the rollout is over, cannot go on, or the time is up.

    Raises InputError when there is no such pool, RefusedError when the cluster does not let us look, and what
    ClusterApi raises when it could not be asked to the end.
    """
    ends_at = clock() + inputs.timeout_seconds
    memory, said = Memory(), ""
    with ClusterApi(inputs.access, name="the cluster", timeout_seconds=_CALL_SECONDS) as api:
        while True:
            left = ends_at - clock()
            found = _look(api, inputs, memory, say, is_last=left <= 0)
            if found is not None:
                if found.message != said:
                    said = found.message
                    say(f"{inputs.pool}: {said}")
                if found.state not in _WORTH_WAITING or left <= 0:
                    return found
            sleep(min(_INTERVAL_SECONDS, max(left, 0)))


def _look(
    api: ClusterApi, inputs: Inputs, memory: Memory, say: Callable[[str], None], *, is_last: bool
) -> Outputs | None:
    """What the pool says; None when the cluster could not be asked this time, and there will be another."""
    try:
        return judge(read_pool(api.within(), inputs.pool, memory), inputs.image)
    except NotFoundError as error:
        if error.reason is Reason.NOT_FOUND:
            raise InputError(
                f"the cluster has no MachineConfigPool {inputs.pool}",
                where="--pool",
                next_step="name one that `oc get machineconfigpool` lists",
            ) from None
        raise
    except UnavailableError as error:
        if is_last:
            raise
        say(f"{inputs.pool}: {error.what}; trying again")
        return None


def judge(pool: Pool, wanted: ImageReference) -> Outputs:
    """How far a pool is on its way to an image. Only digests are compared: a mirror's name is the same image."""
    state, message = _state(pool, wanted)
    return Outputs(
        state=state,
        updated=pool.updated_machines,
        total=pool.total,
        degraded=pool.degraded_machines,
        message=message,
    )


def _state(pool: Pool, wanted: ImageReference) -> tuple[State, str]:
    progress = f"{pool.updated_machines} of {pool.total} machines have it"
    if not same_digest(pool.os_image, wanted):
        trouble = f"; degraded: {pool.message}" if pool.degraded else ""  # perhaps of what is being replaced
        return State.NOT_REQUESTED, f"its configuration names another image: {pool.os_image or 'none'}{trouble}"
    if pool.degraded:
        return State.DEGRADED, f"degraded; {progress}: {pool.message or 'the operator does not say why'}"
    if pool.is_rolled_out:
        return State.ROLLED_OUT, progress
    if pool.paused:
        return State.PAUSED, f"paused, so that no machine is moved; {progress}"
    return State.UPDATING, progress
