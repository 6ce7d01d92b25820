"""The embedded registry passes the whole default 1.1 run of the OCI distribution-spec conformance suite."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from layering.registry.server import RegistryServer, one_of
from layering.registry.storage import DirectoryStorage, MemoryStorage, Storage
from tests.parts import require

STORAGES = [
    pytest.param(lambda directory: MemoryStorage(), id="memory"),
    pytest.param(DirectoryStorage, id="directory"),
]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("password", [None, "secret"], ids=["anonymous", "password"])
def test_the_default_run_of_1_1(tmp_path: Path, storage: Callable[[Path], Storage], password: str | None) -> None:
    results = tmp_path / "results"
    results.mkdir()
    check = one_of({"joe": password}) if password else None
    with RegistryServer(storage(tmp_path / "data"), check_password=check) as server:
        environment = {
            "OCI_REGISTRY": server.address,
            "OCI_TLS": "disabled",
            "OCI_VERSION": "1.1",
            "OCI_REPO1": "conf/repo1",
            "OCI_REPO2": "conf/repo2",
            "OCI_RESULTS_DIR": str(results),
            **({"OCI_USERNAME": "joe", "OCI_PASSWORD": password} if password else {}),
        }
        done = subprocess.run(
            [require("conformance")], env={**os.environ, **environment}, cwd=tmp_path, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stdout[-4000:]
    # The suite also ends with 0 when it could not begin: only its report says that it ran.
    assert (results / "results.yaml").is_file(), done.stdout[-4000:] + done.stderr[-4000:]
    report = yaml.safe_load((results / "results.yaml").read_text())
    assert report["config"]["data"]["sha512"] is True
    assert report["config"]["apis"]["referrer"] is True
    counted = {line.partition(".")[0].strip(): int(line.rpartition(":")[2]) for line in _counts(done.stdout)}
    assert counted["FAIL"] == counted["Error"] == 0
    assert counted["Pass"] > 800


def _counts(output: str) -> list[str]:
    names = ("Disabled", "Skip", "Pass", "FAIL", "Error", "Total")
    lines = [line for line in output.splitlines() if line.strip().startswith(tuple(f"{name}." for name in names))]
    return lines[: len(names)]
