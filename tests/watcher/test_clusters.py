"""What is known of clusters when another configuration takes the place of one."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from watcher.clusters import Clusters
from watcher.settings import Settings
from watcher.watch import utc_now

RELEASE = {"state": "Completed", "version": "4.19.1", "image": f"quay.io/release@sha256:{'1' * 64}"}
CLUSTER_VERSION = {
    "apiVersion": "config.openshift.io/v1",
    "kind": "ClusterVersion",
    "metadata": {"name": "version", "generation": 1},
    "status": {"observedGeneration": 1, "availableUpdates": None, "history": [RELEASE]},
}


@pytest.fixture
def clusters() -> Callable[[str, Path], Clusters]:
    def made(name: str, file: Path) -> Clusters:
        document = {
            "apiVersion": "layerwatch/v1alpha1",
            "kind": "WatchConfig",
            "clusters": [{"name": name, "access": {"file": str(file)}}],
        }
        return Clusters(Settings.model_validate(document), utc_now)

    return made


@pytest.mark.parametrize(
    ("name", "file", "is_the_same"),
    [
        pytest.param("prod", "version.yaml", True, id="the same"),
        pytest.param("stage", "version.yaml", False, id="another name"),
        pytest.param("prod", "other.yaml", False, id="asked elsewhere"),
    ],
)
def test_the_last_good_answer_outlives_its_configuration(
    clusters: Callable[[str, Path], Clusters], tmp_path: Path, name: str, file: str, is_the_same: bool
) -> None:
    answer = tmp_path / "version.yaml"
    answer.write_text(yaml.safe_dump(CLUSTER_VERSION))
    before = clusters("prod", answer)
    before.refresh("prod")
    answer.unlink()
    after = clusters(name, tmp_path / file)
    after.inherit(before)
    after.refresh(name)
    known = after.known(name)
    assert known.failure is not None
    good = before.known("prod")
    expected = (good.last_good, good.last_good_at) if is_the_same else (None, None)
    assert (known.last_good, known.last_good_at) == expected
    assert good.last_good is not None
