"""What a rendered MachineConfig says of a pool's OS image, and which of its sources set it.

openshift/machine-config-operator: pkg/controller/common/helpers.go `MergeMachineConfigs`, constants.go. A rendered
MachineConfig is never changed; its name has a hash of its content. Which one a pool wants is not known here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layering.cluster.api import ClusterApi
from layering.cluster.objects import annotations, labels, mapping, name_of, text
from layering.cluster.resources import MACHINE_CONFIGS
from layering.errors import NotFoundError
from layering.machineconfig_merge import Claim, winner
from layering.reasons import Reason

OVERRIDDEN_ANNOTATION = "machineconfiguration.openshift.io/os-image-url-overridden"
GENERATED_ANNOTATION = "machineconfiguration.openshift.io/generated-by-controller-version"
ROLE_LABEL = "machineconfiguration.openshift.io/role"
_WORKER = "worker"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """`os_image` is what the nodes are told to run; `set_by` the MachineConfig that says so, None for the release;
    `set_by_role` is that one's pool label, which the order of merging goes by.

    `overridden`: the operator, or a source, says that the image is not the release's own.
    """

    os_image: str | None
    set_by: str | None
    set_by_role: str | None
    overridden: bool


class MachineConfigs:
    """The MachineConfigs of one cluster, as far as one look needs them: each is read once at most."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._written: frozenset[str] | None = None
        self._claims: dict[str, Claim | None] = {}

    def rendered(self, name: str, sources: Sequence[str], pool: str) -> Rendered | None:
        """What the rendered MachineConfig `name`, made from `sources`, says. None when there is none of that name."""
        body = self._get(name)
        if body is None:
            return None
        found = [claim for source in sources if (claim := self._claim(source)) is not None]
        verdict = winner([_in_pool(claim, pool) for claim in found], pool)
        return Rendered(
            os_image=_os_image(body),
            set_by=verdict.winner.name if verdict else None,
            set_by_role=verdict.winner.role if verdict else None,
            overridden=annotations(body).get(OVERRIDDEN_ANNOTATION) == "true" or verdict is not None,
        )

    def os_image(self, name: str) -> str | None:
        """The osImageURL of one MachineConfig; None when it has none, or there is none of that name."""
        body = self._get(name)
        return _os_image(body) if body is not None else None

    def _claim(self, source: str) -> Claim | None:
        """The source as a claim; None for one that the operator generated, or that is gone by now."""
        if source not in self._written_by_people():
            return None
        if source not in self._claims:
            body = self._get(source)
            self._claims[source] = (
                None
                if body is None
                else Claim(name=source, role=labels(body).get(ROLE_LABEL), image=_os_image(body), line=0)
            )
        return self._claims[source]

    def _written_by_people(self) -> frozenset[str]:
        """The names of those that no controller generated: few of many, so that few have to be read in full."""
        if self._written is None:
            listed = self._api.list(MACHINE_CONFIGS, metadata_only=True).items
            self._written = frozenset(name_of(item) for item in listed if GENERATED_ANNOTATION not in annotations(item))
        return self._written

    def _get(self, name: str) -> Mapping[str, Any] | None:
        return _if_there(lambda: self._api.get(MACHINE_CONFIGS, name))


def _in_pool(claim: Claim, pool: str) -> Claim:
    """What is a pool's source counts for it, whatever its role label; only `worker` is told apart."""
    return Claim(name=claim.name, role=_WORKER if claim.role == _WORKER else pool, image=claim.image, line=0)


def _os_image(body: Mapping[str, Any]) -> str | None:
    return text(mapping(body.get("spec")).get("osImageURL")) or None


def _if_there(ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    try:
        return ask()
    except NotFoundError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return None
