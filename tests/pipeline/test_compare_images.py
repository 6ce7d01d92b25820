"""`layerwatch-step compare-images`: the keys of its JSON, and Markdown when it is asked for."""

import json
from pathlib import Path

import pytest

from layering.sample.images import push_os_image
from tests.pipeline.conftest import ARM64, Release, Step

KEYS = {"packages", "labels", "layers", "same_content", "versions", "old", "new"}


def test_keys(release: Release, step: Step, tmp_path: Path) -> None:
    newer = push_os_image(release.client, release.repository("ocp/art"), "x", version="9.6.2-0", seed="x")
    words = ["--old", release.coreos, "--new", newer, "--results-dir", tmp_path]
    ended = step("compare-images", *words, *release.flags)
    assert ended.code == 0
    found = ended.outputs
    assert set(found) >= KEYS
    assert found["packages"] is None
    assert found["same_content"] is False
    assert found["versions"] == ["9.6.1-0", "9.6.2-0"]
    assert (found["old"], found["new"]) == (str(release.coreos.without_tag()), str(newer.without_tag()))
    assert found["labels"]["changed"]["version"] == ["9.6.1-0", "9.6.2-0"]
    assert found["labels"]["added"] == found["labels"]["removed"] == {}
    (layers,) = found["layers"]
    assert {key: layers[key] for key in ("platform", "shared", "added", "removed")} == {
        "platform": "linux/amd64", "shared": 1, "added": 2, "removed": 2,
    }  # fmt: skip
    assert layers["fetch_bytes"] > 100_000
    assert json.loads((tmp_path / "layers").read_text()) == found["layers"]
    assert (tmp_path / "same_content").read_text() == "false"
    assert not (tmp_path / "text").exists()


def test_the_same_image(release: Release, step: Step) -> None:
    ended = step("compare-images", "--old", release.coreos, "--new", release.coreos, *release.flags)
    assert (ended.code, ended.outputs["same_content"]) == (0, True)
    assert [change["platform"] for change in ended.outputs["layers"]] == ["linux/amd64", "linux/arm64"]
    assert "same content" in ended.notes


def test_markdown(release: Release, step: Step, tmp_path: Path) -> None:
    words = ["--old", release.coreos, "--new", release.coreos10, "--format", "markdown", "--results-dir", tmp_path]
    ended = step("compare-images", *words, *release.flags)
    assert (ended.code, ended.outputs) == (0, None)
    assert ended.out.startswith("OS version `9.6.1-0` → `10.0.1-0`\n")
    assert "| `io.openshift.os.streamclass`" in ended.out
    assert "text" not in {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("Nonsense", "{coreos}", 2, "not an image reference"),
        ("{coreos10}", "{arm}", 2, "no platform in common"),
        ("{art}:none", "{coreos}", 3, "no such thing"),
        ("{coreos}", "{art}:none", 3, "no such thing"),
    ],
)
def test_what_goes_wrong(release: Release, step: Step, old: str, new: str, code: int, said: str) -> None:
    art = release.repository("ocp/art")
    arm = push_os_image(release.client, art, "arm", version="1", seed="arm", platforms=[ARM64])
    names = {"coreos": release.coreos, "coreos10": release.coreos10, "art": art, "arm": arm}
    ended = step("compare-images", "--old", old.format(**names), "--new", new.format(**names), *release.flags)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.notes
