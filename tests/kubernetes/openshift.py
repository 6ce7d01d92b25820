"""Plays OpenShift's operators on a test API server: versions, updates, streams, mirrors, pull secret, certificates.

Objects are written as the operators write them, status by PUT, since the server keeps no null otherwise; every field
is one that the real CRD has. The cluster-version-operator's rules are those of openshift/cluster-version-operator
pkg/cvo/status.go: the newest update comes first, one that another takes the place of stays Partial and gets an end.
"""

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from layering.cluster.resources import (
    CLUSTER_VERSIONS,
    CONFIG_MAPS,
    IMAGE_CONTENT_SOURCE_POLICIES,
    IMAGE_DIGEST_MIRROR_SETS,
    IMAGE_TAG_MIRROR_SETS,
    IMAGES,
    MACHINE_CONFIG_POOLS,
    MACHINE_CONFIGS,
    MACHINE_OS_CONFIGS,
    NODES,
    OS_IMAGE_STREAMS,
    PROXIES,
    SECRETS,
    Resource,
)
from tests.kubernetes.admin import NAMESPACES
from tests.kubernetes.machines import MachinesPlay
from tests.kubernetes.rest import Body

CONFIG_NAMESPACE = "openshift-config"
MANAGED_NAMESPACE = "openshift-config-managed"
_CLUSTER_SCOPED = (
    CLUSTER_VERSIONS,
    IMAGE_CONTENT_SOURCE_POLICIES,
    IMAGE_DIGEST_MIRROR_SETS,
    IMAGE_TAG_MIRROR_SETS,
    IMAGES,
    MACHINE_CONFIG_POOLS,
    MACHINE_CONFIGS,
    MACHINE_OS_CONFIGS,
    NODES,
    OS_IMAGE_STREAMS,
    PROXIES,
)


class OpenShiftPlay(MachinesPlay):
    """One cluster's operators. Images and payloads are references by digest."""

    def cluster_version(
        self, version: str, payload: str, *, updates: Mapping[str, str] | None = None, multi: bool = False
    ) -> None:
        """The cluster runs this version, and always has. `updates` are offered: version to payload."""
        if not self.admin.exists(CLUSTER_VERSIONS, "version"):
            body = {"metadata": {"name": "version"}, "spec": {"clusterID": str(uuid.uuid4()), "channel": "stable-4.18"}}
            self.admin.create(CLUSTER_VERSIONS, body)
        entry = self._entry("Completed", version, payload, completed=self._stamp())
        self._write_version([entry], updates or {}, multi=multi)

    def upgrade(self, version: str, payload: str) -> None:
        """The cluster is on its way to this version; an update before it that was not done is superseded."""
        history = self.history()
        if history[0]["completionTime"] is None:
            history[0]["completionTime"] = self._stamp()
        self._write_version([self._entry("Partial", version, payload, completed=None), *history])

    def complete_upgrade(self) -> None:
        """The update under way is done, as far as the control plane is concerned."""
        newest, *older = self.history()
        self._write_version([{**newest, "state": "Completed", "completionTime": self._stamp()}, *older])

    def request_upgrade(self, version: str, payload: str) -> None:
        """Somebody asks for this version, and the operator has not seen it: observedGeneration stays behind."""
        desired = {"desiredUpdate": {"version": version, "image": payload}}
        self.admin.patch(CLUSTER_VERSIONS, "version", {"spec": desired})

    def offer_updates(self, updates: Mapping[str, str] | None) -> None:
        """Offer these, version to payload; None: the update service does not answer (RetrievedUpdates=False)."""
        self._write_version(self.history(), updates)

    def history(self) -> list[Body]:
        """`status.history`, newest first."""
        return list(self.admin.read(CLUSTER_VERSIONS, "version")["status"]["history"])

    def os_image_stream(self, images: Mapping[str, str], *, default: str) -> None:
        """Create or replace OSImageStream/cluster: stream to OS image. Pools follow when they are rendered."""
        if not self.admin.exists(OS_IMAGE_STREAMS, "cluster"):
            self.admin.create(OS_IMAGE_STREAMS, {"metadata": {"name": "cluster"}, "spec": {"defaultStream": default}})
        streams = [
            {"name": name, "osImage": image, "osExtensionsImage": _extensions_of(image)}
            for name, image in images.items()
        ]
        self.admin.write_status(OS_IMAGE_STREAMS, "cluster", {"defaultStream": default, "availableStreams": streams})

    def digest_mirrors(
        self, name: str, mirrors: Mapping[str, Sequence[str]], *, never_contact_source: bool = False
    ) -> None:
        """An ImageDigestMirrorSet: source to its mirrors."""
        spec = {"imageDigestMirrors": _mirrors(mirrors, never_contact_source)}
        self.admin.create(IMAGE_DIGEST_MIRROR_SETS, {"metadata": {"name": name}, "spec": spec})

    def tag_mirrors(
        self, name: str, mirrors: Mapping[str, Sequence[str]], *, never_contact_source: bool = False
    ) -> None:
        """An ImageTagMirrorSet: source to its mirrors."""
        spec = {"imageTagMirrors": _mirrors(mirrors, never_contact_source)}
        self.admin.create(IMAGE_TAG_MIRROR_SETS, {"metadata": {"name": name}, "spec": spec})

    def content_source_policy(self, name: str, mirrors: Mapping[str, Sequence[str]]) -> None:
        """An ImageContentSourcePolicy, the predecessor of ImageDigestMirrorSet: source to its mirrors."""
        entries = [{"source": source, "mirrors": list(each)} for source, each in mirrors.items()]
        spec = {"repositoryDigestMirrors": entries}
        self.admin.create(IMAGE_CONTENT_SOURCE_POLICIES, {"metadata": {"name": name}, "spec": spec})

    def pull_secret(self, document: Mapping[str, Any]) -> None:
        """Create or replace the cluster's pull secret; `document` is a Docker config."""
        encoded = base64.b64encode(json.dumps(document).encode()).decode()
        body = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": encoded}}
        self._put_config(SECRETS, "pull-secret", body)

    def release_signatures(self, name: str, signatures: Mapping[str, bytes], *, labelled: bool = True) -> None:
        """A ConfigMap as `oc adm release mirror` writes it: sha256-HEX-N to signature."""
        data = {key: base64.b64encode(signature).decode() for key, signature in signatures.items()}
        labels = {"release.openshift.io/verification-signatures": ""} if labelled else {}
        body = {"metadata": {"name": name, "labels": labels}, "binaryData": data}
        self._put_config(CONFIG_MAPS, name, body, namespace=MANAGED_NAMESPACE)

    def registry_cas(self, cas: Mapping[str, str], *, name: str = "registry-cas") -> None:
        """Image/cluster trusts these for registries: HOST or HOST..PORT to PEM."""
        self._put_config(CONFIG_MAPS, name, {"data": dict(cas)})
        spec = {"additionalTrustedCA": {"name": name}}
        self.admin.create(IMAGES, {"metadata": {"name": "cluster"}, "spec": spec})

    def proxy(self, *, https: str = "", no_proxy: str = "", ca: str = "", name: str = "user-ca-bundle") -> None:
        """Proxy/cluster, in its spec and its status; `ca` is PEM, trusted for everything."""
        spec: Body = {"httpsProxy": https, "noProxy": no_proxy}
        if ca:
            self._put_config(CONFIG_MAPS, name, {"data": {"ca-bundle.crt": ca}})
            spec["trustedCA"] = {"name": name}
        self.admin.create(PROXIES, {"metadata": {"name": "cluster"}, "spec": spec})
        self.admin.write_status(PROXIES, "cluster", {"httpsProxy": https, "noProxy": no_proxy})

    def clear(self) -> None:
        """Take away everything that was played, so that the next test finds a bare cluster."""
        for resource in _CLUSTER_SCOPED:
            self.admin.delete_all(resource)
        for namespace in (CONFIG_NAMESPACE, MANAGED_NAMESPACE):
            if self.admin.exists(NAMESPACES, namespace):
                for resource in (SECRETS, CONFIG_MAPS):
                    self.admin.delete_all(resource, namespace=namespace)

    def _entry(self, state: str, version: str, payload: str, *, completed: str | None) -> Body:
        times = {"startedTime": self._stamp(), "completionTime": completed}
        return {"state": state, "version": version, "image": payload, "verified": False, **times}

    def _write_version(
        self, history: list[Body], updates: Mapping[str, str] | None = None, *, multi: bool = False
    ) -> None:
        body = self.admin.read(CLUSTER_VERSIONS, "version")
        newest = history[0]
        is_done = newest["state"] == "Completed"
        desired = {"version": newest["version"], "image": newest["image"]}
        conditions = (
            ("Available", True, f"Done applying {history[-1]['version']}"),
            ("Progressing", not is_done, "" if is_done else f"Working towards {newest['version']}: 1 of 900 done"),
            ("Failing", False, ""),
            ("RetrievedUpdates", updates is not None, "" if updates is not None else "Unable to retrieve updates"),
        )
        status = {
            "desired": {**desired, "architecture": "Multi"} if multi else desired,
            "history": history,
            "observedGeneration": body["metadata"]["generation"],
            "versionHash": "played",
            "availableUpdates": _updates(updates),
            "conditions": list(self._conditions(conditions)),
        }
        self.admin.write_status(CLUSTER_VERSIONS, "version", status)

    def _put_config(self, resource: Resource, name: str, body: Body, *, namespace: str = CONFIG_NAMESPACE) -> None:
        if not self.admin.exists(NAMESPACES, namespace):
            self.admin.create(NAMESPACES, {"metadata": {"name": namespace}})
        self.admin.delete(resource, name, namespace=namespace)
        self.admin.create(resource, {"metadata": {"name": name}, **body}, namespace=namespace)


def _updates(updates: Mapping[str, str] | None) -> list[Body] | None:
    """The operator writes null, not an empty list, when it has nothing to offer."""
    return [{"version": version, "image": payload} for version, payload in (updates or {}).items()] or None


def _mirrors(mirrors: Mapping[str, Sequence[str]], never_contact_source: bool) -> list[Body]:
    policy = "NeverContactSource" if never_contact_source else "AllowContactingSource"
    return [{"source": source, "mirrors": list(each), "mirrorSourcePolicy": policy} for source, each in mirrors.items()]


def _extensions_of(image: str) -> str:
    repository = image.partition("@")[0]
    return f"{repository}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"
