"""How a cluster's API is reached: with a kubeconfig, or as a pod of the cluster itself.

What is named here is read when the cluster is asked (layering/cluster/connection.py), not before.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kubeconfig:
    """A kubeconfig file; `context` is the one to take, None for the file's current-context."""

    file: Path
    context: str | None = None


def _environment() -> Mapping[str, str]:
    return os.environ


@dataclass(frozen=True, kw_only=True, slots=True)
class InCluster:
    """The pod's own ServiceAccount, and the API server that the pod's environment names.

    The files `token`, `ca.crt` and `namespace` lie in $LAYERWATCH_SERVICEACCOUNT_DIR, or where Kubernetes puts them.
    """

    environment: Mapping[str, str] = field(default_factory=_environment, repr=False, compare=False)

    @property
    def directory(self) -> Path:
        """Where the ServiceAccount's files are."""
        return Path(self.environment.get("LAYERWATCH_SERVICEACCOUNT_DIR") or _DIRECTORY)

    @property
    def url(self) -> str | None:
        """The API server; None outside a pod."""
        host = self.environment.get("KUBERNETES_SERVICE_HOST")
        port = self.environment.get("KUBERNETES_SERVICE_PORT") or "443"
        if not host:
            return None
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    @property
    def namespace(self) -> str | None:
        """The pod's own namespace; None when it cannot be told."""
        try:
            return (self.directory / "namespace").read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            return None


ClusterAccess = Kubeconfig | InCluster
