"""The commands of docs/install.md that make a kubeconfig for a watcher elsewhere, run as they are written."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.crds import load_openshift
from tests.kubernetes.server import TestApiServer
from tests.parts import require

_CHECKOUT = Path(__file__).parents[2]
_SECTION = re.compile(r"## A kubeconfig for a watcher elsewhere\n.*?```console\n(?P<script>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What they make, while the cluster is there."""
    kubectl, directory = require("kubectl"), tmp_path_factory.mktemp("checkout")
    (directory / "deploy").symlink_to(_CHECKOUT / "deploy")
    found = _SECTION.search((_CHECKOUT / "docs/install.md").read_text())
    assert found is not None
    with TestApiServer(controllers=True) as server:
        load_openshift(server.admin)
        path = f"{Path(kubectl).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig), "PATH": path}
        subprocess.run(["bash", "-ec", found["script"]], cwd=directory, env=environment, check=True, timeout=120)
        yield directory / "kubeconfig"


@pytest.mark.parametrize(
    ("verb", "what", "may"),
    [
        ("watch", "clusterversions.config.openshift.io", "yes"),
        ("list", "machineconfigpools.machineconfiguration.openshift.io", "yes"),
        ("update", "machineconfigs.machineconfiguration.openshift.io", "no"),
        ("get", "secrets", "no"),
    ],
)
def test_it_may_look_and_nothing_else(kubeconfig: Path, verb: str, what: str, may: str) -> None:
    argv = [require("kubectl"), "--kubeconfig", str(kubeconfig), "auth", "can-i", verb, what, "--all-namespaces"]
    asked = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert asked.stdout.strip() == may, asked.stderr
