"""What kinds of objects there are at a Kubernetes API, and where each of them lies.

Only those that layerwatch asks for. Nothing is asked here, and whether a cluster serves one is not known here.
"""

from dataclasses import dataclass, replace
from urllib.parse import quote


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One kind of object. `group` is empty for the core API. `kind` is what people call one of them."""

    group: str
    version: str
    plural: str
    kind: str

    def at(self, version: str) -> "Resource":
        """The same kind in another version of its group."""
        return replace(self, version=version)

    @property
    def api_version(self) -> str:
        """What `apiVersion` says in such an object."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, *, namespace: str | None = None, name: str | None = None) -> str:
        """The path of all of them, or of one (kubernetes.io, "API concepts", resource URIs)."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespace is not None else ""
        one = f"/{quote(name, safe='')}" if name is not None else ""
        return f"{root}{inside}/{self.plural}{one}"


def _config(plural: str, kind: str) -> Resource:
    return Resource(group="config.openshift.io", version="v1", plural=plural, kind=kind)


def _machine(plural: str, kind: str) -> Resource:
    return Resource(group="machineconfiguration.openshift.io", version="v1", plural=plural, kind=kind)


def _core(plural: str, kind: str) -> Resource:
    return Resource(group="", version="v1", plural=plural, kind=kind)


CLUSTER_VERSIONS = _config("clusterversions", "ClusterVersion")
IMAGE_DIGEST_MIRROR_SETS = _config("imagedigestmirrorsets", "ImageDigestMirrorSet")
IMAGE_TAG_MIRROR_SETS = _config("imagetagmirrorsets", "ImageTagMirrorSet")
IMAGES = _config("images", "Image")
PROXIES = _config("proxies", "Proxy")
IMAGE_CONTENT_SOURCE_POLICIES = Resource(
    group="operator.openshift.io",
    version="v1alpha1",
    plural="imagecontentsourcepolicies",
    kind="ImageContentSourcePolicy",
)
MACHINE_CONFIG_POOLS = _machine("machineconfigpools", "MachineConfigPool")
MACHINE_CONFIGS = _machine("machineconfigs", "MachineConfig")
MACHINE_OS_CONFIGS = _machine("machineosconfigs", "MachineOSConfig")
CONTROLLER_CONFIGS = _machine("controllerconfigs", "ControllerConfig")
OS_IMAGE_STREAMS = _machine("osimagestreams", "OSImageStream")  # or v1alpha1: ask which version is served
NODES = _core("nodes", "Node")
SECRETS = _core("secrets", "Secret")
CONFIG_MAPS = _core("configmaps", "ConfigMap")
PODS = _core("pods", "Pod")
LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
EVENTS = Resource(group="events.k8s.io", version="v1", plural="events", kind="Event")
PIPELINE_RUNS = Resource(group="tekton.dev", version="v1", plural="pipelineruns", kind="PipelineRun")
TASK_RUNS = Resource(group="tekton.dev", version="v1", plural="taskruns", kind="TaskRun")
