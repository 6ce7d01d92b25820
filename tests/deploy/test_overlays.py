"""The overlays, as the real kubectl builds them and a real API server takes them."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from layering.cluster.pipelineruns import MANAGED_BY, MANAGED_BY_LABEL
from layering.cluster.resources import PODS
from tests.deploy.deployed import Deployed
from tests.deploy.files import OVERLAYS, ROOT, Document, built, kubectl, one
from tests.kubernetes.admin import NAMESPACES, ROLE_BINDINGS, ROLES
from tests.kubernetes.rest import RefusedError
from tests.kubernetes.server import TestApiServer
from watcher.configuration import load

ALL = ["openshift", "kubernetes", "namespaced"]


@pytest.fixture(scope="module")
def plain() -> Iterator[TestApiServer]:
    """Kubernetes without any CRD."""
    with TestApiServer() as server:
        yield server


@pytest.fixture(params=ALL)
def overlay(request: pytest.FixtureRequest) -> list[Document]:
    return list(built(OVERLAYS / request.param))


def test_openshift_is_applied_again_without_a_change(cluster: Deployed) -> None:
    done = kubectl("apply", "-k", str(OVERLAYS / "openshift"), kubeconfig=cluster.server.kubeconfig)
    assert {line.split()[-1] for line in done.stdout.splitlines()} == {"unchanged"}, done.stderr


def test_kubernetes_needs_no_crd(plain: TestApiServer) -> None:
    done = kubectl("apply", "-k", str(OVERLAYS / "kubernetes"), kubeconfig=plain.kubeconfig)
    assert done.returncode == 0, done.stderr


def test_namespaced_is_applied_by_somebody_who_has_one_namespace(plain: TestApiServer, tmp_path: Path) -> None:
    """And in a namespace of another name, as the comment in the overlay says."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    plain.admin.create(NAMESPACES, {"metadata": {"name": "team"}})
    plain.admin.create(ROLES, {"metadata": {"name": "all"}, "rules": [everything]}, namespace="team")
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all"}
    subject = {"kind": "ServiceAccount", "name": "member", "namespace": "team"}
    binding = {"metadata": {"name": "all"}, "roleRef": role, "subjects": [subject]}
    plain.admin.create(ROLE_BINDINGS, binding, namespace="team")
    member = plain.kubeconfig_for(plain.token_for("member", "team"), tmp_path / "member.kubeconfig")
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump({"namespace": "team", "resources": [_from(tmp_path, OVERLAYS / "namespaced")]})
    )
    done = kubectl("apply", "-k", str(tmp_path), kubeconfig=member)
    assert (done.returncode, done.stderr) == (0, "")


def _from(directory: Path, target: Path) -> str:
    return "/".join([".."] * (len(directory.parts) - 1) + list(target.parts[1:]))


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        pytest.param("openshift", {"Namespace", "ClusterRole", "ClusterRoleBinding", "PodMonitor", "PrometheusRule"}),
        pytest.param("kubernetes", {"Namespace"}),
        pytest.param("namespaced", set()),
    ],
)
def test_what_only_some_overlays_have(name: str, kinds: set[str]) -> None:
    everywhere = {"ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Deployment", "NetworkPolicy"}
    assert {document["kind"] for document in built(OVERLAYS / name)} == everywhere | kinds


def test_no_secret_is_in_the_tree(overlay: list[Document]) -> None:
    assert [document["kind"] for document in overlay if document["kind"] == "Secret"] == []
    volumes = _pod_spec(overlay)["volumes"]
    secrets = {volume["secret"]["secretName"]: volume["secret"]["optional"] for volume in volumes if "secret" in volume}
    assert secrets == {"layerwatch-registry": True, "layerwatch-forge": True}


def test_the_shipped_configuration_can_be_started_with(overlay: list[Document], tmp_path: Path) -> None:
    file = tmp_path / "layerwatch.yaml"
    file.write_text(one(overlay, "ConfigMap")["data"]["layerwatch.yaml"])
    settings = load(file)
    assert ([cluster.access for cluster in settings.clusters], settings.images) == (["in-cluster"], ())


def test_the_namespace_is_the_one_that_builds_need() -> None:
    """tekton/ and deploy/ both declare it: whoever is applied last must not take away what the other needs."""
    ours = one(built(OVERLAYS / "openshift"), "Namespace")["metadata"]
    theirs = yaml.safe_load((ROOT / "tekton/namespace.yaml").read_text())["metadata"]
    assert ours["name"] == theirs["name"]
    shared = ours["labels"].keys() & theirs["labels"].keys()
    assert {label: ours["labels"][label] for label in shared} == {label: theirs["labels"][label] for label in shared}
    assert "pod-security.kubernetes.io/enforce" in shared


def test_what_selects_the_watchers_pod_selects_no_build() -> None:
    """Labels of Tasks, Pipelines and runs end up on the pods of builds."""
    documents = built(OVERLAYS / "openshift")
    selectors = [
        one(documents, "Deployment")["spec"]["selector"]["matchLabels"],
        one(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        one(documents, "PodMonitor")["spec"]["selector"]["matchLabels"],
    ]
    pod = one(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    builds = [
        yaml.safe_load(file.read_text())["metadata"]["labels"] for file in (ROOT / "tekton").glob("[pt]*s/*.yaml")
    ]
    builds = [*builds, {MANAGED_BY_LABEL: MANAGED_BY}]
    for selector in selectors:
        assert selector.items() <= pod.items()
        assert not [labels for labels in builds if selector.items() <= labels.items()]


@pytest.fixture(scope="module")
def restricted(plain: TestApiServer) -> str:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    plain.admin.create(NAMESPACES, {"metadata": {"name": "restricted", "labels": labels}})
    return "restricted"


def test_pod_security_restricted_admits_the_pod(plain: TestApiServer, restricted: str, overlay: list[Document]) -> None:
    pod = {"metadata": {"generateName": "layerwatch-"}, "spec": _pod_spec(overlay)}
    assert plain.admin.create(PODS, pod, namespace=restricted)["metadata"]["name"].startswith("layerwatch-")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param(lambda pod: pod["securityContext"].pop("runAsNonRoot"), "runAsNonRoot != true", id="root"),
        pytest.param(lambda pod: pod["securityContext"].pop("seccompProfile"), "seccompProfile", id="seccomp"),
        pytest.param(lambda pod: _container(pod).pop("capabilities"), "unrestricted capabilities", id="capabilities"),
        pytest.param(
            lambda pod: _container(pod).pop("allowPrivilegeEscalation"), "allowPrivilegeEscalation", id="escalation"
        ),
    ],
)
def test_pod_security_restricted_refuses_the_pod_without(
    plain: TestApiServer, restricted: str, change: Callable[[Document], Any], complaint: str
) -> None:
    spec = copy.deepcopy(_pod_spec(list(built(OVERLAYS / "kubernetes"))))
    change(spec)
    with pytest.raises(RefusedError, match=f'violates PodSecurity "restricted.*{complaint}'):
        plain.admin.create(PODS, {"metadata": {"name": "broken"}, "spec": spec}, namespace=restricted)


def test_the_root_is_read_only_and_openshift_chooses_the_user(overlay: list[Document]) -> None:
    spec = _pod_spec(overlay)
    assert _container(spec)["readOnlyRootFilesystem"] is True
    assert not {"runAsUser", "runAsGroup"} & (spec["securityContext"].keys() | _container(spec).keys())


def test_openshift_asks_for_the_narrowest_scc_and_leaves_the_group_to_it() -> None:
    template = one(built(OVERLAYS / "openshift"), "Deployment")["spec"]["template"]
    assert template["metadata"]["annotations"]["openshift.io/required-scc"] == "restricted-v2"
    assert "fsGroup" not in template["spec"]["securityContext"]


@pytest.mark.parametrize("component", ["local-forge", "kubeconfigs"])
def test_a_component_fits_every_overlay(component: str, tmp_path: Path, plain: TestApiServer) -> None:
    if not plain.admin.exists(NAMESPACES, "layerwatch"):
        plain.admin.create(NAMESPACES, {"metadata": {"name": "layerwatch"}})
    for name in ALL:
        directory = tmp_path / name
        directory.mkdir()
        document = {
            "resources": [_from(directory, OVERLAYS / name)],
            "components": [_from(directory, ROOT / "deploy/components" / component)],
        }
        (directory / "kustomization.yaml").write_text(yaml.safe_dump(document))
        spec = _pod_spec(list(built(directory)))
        mounted = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
        assert mounted == {volume["name"] for volume in spec["volumes"]}
        done = kubectl("apply", "--dry-run=server", "-k", str(directory), kubeconfig=plain.kubeconfig)
        assert "deployment.apps/layerwatch" in done.stdout, done.stderr


def _pod_spec(documents: list[Document]) -> Document:
    spec: Document = one(documents, "Deployment")["spec"]["template"]["spec"]
    return spec


def _container(spec: Document) -> Document:
    context: Document = spec["containers"][0]["securityContext"]
    return context
