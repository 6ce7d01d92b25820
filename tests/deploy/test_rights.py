"""What the shipped account may not do: each a real request with its token, none a SelfSubjectAccessReview.

That it may do what the daemon does is in test_used_rights.py.
"""

import re
from collections.abc import Sequence
from typing import Any

import pytest
import requests

from tests.deploy.deployed import Deployed
from tests.deploy.files import NAMESPACE, OVERLAYS, Right, built, granted
from tests.kubernetes.rest import RefusedError

_CONFIG = "/apis/config.openshift.io/v1"
_MACHINE = "/apis/machineconfiguration.openshift.io/v1"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_RUNS = f"/apis/tekton.dev/v1/namespaces/{NAMESPACE}/pipelineruns"
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_MANAGED = "/api/v1/namespaces/openshift-config-managed"
_OWN = f"/api/v1/namespaces/{NAMESPACE}"
_ESCALATION = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
_REF = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
_ME = {"kind": "ServiceAccount", "name": "layerwatch", "namespace": NAMESPACE}
_POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
_DEPLOYMENT = {
    "metadata": {"name": "d"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": _POD["spec"]},
    },
}
_COLLECTION = re.compile(r"^(/apis/[^/]+/[^/]+|/api/v1)(?:/namespaces/[^/]+(?=/))?(/[a-z]+)")

REFUSED: Sequence[tuple[str, str, str, Any]] = (
    ("change a MachineConfig", "PATCH", f"{_MACHINE}/machineconfigs/00-worker", {"spec": {"osImageURL": "x"}}),
    ("make a MachineConfig", "POST", f"{_MACHINE}/machineconfigs", {"metadata": {"name": "x"}, "spec": {}}),
    ("delete a MachineConfig", "DELETE", f"{_MACHINE}/machineconfigs/00-worker", None),
    ("pause a pool", "PATCH", f"{_MACHINE}/machineconfigpools/worker", {"spec": {"paused": True}}),
    ("write a pool's status", "PATCH", f"{_MACHINE}/machineconfigpools/worker/status", {"status": {}}),
    ("delete a pool", "DELETE", f"{_MACHINE}/machineconfigpools/worker", None),
    ("make a MachineOSConfig", "POST", f"{_MACHINE}/machineosconfigs", {"metadata": {"name": "x"}}),
    ("change an OSImageStream", "PATCH", f"{_MACHINE}/osimagestreams/cluster", {"spec": {}}),
    ("upgrade the cluster", "PATCH", f"{_CONFIG}/clusterversions/version", {"spec": {"channel": "x"}}),
    ("change the proxy", "PATCH", f"{_CONFIG}/proxies/cluster", {"spec": {"httpsProxy": "http://evil"}}),
    ("make a mirror set", "POST", f"{_CONFIG}/imagedigestmirrorsets", {"metadata": {"name": "x"}, "spec": {}}),
    ("change a node", "PATCH", "/api/v1/nodes/worker-0", {"metadata": {"labels": {"a": "b"}}}),
    ("cordon a node", "PATCH", "/api/v1/nodes/worker-0", {"spec": {"unschedulable": True}}),
    ("talk to a kubelet", "GET", "/api/v1/nodes/worker-0/proxy/metrics", None),
    ("read its own Secrets by the API", "GET", f"{_OWN}/secrets/layerwatch-forge", None),
    ("list its own Secrets", "GET", f"{_OWN}/secrets", None),
    ("watch its own Secrets", "GET", f"{_OWN}/secrets?watch=1&timeoutSeconds=1", None),
    ("list all Secrets", "GET", "/api/v1/secrets", None),
    ("read another Secret of openshift-config", "GET", "/api/v1/namespaces/openshift-config/secrets/other", None),
    ("list the Secrets of openshift-config", "GET", "/api/v1/namespaces/openshift-config/secrets", None),
    (
        "watch the pull secret",
        "GET",
        "/api/v1/namespaces/openshift-config/secrets?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dpull-secret",
        None,
    ),
    ("change the pull secret", "PATCH", "/api/v1/namespaces/openshift-config/secrets/pull-secret", {"data": {}}),
    ("read a Secret of kube-system", "GET", "/api/v1/namespaces/kube-system/secrets/any", None),
    ("read another ConfigMap of openshift-config", "GET", "/api/v1/namespaces/openshift-config/configmaps/other", None),
    ("read a ConfigMap of openshift-config-managed", "GET", f"{_MANAGED}/configmaps/other", None),
    ("change a signature", "PATCH", f"{_MANAGED}/configmaps/other", {"data": {}}),
    ("list the Secrets of openshift-config-managed", "GET", f"{_MANAGED}/secrets", None),
    ("change its own configuration", "PATCH", f"{_OWN}/configmaps/layerwatch-config", {"data": {}}),
    ("make a pod", "POST", f"{_OWN}/pods", _POD),
    ("delete a pod", "DELETE", f"{_OWN}/pods/build", None),
    ("list pods", "GET", f"{_OWN}/pods", None),
    ("run a command in a pod", "POST", f"{_OWN}/pods/build/exec?command=sh&stdout=true", None),
    ("attach to a pod", "POST", f"{_OWN}/pods/build/attach?stdout=true", None),
    ("forward a port", "POST", f"{_OWN}/pods/build/portforward", None),
    ("add a debugging container", "PATCH", f"{_OWN}/pods/build/ephemeralcontainers", {"spec": {}}),
    ("evict a pod", "POST", f"{_OWN}/pods/build/eviction", {"metadata": {"name": "build"}}),
    ("read a pod of another namespace", "GET", "/api/v1/namespaces/kube-system/pods/any", None),
    ("read a log of another namespace", "GET", "/api/v1/namespaces/kube-system/pods/any/log", None),
    ("make a Deployment", "POST", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", _DEPLOYMENT),
    ("delete a run", "DELETE", f"{_RUNS}/run", None),
    ("delete all runs", "DELETE", _RUNS, None),
    ("replace a run", "PUT", f"{_RUNS}/run", {"metadata": {"name": "run"}}),
    ("start a run elsewhere", "POST", _RUNS.replace(NAMESPACE, "default"), {"metadata": {"name": "x"}, "spec": {}}),
    ("change a Task", "PATCH", f"/apis/tekton.dev/v1/namespaces/{NAMESPACE}/tasks/t", {"spec": {}}),
    ("change a Pipeline", "PATCH", f"/apis/tekton.dev/v1/namespaces/{NAMESPACE}/pipelines/p", {"spec": {}}),
    ("make a TaskRun", "POST", f"/apis/tekton.dev/v1/namespaces/{NAMESPACE}/taskruns", {"metadata": {"name": "x"}}),
    ("delete the Lease", "DELETE", f"{_LEASES}/layerwatch", None),
    ("take a Lease of the control plane", "GET", _LEASES.replace(NAMESPACE, "kube-system") + "/any", None),
    ("read Events", "GET", "/apis/events.k8s.io/v1/namespaces/default/events", None),
    ("delete an Event", "DELETE", "/apis/events.k8s.io/v1/namespaces/default/events/e", None),
    ("give itself a Role", "POST", f"{_RBAC}/namespaces/{NAMESPACE}/roles", {"metadata": {"name": "x"}, "rules": []}),
    ("widen its Role", "PATCH", f"{_RBAC}/namespaces/{NAMESPACE}/roles/layerwatch", {"rules": [_ESCALATION]}),
    ("widen its ClusterRole", "PATCH", f"{_RBAC}/clusterroles/layerwatch", {"rules": [_ESCALATION]}),
    (
        "bind itself to cluster-admin",
        "POST",
        f"{_RBAC}/clusterrolebindings",
        {"metadata": {"name": "x"}, "roleRef": _REF, "subjects": [_ME]},
    ),
    ("get a token of the builds' account", "POST", f"{_OWN}/serviceaccounts/layerwatch-build/token", {"spec": {}}),
    ("get a token of its own account", "POST", f"{_OWN}/serviceaccounts/layerwatch/token", {"spec": {}}),
    ("list namespaces", "GET", "/api/v1/namespaces", None),
    ("make a namespace", "POST", "/api/v1/namespaces", {"metadata": {"name": "x"}}),
    ("delete its namespace", "DELETE", f"/api/v1/namespaces/{NAMESPACE}", None),
    ("add an admission webhook", "POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {}),
    ("add a CRD", "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {"metadata": {"name": "x.y"}}),
    ("approve a certificate", "PATCH", "/apis/certificates.k8s.io/v1/certificatesigningrequests/x/approval", {}),
)


@pytest.mark.parametrize(("method", "path", "body"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED])
def test_it_may_not(cluster: Deployed, method: str, path: str, body: Any) -> None:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    with pytest.raises(RefusedError) as refused:
        cluster.account.call(method, path, body, kind=kind)
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")


def test_it_may_not_be_somebody_else(cluster: Deployed) -> None:
    headers = {"Authorization": f"Bearer {cluster.token}", "Impersonate-User": "admin"}
    answer = requests.get(
        f"{cluster.server.url}/api/v1/nodes", headers=headers, verify=str(cluster.server.ca_file), timeout=10
    )
    assert answer.status_code == 403
    assert "cannot impersonate" in answer.text


def test_whatever_is_refused_is_served(cluster: Deployed) -> None:
    """An account without rights gets 403 for a misspelt path, too."""
    collections = {"".join(_COLLECTION.findall(path)[0]) for _, _, path, _ in REFUSED}
    assert [path for path in sorted(collections) if cluster.server.admin.get(f"{path}?limit=1") is None] == []


def test_nothing_is_granted_by_wildcard_nor_beyond_reading_outside_its_namespace() -> None:
    rights = granted(built(OVERLAYS / "openshift"))
    assert not [right for right in rights if "*" in (right.group, right.resource, right.verb)]
    assert {right.verb for right in rights} <= {"get", "list", "watch", "create", "update", "patch"}
    changes = {right for right in rights if right.verb not in ("get", "list", "watch")}
    assert {right.namespace for right in changes} == {NAMESPACE, "default"}
    assert {right for right in changes if right.namespace == "default"} == {
        Right(group="events.k8s.io", resource="events", verb=verb, namespace="default") for verb in ("create", "patch")
    }


def test_secrets_are_granted_by_name_alone() -> None:
    rights = granted(built(OVERLAYS / "openshift"))
    secrets = {right: names for right, names in rights.items() if right.resource == "secrets"}
    assert secrets == {
        Right(group="", resource="secrets", verb="get", namespace="openshift-config"): frozenset({"pull-secret"})
    }


def test_the_builds_account_has_no_rights_at_all(cluster: Deployed) -> None:
    subjects = [
        subject["name"]
        for document in built(OVERLAYS / "openshift")
        if document["kind"].endswith("Binding")
        for subject in document["subjects"]
    ]
    assert set(subjects) == {"layerwatch"}
