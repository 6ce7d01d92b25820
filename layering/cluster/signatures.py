"""The signatures of releases that a cluster holds, for places without Internet.

ConfigMaps as `oc adm release mirror` and oc-mirror write them (github.com/openshift/library-go,
pkg/verify/store/configmap): any number of signatures in each, for any number of releases. Nothing is verified here.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from layering.cluster.api import ClusterApi
from layering.cluster.objects import mapping, name_of, text
from layering.cluster.resources import CONFIG_MAPS
from layering.errors import ContentError
from layering.reference import Digest
from layering.registry.deadline import Deadline
from layering.releasesignatures.stores import SIGNATURES_MAX, checked

NAMESPACE = "openshift-config-managed"
LABEL = "release.openshift.io/verification-signatures"


@dataclass(frozen=True, slots=True)
class ClusterStore:
    """One cluster's."""

    api: ClusterApi

    @property
    def name(self) -> str:
        """The cluster, as errors call it."""
        return f"{self.api.name}: ConfigMaps in {NAMESPACE}"

    def signatures(self, digest: Digest, deadline: Deadline) -> Iterator[bytes]:
        """Those of one image, by their number, each once. Raises what ClusterApi raises; ContentError."""
        bounded = self.api.within(deadline.remaining(self.name))
        listed = bounded.list(CONFIG_MAPS, namespace=NAMESPACE, label_selector=LABEL).items
        key = re.compile(rf"{digest.algorithm}-{digest.hex}-([0-9]{{1,9}})")
        found = sorted(
            (int(match[1]), name_of(body), text(encoded))
            for body in listed
            for name, encoded in mapping(body.get("binaryData")).items()
            if (match := key.fullmatch(name))
        )
        once = {encoded: f"{self.api.name}: ConfigMap/{name} in {NAMESPACE}" for _, name, encoded in found}
        for encoded, where in list(once.items())[:SIGNATURES_MAX]:
            yield checked(_decoded(encoded, where), where)


def _decoded(encoded: str, where: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ContentError("a signature in it is not base64", where=where) from None
