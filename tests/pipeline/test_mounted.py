"""What a pod mounts: which files of a directory count, what an empty flag means, and where single results go."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from layering.errors import InputError
from pipeline.mounted import auth_file, ca_file
from tests.pipeline.conftest import Release, Step


def written(directory: Path, files: Mapping[str, str]) -> Path:
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


@pytest.mark.parametrize("name", ["config.json", ".dockerconfigjson"])
def test_credentials_in_a_directory(tmp_path: Path, name: str) -> None:
    directory = written(tmp_path / "d", {name: "{}", "other": ""})
    assert auth_file(directory, "--authfile") == directory / name
    assert auth_file(directory / name, "--authfile") == directory / name


def test_every_authority_of_a_directory(tmp_path: Path) -> None:
    directory = written(tmp_path / "d", {"a.crt": "A", "b.pem": "B", "c.key": "SECRET"})
    (directory / "..data").mkdir()
    assert ca_file(directory, "--ca-file").read_text() == "A\nB"
    assert ca_file(directory / "a.crt", "--ca-file") == directory / "a.crt"


@pytest.mark.parametrize(
    ("flag", "files", "said"),
    [
        ("--authfile", {"auth.json": "{}"}, "neither config.json nor .dockerconfigjson"),
        ("--ca-file", {"ca.txt": "x"}, "no *.crt and no *.pem"),
        ("--entitlement", {"x": "x"}, "no *.pem"),
    ],
)
def test_a_directory_without_what_it_should_have(
    tmp_path: Path, flag: str, files: Mapping[str, str], said: str
) -> None:
    directory = written(tmp_path / "d", files)
    with pytest.raises(InputError) as caught:
        _read(flag, directory, tmp_path)
    assert said in caught.value.what
    assert caught.value.where == flag


def _read(flag: str, directory: Path, scratch: Path) -> None:
    from pipeline.builders.entitlement import entitlement_flags

    if flag == "--authfile":
        auth_file(directory, flag)
    elif flag == "--ca-file":
        ca_file(directory, flag)
    else:
        entitlement_flags(directory, scratch)


def test_empty_values_are_none(release: Release, step: Step) -> None:
    """As Tekton hands over workspaces that are not bound, and params that nobody set."""
    empty = ["--release=", "--tag=", "--authfile=", "--ca-file="]
    ended = step("resolve-base", "--image", release.coreos, *empty, "--insecure-registry", f",{release.server.address}")
    assert ended.code == 0, ended.notes
    with pytest.raises(SystemExit, match="2"):
        step("resolve-base", "--image=", *empty)


def test_results_of_ones_own_choice(release: Release, step: Step, tmp_path: Path) -> None:
    files = {"base": "BASE", "platforms.linux/arm64": "ARM", "platforms": "ALL"}
    results = [f"--result={key}={tmp_path / name}" for key, name in files.items()]
    both = "--platform=linux/amd64,linux/arm64"
    ended = step("resolve-base", "--image", release.coreos, both, *results, *release.flags)
    assert ended.code == 0, ended.notes
    assert (tmp_path / "BASE").read_text() == str(release.coreos)
    assert (tmp_path / "ARM").read_text() == ended.outputs["platforms"]["linux/arm64"]
    assert json.loads((tmp_path / "ALL").read_text()) == ended.outputs["platforms"]


@pytest.mark.parametrize("result", ["bass=FILE", "base", "base.digest=FILE", "=FILE", "base=/no/such/place"])
def test_results_that_cannot_be(release: Release, step: Step, result: str) -> None:
    ended = step("resolve-base", "--image", release.coreos, "--result", result, *release.flags)
    assert ended.code == 2
    assert "--result" in ended.notes


def test_build_arguments_after_two_dashes_are_no_flags(step: Step, tmp_path: Path, release: Release) -> None:
    context = written(tmp_path / "c", {"Containerfile": "FROM quay.io/acme/os\nARG A\nLABEL a=$A\n"})
    target = release.repository("acme/args").tagged("1")
    words = ["build-image", "--context", context, "--base", release.coreos, "--target", target, *release.flags]
    assert step(*words, "--").code == 0
    ended = step(*words, "--", "A=1", "--push")
    assert ended.code == 2
    assert "NAME=VALUE" in ended.notes
    assert release.client.find(target) is None
    assert step(*words, "--push", "--", "A=1").code == 0
    config = release.client.config(target.repository, release.client.image(target))
    assert config.labels["a"] == "1"
