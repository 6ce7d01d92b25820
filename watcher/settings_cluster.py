"""The configuration's clusters and its `daemon` section: how an API is reached, which cluster is home."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator, model_validator

from layering.cluster.access import ClusterAccess, InCluster, Kubeconfig
from layering.fields import STRICT, Name, Text
from watcher.settings_fields import Duration, LocalFile, Namespace, ObjectName

IN_CLUSTER = "in-cluster"


class FileAccess(BaseModel):
    """A cluster that is read from a file."""

    model_config = STRICT

    file: LocalFile = Field(description="A ClusterVersion, as `oc get clusterversion version -o yaml` prints it.")


class KubeconfigAccess(BaseModel):
    """A cluster that is asked through a kubeconfig."""

    model_config = STRICT

    kubeconfig: LocalFile = Field(description="A kubeconfig; it is read again when it changes, and after a 401.")
    context: Text | None = Field(default=None, description="Which context of it; without it, its current-context.")


def _access(value: Any) -> str | None:
    """Which form is meant, so that faults are told about that one only; None: none of them, or two."""
    if isinstance(value, FileAccess | KubeconfigAccess):
        return type(value).__name__
    if isinstance(value, str):
        return IN_CLUSTER
    if not isinstance(value, dict) or ("file" in value and not value.keys().isdisjoint({"kubeconfig", "context"})):
        return None
    return KubeconfigAccess.__name__ if not value.keys().isdisjoint({"kubeconfig", "context"}) else FileAccess.__name__


class Cluster(BaseModel):
    """One cluster."""

    model_config = STRICT

    name: Name = Field(description="What the images and proposals below call it.")
    access: Annotated[
        Annotated[FileAccess, Tag(FileAccess.__name__)]
        | Annotated[KubeconfigAccess, Tag(KubeconfigAccess.__name__)]
        | Annotated[Literal["in-cluster"], Tag(IN_CLUSTER)],
        Discriminator(
            _access,
            custom_error_type="access_form",
            custom_error_message="is in-cluster, or has kubeconfig (and context), or file; write one of the three",
        ),
    ] = Field(description="How to learn what it runs: `in-cluster`, a kubeconfig, or a file.")

    @property
    def api(self) -> ClusterAccess | None:
        """How its API is reached; None for one that is read from a file."""
        if isinstance(self.access, KubeconfigAccess):
            return Kubeconfig(file=self.access.kubeconfig, context=self.access.context)
        return InCluster() if self.access == IN_CLUSTER else None


class LeaderElection(BaseModel):
    """How replicas agree who acts (`run --leader-elect`)."""

    model_config = STRICT

    name: ObjectName = Field(default="layerwatch", description="The Lease in the daemon's namespace.")
    lease_duration: Duration = Field(
        default="15s", validate_default=True, alias="leaseDuration", description="After this a stand-by may take over."
    )
    renew_deadline: Duration = Field(
        default="10s",
        validate_default=True,
        alias="renewDeadline",
        description="A leader that could not renew for this long ends.",
    )
    retry_period: Duration = Field(
        default="2s", validate_default=True, alias="retryPeriod", description="How often the Lease is tried."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not 0 < self.retry_period < self.renew_deadline < self.lease_duration:
            raise ValueError("retryPeriod must be shorter than renewDeadline, and that shorter than leaseDuration")
        return self


class Daemon(BaseModel):
    """Where the daemon keeps its Lease and its runs, and how long a cluster may take to answer."""

    model_config = STRICT

    cluster: Name | None = Field(
        default=None, description="The home cluster; without it, the first that is not read from a file."
    )
    namespace: Namespace | None = Field(
        default=None,
        description="Its namespace there; without it, that of the first build, the ServiceAccount's, or layerwatch.",
    )
    api_timeout: Duration = Field(
        default="10s",
        validate_default=True,
        alias="apiTimeout",
        description="How long one request to a cluster may take.",
    )
    leader_election: LeaderElection = Field(
        default_factory=LeaderElection, alias="leaderElection", description="How replicas agree who acts."
    )

    @field_validator("api_timeout")
    @classmethod
    def _some_time(cls, seconds: float) -> float:
        if seconds < 1:
            raise ValueError("must be 1s or more")
        return seconds
