"""A cluster with overlays/openshift applied to it, whose API server writes down what the watcher's account asks for."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.deploy.files import ACCOUNT, NAMESPACE, OVERLAYS, Right, kubectl
from tests.kubernetes.admin import NAMESPACES
from tests.kubernetes.crds import load_monitoring, load_openshift, load_tekton
from tests.kubernetes.openshift import CONFIG_NAMESPACE, MANAGED_NAMESPACE, OpenShiftPlay
from tests.kubernetes.rest import Rest
from tests.kubernetes.server import TestApiServer

USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [USER]}, {"level": "None"}],
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request of the watcher's, as the API server wrote it down."""

    right: Right
    name: str
    code: int


@dataclass(kw_only=True)
class Requests:
    """What was asked while the context lasted; requests for no object, such as discovery, are left out."""

    all: list[Asked] = field(default_factory=list)

    @property
    def refused(self) -> list[str]:
        """Those that the account may not make."""
        return sorted({f"{asked.right} {asked.name}" for asked in self.all if asked.code in (401, 403)})

    @property
    def rights(self) -> set[Right]:
        """What was asked for."""
        return {asked.right for asked in self.all}


@dataclass(kw_only=True)
class Deployed:
    """The cluster. `account` speaks with the watcher's `token`; `pod` is the environment its pod has."""

    server: TestApiServer
    openshift: OpenShiftPlay
    account: Rest
    token: str
    pod: Mapping[str, str]
    audit_log: Path

    @contextmanager
    def listening(self) -> Iterator[Requests]:
        """Hear what the account asks for from now on; it is all there when the context ends."""
        start = self.audit_log.stat().st_size if self.audit_log.exists() else 0
        requests = Requests()
        yield requests
        requests.all.extend(_asked(self.audit_log.read_bytes()[start:]))


def _asked(log: bytes) -> Iterator[Asked]:
    for line in log.splitlines():
        entry = json.loads(line)
        about = entry.get("objectRef")
        if about is None:
            continue
        subresource = f"/{about['subresource']}" if "subresource" in about else ""
        right = Right(
            group=about.get("apiGroup", ""),
            resource=about["resource"] + subresource,
            verb=entry["verb"],
            namespace=about.get("namespace", ""),
        )
        yield Asked(right=right, name=about.get("name", ""), code=entry["responseStatus"].get("code", 0))


@contextmanager
def deployed(directory: Path) -> Iterator[Deployed]:
    """Start it, and apply what we ship with the real kubectl."""
    policy, audit_log = directory / "policy.yaml", directory / "audit.log"
    policy.write_text(yaml.safe_dump(_POLICY))
    flags = [f"--audit-policy-file={policy}", f"--audit-log-path={audit_log}"]
    with TestApiServer(flags=flags) as server:
        for load in (load_openshift, load_tekton, load_monitoring):
            load(server.admin)
        for namespace in (CONFIG_NAMESPACE, MANAGED_NAMESPACE):
            server.admin.create(NAMESPACES, {"metadata": {"name": namespace}})
        done = kubectl("apply", "-k", str(OVERLAYS / "openshift"), kubeconfig=server.kubeconfig)
        assert (done.returncode, done.stderr) == (0, "")
        token = server.token_for(ACCOUNT, NAMESPACE)
        account = Rest(server.kubeconfig_for(token, directory / "account.kubeconfig"))
        yield Deployed(
            server=server,
            openshift=OpenShiftPlay(server.admin),
            account=account,
            token=token,
            pod=server.pod_files_for(token, NAMESPACE, directory / "serviceaccount"),
            audit_log=audit_log,
        )
        account.close()
