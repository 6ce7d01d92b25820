"""fetch-source, and `run --fetched` after it: who sees credentials of git, and which forms of them are understood."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from layering.errors import InputError
from layering.git import run_git
from layering.reference import Repository
from pipeline.git_access import git_access
from pipeline.outputs import keys
from pipeline.steps import run
from tests.git_http import git_over_http
from tests.pipeline.conftest import Release, Step
from watcher.demo_git import make_repository

PASSWORD = "p@ss/w0rd"
Files = Mapping[str, str]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    repository = tmp_path / "repositories" / "os.git"
    repository.parent.mkdir()
    make_repository(repository, {"Containerfile": "FROM quay.io/acme/os\nCOPY f /etc/f\n", "f": "one\n"}, "first")
    return repository


def request_json(release: Release, url: str, commit: str, name: str = "fetched") -> str:
    document = {
        "apiVersion": "layerwatch/v1alpha1",
        "kind": "RebuildRequest",
        "image": "worker-os",
        "base": str(release.coreos),
        "platforms": ["linux/amd64"],
        "source": {"git": url, "commit": commit},
        "buildArgs": {"PRICE": "$$5 $(HOME)"},
        "target": str(Repository(release.server.address, f"acme/{name}").tagged("1")),
    }
    return json.dumps(document)


def commit_of(source: Path) -> str:
    return run_git(source, ["rev-parse", "main"]).strip()


def mounted(directory: Path, files: Files) -> Path:
    """Files as Kubernetes mounts a Secret: links to links."""
    data = directory / "..2025_01_01"
    data.mkdir(parents=True)
    (directory / "..data").symlink_to(data.name)
    for name, text in files.items():
        (data / name).write_text(text)
        (directory / name).symlink_to(f"..data/{name}")
    return directory


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"username": "me\n", "password": f"{PASSWORD}\n"}, id="basic-auth"),
        pytest.param({".git-credentials": "http://me:p%40ss%2Fw0rd@{host}\n"}, id="git-credential-store"),
    ],
)
def test_a_private_source_is_fetched_apart_from_the_build(
    release: Release, step: Step, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Files
) -> None:
    with git_over_http(source.parent, "me", PASSWORD) as host:
        credentials = mounted(tmp_path / "creds", {name: text.format(host=host) for name, text in form.items()})
        request = request_json(release, f"http://{host}/os.git", commit_of(source))
        monkeypatch.setenv("REQUEST", request)
        into = tmp_path / "workspace" / "source"
        words = ["fetch-source", "--request", "env:REQUEST", "--into", into]
        assert step(*words, "--git-credentials=", "--ca-file=").code == 3
        fetched = step(*words, "--git-credentials", credentials)
    assert (fetched.code, fetched.outputs["commit"]) == (0, commit_of(source))
    assert PASSWORD not in fetched.notes + fetched.out
    assert not any("p%40ss" in file.read_text(errors="replace") for file in into.rglob("*") if file.is_file())
    result = tmp_path / "result"
    ended = step(  # the server is gone: nothing is fetched again
        "run", "--request=env:REQUEST", "--fetched", into, f"--result=source.commit={result}", *release.flags
    )
    assert ended.code == 0, ended.notes
    assert result.read_text() == commit_of(source)
    assert ended.outputs["base_artifact"] == {
        "uri": str(release.coreos.repository),
        "digest": str(release.coreos.pinned),
    }
    assert ended.outputs["target"].endswith("/acme/fetched:1")
    by_step = re.findall(r"`([a-z]+-[a-z-]+)`", run.Outputs.__doc__ or "")
    assert set(ended.outputs) == {*keys(run.Outputs), *by_step}  # as docs/reference/cli.md says


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_user_fetches_than_builds(release: Release, step: Step, source: Path, tmp_path: Path) -> None:
    """As in a pod whose first step is not root: git itself would serve no repository of somebody else's."""
    request, into = tmp_path / "request.json", tmp_path / "fetched"
    request.write_text(request_json(release, f"file://{source}", commit_of(source), "other"))
    assert step("fetch-source", "--request", request, "--into", into).code == 0
    for path in (into, *into.rglob("*")):
        os.chown(path, 12345, 12345)
    ended = step("run", "--request", request, "--fetched", into, *release.flags)
    assert ended.code == 0, ended.notes


def test_a_commit_that_was_not_fetched(release: Release, step: Step, source: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(request_json(release, f"file://{source}", "0" * 40))
    ended = step("run", "--request", request, "--fetched", tmp_path, *release.flags)
    assert ended.code == 2
    assert "does not hold the commit" in ended.notes


def test_run_takes_the_same_credentials(release: Release, step: Step, source: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    credentials = mounted(tmp_path / "creds", {"username": "me", "password": PASSWORD})
    with git_over_http(source.parent, "me", PASSWORD) as host:
        request.write_text(request_json(release, f"http://{host}/os.git", commit_of(source), "same"))
        ended = step("run", "--request", request, "--git-credentials", credentials, *release.flags)
    assert ended.code == 0, ended.notes


def test_a_key_for_ssh_goes_with_known_hosts_only(tmp_path: Path) -> None:
    key = mounted(tmp_path / "key", {"ssh-privatekey": "KEY", "known_hosts": "git.example.com ssh-ed25519 AAAA"})
    with git_access(key, None, "git@git.example.com:acme/os.git") as variables:
        words = variables["GIT_SSH_COMMAND"].split()
        copy = Path(words[words.index("-i") + 1])
        assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("KEY\n", 0o600)
        assert {"StrictHostKeyChecking=yes", "BatchMode=yes"} <= set(words)
    assert not copy.exists()


@pytest.mark.parametrize(
    ("files", "url", "said"),
    [
        pytest.param({}, "https://git.example.com/a", "has no credentials", id="empty"),
        pytest.param({"username": "me"}, "https://git.example.com/a", "has no credentials", id="half"),
        pytest.param(
            {"username": "me", "password": "p"}, "git@git.example.com:a", "are for http", id="password for ssh"
        ),
        pytest.param({"ssh-privatekey": "KEY"}, "git@git.example.com:a", "known_hosts", id="unknown host"),
    ],
)
def test_credentials_that_cannot_do(tmp_path: Path, files: Files, url: str, said: str) -> None:
    with pytest.raises(InputError, match=said), git_access(mounted(tmp_path / "c", files), None, url):
        pytest.fail("it was accepted")


def test_gits_authorities_are_the_systems_and_ours(tmp_path: Path) -> None:
    ours = tmp_path / "ca.pem"
    ours.write_text("-----OURS-----")
    with git_access(None, ours, "https://git.example.com/a") as variables:
        assert "-----OURS-----" in Path(variables["GIT_SSL_CAINFO"]).read_text()


@pytest.mark.parametrize(
    ("request_flag", "said"),
    [("env:NO_SUCH_NAME", "no variable 'NO_SUCH_NAME'"), ("env:EMPTY", "not JSON")],
)
def test_a_request_in_a_variable_that_is_none(
    step: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_flag: str, said: str
) -> None:
    monkeypatch.setenv("EMPTY", "")
    ended = step("fetch-source", "--request", request_flag, "--into", tmp_path)
    assert ended.code == 2
    assert said in ended.notes
