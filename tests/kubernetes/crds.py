"""Loads the CustomResourceDefinitions of OpenShift, Tekton and the Prometheus operator into a test API server.

They are the real ones, of the parts `openshift-api`, `tekton-manifests` and `prometheus-operator`; none is changed.
OpenShift's come in variants, of which the feature set Default on self-managed clusters is taken. Loading says that the
server accepted and serves them, not that an operator acts on them.
"""

import re
import time
from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.kubernetes.admin import CRDS, Admin
from tests.kubernetes.rest import Body, RefusedError
from tests.parts import require_files

_SERVED_SECONDS = 60
_POLL_SECONDS = 0.02
_OPENSHIFT_PLURALS = (
    "clusteroperators",
    "clusterversions",
    "containerruntimeconfigs",
    "controllerconfigs",
    "dnses",
    "featuregates",
    "imagecontentsourcepolicies",
    "imagedigestmirrorsets",
    "images",
    "imagetagmirrorsets",
    "infrastructures",
    "ingresses",
    "kubeletconfigs",
    "machineconfignodes",
    "machineconfigpools",
    "machineconfigs",
    "machineosbuilds",
    "machineosconfigs",
    "networks",
    "osimagestreams",
    "pinnedimagesets",
    "proxies",
)
_STARTING = 429  # "storage is (re)initializing"
_MONITORING_PLURALS = ("podmonitors", "prometheusrules")
# 0000_80_machine-config_01_machineconfigpools-SelfManagedHA-Default.crd.yaml; profile and feature set may be absent,
# which means all of them.
_FILE = re.compile(r"[0-9]{4}_[0-9]{2}_.*_01_(?P<plural>[a-z]+)(-SelfManagedHA)?(-Default)?\.crd\.yaml")


def load_openshift(admin: Admin) -> None:
    """The 22 kinds an update of the operating system is about. Skips the test where the files are missing."""
    _load(admin, [_read(file) for file in openshift_files(require_files("openshift-api"))])


def load_tekton(admin: Admin) -> None:
    """Tekton's kinds. Objects of the stored version need no webhook; others fail until Tekton's webhook runs."""
    _load(
        admin, [_read(file) for file in sorted((require_files("tekton-manifests") / "config/300-crds").glob("*.yaml"))]
    )


def load_monitoring(admin: Admin) -> None:
    """PodMonitor and PrometheusRule, as the Prometheus operator has them."""
    directory = require_files("prometheus-operator") / "example/prometheus-operator-crd"
    _load(admin, [_read(directory / f"monitoring.coreos.com_{name}.yaml") for name in _MONITORING_PLURALS])


def openshift_files(module: Path) -> list[Path]:
    """One file for each kind."""
    found: dict[str, Path] = {}
    for directory in ("config/v1/zz_generated.crd-manifests", "payload-manifests/crds"):
        for file in sorted((module / directory).iterdir()):
            name = _FILE.fullmatch(file.name)
            if name and name["plural"] in _OPENSHIFT_PLURALS:
                found[name["plural"]] = file
    missing = set(_OPENSHIFT_PLURALS) - set(found)
    assert not missing, f"openshift-api has no CRD for {', '.join(sorted(missing))}"
    return list(found.values())


def _read(file: Path) -> Body:
    document: Body = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    return document


def _load(admin: Admin, crds: Iterable[Body]) -> None:
    crds = list(crds)
    for crd in crds:
        admin.call("POST", CRDS.path(), crd)
    wait_until_served(admin, crds)


def wait_until_served(admin: Admin, crds: Iterable[Body]) -> None:
    """Until objects of all these types can be listed."""
    end = time.monotonic() + _SERVED_SECONDS
    for crd in crds:
        while not _is_served(admin, crd):
            assert time.monotonic() < end, f"{crd['metadata']['name']} is not served"
            time.sleep(_POLL_SECONDS)


def _is_served(admin: Admin, crd: Body) -> bool:
    """Asking is the only sign: a CRD is Established some 100 ms before the first request gets through.

    The list is asked of the server's cache, too: each version has one of its own, and until it is filled, lists end in
    429 now and then.
    """
    spec = crd["spec"]
    converted = spec.get("conversion", {}).get("strategy") == "Webhook"  # which may not be there
    versions = [each["name"] for each in spec["versions"] if each["storage" if converted else "served"]]
    paths = [f"/apis/{spec['group']}/{version}/{spec['names']['plural']}" for version in versions]
    try:
        return all(admin.get(f"{path}{how}") is not None for path in paths for how in ("?resourceVersion=0", ""))
    except RefusedError as error:
        if error.code != _STARTING:
            raise
        return False
