"""`layerwatch-step check-image`: passed or not, in JSON and by the exit code."""

import json
from pathlib import Path

import pytest

from layering.reference import ImageReference
from layering.registry.manifest import ImageManifest
from layering.registry.server_http import Answer
from layering.sample.images import push_image
from layering.sample.layers import SampleFile, SampleLayer, sample_layer
from tests.pipeline.conftest import Release, Step


def derived(release: Release, *paths: str) -> ImageReference:
    """An image FROM coreos10 with one more layer."""
    registry, base = release.client, release.coreos10
    manifest = registry.image(base)
    config = registry.config(base.repository, manifest)
    layers = [
        SampleLayer(data=registry.read_blob(base.repository, layer, limit_bytes=1 << 20), diff_id=diff_id)
        for layer, diff_id in zip(manifest.layers, config.diff_ids, strict=True)
    ]
    ours = sample_layer([SampleFile(path=path, content=b"x") for path in paths])
    return push_image(registry, release.repository("acme/os").tagged("t"), [*layers, ours], config.labels)


def test_passed(release: Release, step: Step, tmp_path: Path) -> None:
    image = derived(release, "etc/motd")
    words = ["--image", image, "--base", release.coreos10, "--results-dir", tmp_path]
    ended = step("check-image", *words, *release.flags)
    assert (ended.code, ended.outputs) == (0, {"passed": True, "findings": []})
    assert (tmp_path / "passed").read_text() == "true"
    assert (tmp_path / "findings").read_text() == "[]"
    assert f"{image}: passed" in ended.notes


def test_not_passed_is_7_and_says_why_on_both_streams(release: Release, step: Step, tmp_path: Path) -> None:
    image = derived(release, "etc/yum.repos.d/redhat.repo")
    words = ["--image", image, "--base", release.coreos10, "--results-dir", tmp_path]
    ended = step("check-image", *words, *release.flags)
    assert (ended.code, ended.outputs["passed"]) == (7, False)
    (finding,) = ended.outputs["findings"]
    assert set(finding) == {"rule", "severity", "message"}
    assert (finding["rule"], finding["severity"]) == ("redhat-repo", "error")
    assert json.loads((tmp_path / "findings").read_text()) == [finding]
    assert "error: redhat-repo: " in ended.notes
    assert f"{image}: did not pass" in ended.notes


def test_not_from_this_base(release: Release, step: Step) -> None:
    ended = step("check-image", "--image", derived(release, "x"), "--base", release.coreos, *release.flags)
    assert ended.code == 7
    assert {finding["rule"] for finding in ended.outputs["findings"]} == {"from-base", "stream"}


def test_a_platform_the_image_lacks(release: Release, step: Step) -> None:
    words = ["--image", derived(release, "x"), "--base", release.coreos, "--platform", "linux/arm64"]
    ended = step("check-image", *words, *release.flags)
    assert (ended.code, [finding["rule"] for finding in ended.outputs["findings"]]) == (7, ["platforms"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--image {coreos} --base {art}:nine", 2, "--base"),
        ("--image {coreos} --base {coreos} --platform linux", 2, "not a platform"),
        ("--image {art}:nine --base {coreos}", 7, "pinned"),
        ("--image {coreos10} --base {coreos10} --platform linux/arm64", 7, "platforms"),
        ("--image {coreos} --base {coreos10} --platform linux/arm64", 7, "from-base"),
        ("--image {gone} --base {coreos}", 3, "no such thing"),
        ("--image {coreos} --base {gone}", 3, "no such thing"),
    ],
)
def test_what_goes_wrong(release: Release, step: Step, words: str, code: int, said: str) -> None:
    zero = f"sha256:{'0' * 64}"
    art = release.coreos.repository
    names = {
        "coreos": release.coreos, "coreos10": release.coreos10, "art": art, "zero": zero, "gone": f"{art}@{zero}",
    }  # fmt: skip
    ended = step("check-image", *words.format(**names).split(), *release.flags)
    assert ended.code == code
    assert said in ended.notes
    assert (ended.out == "") is (code != 7)


def test_a_layer_that_is_not_its_digest(release: Release, step: Step) -> None:
    image = derived(release, "etc/motd")
    manifest = release.client.manifest(image)
    assert isinstance(manifest, ImageManifest)
    last = manifest.layers[-1]
    wrong = bytes(last.size)
    release.server.intercept = lambda asked: (
        Answer(status=200, body=wrong) if str(last.digest) in asked.target else None
    )
    try:
        assert step("check-image", "--image", image, "--base", release.coreos10, *release.flags).code == 5
    finally:
        release.server.intercept = None


def test_only_reads_leave_the_process(release: Release, step: Step) -> None:
    image = derived(release, "etc/motd")
    release.server.requests.clear()
    step("check-image", "--image", image, "--base", release.coreos10, *release.flags)
    assert {one.method for one in release.server.requests} <= {"GET", "HEAD"}
