"""The Task that signs: with the Secret that cosign makes, judged by cosign."""

import os
import subprocess
from pathlib import Path

import pytest

from layering.registry.client import RegistryClient
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from tests.images.conftest import Place
from tests.parts import require
from tests.signing.conftest import BUILT
from tests.tekton.installed import Cluster, condition, results

PASSWORD = "pl4nted-secret"


@pytest.fixture
def key(tmp_path: Path, cluster: Cluster) -> Path:
    """A key pair, in the Secret `signing` under the names that `cosign generate-key-pair k8s://…` gives them."""
    environment = {**os.environ, "COSIGN_PASSWORD": PASSWORD}
    argv = [require("cosign"), "generate-key-pair"]
    subprocess.run(argv, cwd=tmp_path, env=environment, check=True, capture_output=True)
    text = {name: (tmp_path / f"cosign.{name}").read_text() for name in ("key", "pub")}
    cluster.keep("secrets", "signing", cosign__key=text["key"], cosign__pub=text["pub"], cosign__password=PASSWORD)
    return tmp_path / "cosign.pub"


def test_an_image_is_signed_with_what_is_in_a_secret(cluster: Cluster, key: Path) -> None:
    with (
        RegistryServer() as server,
        RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client,
    ):
        image = Place(server=server, client=client).image(annotations=BUILT)
        params = {"IMAGE": str(image), "ATTEST": "true", "INSECURE_REGISTRIES": server.address}
        run = cluster.run(
            {
                "apiVersion": "tekton.dev/v1",
                "kind": "TaskRun",
                "metadata": {"name": "signed"},
                "spec": {
                    "taskRef": {"name": "layerwatch-sign-image"},
                    "serviceAccountName": "layerwatch-build",
                    "params": [{"name": name, "value": value} for name, value in params.items()],
                    "workspaces": [{"name": "signing-key", "secret": {"secretName": "signing"}}],
                },
            }
        )
        assert condition(run) == ("True", "Succeeded"), run["status"]
        found = results(run)
        beside = f"{image.repository}:sha256-{image.pinned.hex}"
        assert (found["SIGNATURE"], found["ATTESTATION"]) == (f"{beside}.sig", f"{beside}.att")
        assert len(found["KEY"]) == 64
        flags = ["--key", str(key), "--insecure-ignore-tlog"]
        for words in (["verify"], ["verify-attestation", "--type", "slsaprovenance1"]):
            judged = subprocess.run([require("cosign"), *words, *flags, str(image)], capture_output=True, text=True)
            assert judged.returncode == 0, judged.stderr
