"""`layerwatch-step resolve-base`: the keys of its JSON, where else they go, and the exit code of everything else."""

import json
from pathlib import Path

import pytest

from layering.registry.manifest import sha256
from layering.registry.server_http import Answer, error
from layering.sample.images import push_os_image
from tests.pipeline.conftest import Release, Step

KEYS = {
    "base", "name", "digest", "platforms", "version", "labels", "release", "pulled_from", "tried", "verification",
}  # fmt: skip


def test_out_of_a_release(release: Release, step: Step) -> None:
    asked = ["--release", release.payload, "--tag", "rhel-coreos"]
    ended = step("resolve-base", *asked, "--platform", "linux/amd64", "--platform", "linux/arm64", *release.flags)
    assert ended.code == 0
    found = ended.outputs
    assert set(found) == KEYS
    assert (found["base"], found["digest"]) == (str(release.coreos), str(release.coreos.pinned))
    assert (found["name"], found["version"], found["release"]) == (
        str(release.coreos.repository), "9.6.1-0", "4.19.2",
    )  # fmt: skip
    assert list(found["platforms"]) == ["linux/amd64", "linux/arm64"]
    for digest in found["platforms"].values():
        assert release.client.find(release.coreos.repository.at(sha256(b"").parse(digest))) is not None
    assert found["labels"]["containers.bootc"] == "1"
    assert (found["pulled_from"], found["tried"]) == (found["base"], [])
    assert "4.19.2" in ended.notes


def test_behind_a_name(release: Release, step: Step) -> None:
    name = release.repository("ocp/art").tagged("ten")
    ended = step("resolve-base", "--image", name, *release.flags)
    assert (ended.code, ended.outputs["base"], ended.outputs["name"]) == (0, str(release.coreos10), str(name))
    assert ended.outputs["release"] is None
    assert list(ended.outputs["platforms"]) == ["linux/amd64"]


def test_results_and_github_output_hold_the_same(
    release: Release, step: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, github = tmp_path / "results", tmp_path / "github"
    results.mkdir()
    github.write_text("before=1\n")
    monkeypatch.setenv("GITHUB_OUTPUT", str(github))
    image = push_os_image(
        release.client, release.repository("odd/os"), "t", version="9\nbase=evil", seed="o", extra_labels={"a": "b\nc"}
    )
    ended = step("resolve-base", "--image", image, "--results-dir", results, *release.flags)
    assert ended.code == 0
    assert {path.name for path in results.iterdir()} == KEYS
    assert (results / "base").read_text() == str(image)  # no final newline: Tekton takes the bytes
    assert (results / "release").read_text() == "null"
    assert json.loads((results / "labels").read_text()) == ended.outputs["labels"]
    lines = github.read_text().splitlines()
    assert lines[0] == "before=1"
    assert [line for line in lines if line.startswith("base=")] == [f"base={image}"]
    assert "version=null" in lines  # a label that is no line is no version


def test_what_an_image_says_commands_no_terminal(release: Release, step: Step) -> None:
    image = push_os_image(release.client, release.repository("odd/os"), "e", version="9\x1b[2J\x07\u202e", seed="e")
    ended = step("resolve-base", "--image", image, *release.flags)
    assert (ended.code, ended.outputs["version"]) == (0, None)
    assert ended.outputs["labels"]["version"] == "9\x1b[2J\x07\u202e"
    assert not {"\x1b", "\x07", "\u202e"} & set(ended.notes)
    assert "\x1b" not in ended.out  # JSON escapes it


NO_SUCH = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--release {payload}", 2, "--tag"),
        ("--release {payload} --tag rhel-coreas", 2, "did you mean rhel-coreos"),
        ("--release {coreos} --tag rhel-coreos", 2, "not a release payload"),
        ("--image {payload}", 2, "release payload 4.19.2"),
        ("--image {coreos} --tag x", 2, "--tag goes with --release"),
        ("--image {coreos} --platform linux/s390x", 2, "linux/s390x"),
        ("--image {coreos} --platform amd64", 2, "not a platform"),
        ("--image {coreos10} --platform linux/arm64", 2, "linux/arm64"),
        ("--image Nonsense", 2, "not an image reference"),
        ("--image {address}/none/such:t", 3, "no such thing"),
        (f"--image {{address}}/ocp/art@{NO_SUCH}", 3, "no such thing"),
        ("--release {address}/none/such:t --tag rhel-coreos", 3, "no such thing"),
        ("--image 127.0.0.1:1/a/b:t", 4, "cannot be reached"),
        ("--image {coreos} --authfile none.json", 2, "--authfile"),
        ("--image {coreos} --ca-file none.pem", 2, "--ca-file"),
        ("--image {coreos} --results-dir none", 2, "--results-dir"),
    ],
)
def test_what_goes_wrong(release: Release, step: Step, words: str, code: int, said: str) -> None:
    names = {
        "payload": release.payload, "coreos": release.coreos, "coreos10": release.coreos10,
        "address": release.server.address,
    }  # fmt: skip
    ended = step("resolve-base", *words.format(**names).split(), *release.flags)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.notes
    assert "reason: " in ended.notes


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(401, "UNAUTHORIZED", "who are you"), 3),
        (error(403, "DENIED", "not you"), 3),
        (error(404, "MANIFEST_UNKNOWN", "none"), 3),
        (Answer(status=200, body=b"{}"), 5),
        (Answer(status=200, body=b'{"schemaVersion": 1}'), 5),
        (Answer(status=429, headers={"Retry-After": "3600"}), 4),
        (Answer(status=503, headers={"Retry-After": "3600"}), 4),
    ],
    ids=["401", "403", "404", "another manifest", "schema 1", "429", "503"],
)
def test_a_registry_that_says_no_or_lies(release: Release, step: Step, answer: Answer, code: int) -> None:
    release.server.intercept = lambda asked: answer if "/manifests/" in asked.target else None
    try:
        assert step("resolve-base", "--image", release.coreos, *release.flags).code == code
    finally:
        release.server.intercept = None


def test_outputs_that_cannot_be_written(
    release: Release, step: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").mkdir()
    ended = step("resolve-base", "--image", release.coreos, "--results-dir", tmp_path, *release.flags)
    assert (ended.code, "--results-dir" in ended.notes) == (2, True)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "none" / "file"))
    ended = step("resolve-base", "--image", release.coreos, *release.flags)
    assert (ended.code, "$GITHUB_OUTPUT" in ended.notes) == (2, True)


def test_only_reads_leave_the_process(release: Release, step: Step) -> None:
    release.server.requests.clear()
    step("resolve-base", "--release", release.payload, "--tag", "rhel-coreos", *release.flags)
    assert {one.method for one in release.server.requests} <= {"GET", "HEAD"}
