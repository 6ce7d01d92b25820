"""How a part is found, in a process with an environment of its own: nothing of this machine's cache is seen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parents[2]
_SAYS = """
import sys
from tests.parts.table import PARTS, find, version
part = PARTS[sys.argv[1]]
print(*find(part), version(part), sep="|")
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A parts cache with a kube-apiserver of an older version and another module's files."""
    for kind, name in (("bin", "kube-apiserver"), ("files", "openshift-api")):
        (tmp_path / "parts" / kind).mkdir(parents=True)
        (tmp_path / "parts" / kind / name).touch()
        (tmp_path / "parts" / kind / f"{name}.version").write_text("v0.1\n")
    return tmp_path / "parts"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("etcd", "etcd is not in the parts cache", id="absent"),
        pytest.param("kube-apiserver", "was made from v0.1, wanted is v1.", id="a program of another version"),
        pytest.param("openshift-api", "was made from v0.1, wanted is v0.0.0-2", id="files of another version"),
    ],
)
def test_what_is_not_as_wanted_is_missing(cache: Path, name: str, reason: str) -> None:
    path, missing, _ = _find(name, LAYERWATCH_PARTS=str(cache))

    assert not path
    assert reason in missing


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver", "kubectl"])
def test_kubebuilder_assets_go_before_what_was_built(cache: Path, tmp_path: Path, name: str) -> None:
    asset = tmp_path / "assets" / name
    asset.parent.mkdir()
    asset.write_text("#!/bin/sh\necho their own\n")
    asset.chmod(0o755)

    found = _find(name, LAYERWATCH_PARTS=str(cache), KUBEBUILDER_ASSETS=str(asset.parent))

    assert found == (str(asset), "", "their own")


def _find(name: str, **environment: str) -> tuple[str, str, str]:
    argv = [sys.executable, "-c", _SAYS, name]
    said = subprocess.run(argv, cwd=_CHECKOUT, env={**os.environ, **environment}, capture_output=True, check=True)
    path, missing, version = said.stdout.decode().strip().split("|")
    return path, missing, version
