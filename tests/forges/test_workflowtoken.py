"""A workflow's own token is for the server that issued it; what somebody chose for a forge is for any address."""

from pathlib import Path

import pytest

from layering.forge.credentials import TokenCredentials
from layering.forge.settings import ForgeSettings, Kind
from layering.forge.workflowtoken import is_from

GITHUB = {"GITHUB_API_URL": "https://api.github.com", "GITHUB_SERVER_URL": "https://github.com"}
ENTERPRISE = {"GITHUB_API_URL": "https://ghes.example/api/v3", "GITHUB_SERVER_URL": "https://ghes.example"}
GITEA = {"GITHUB_API_URL": "https://gitea.example/api/v1", "GITHUB_SERVER_URL": "https://gitea.example/"}
OLD_GITEA = {"GITHUB_API_URL": "", "GITHUB_SERVER_URL": "https://gitea.example/"}


@pytest.mark.parametrize(
    ("runner", "kind", "url", "git_url", "is_its_own"),
    [
        pytest.param(GITHUB, "github", "https://api.github.com", None, True, id="GitHub"),
        pytest.param(GITHUB, "github", "https://API.github.com:443", None, True, id="GitHub, spelt otherwise"),
        pytest.param(GITHUB, "github", "https://api.github.com", "https://github.com", True, id="its git"),
        pytest.param(GITHUB, "github", "https://api.github.com", "https://mirror.example", False, id="git elsewhere"),
        pytest.param(GITHUB, "github", "https://ghes.example/api/v3", None, False, id="an Enterprise Server elsewhere"),
        pytest.param(GITHUB, "github", "https://api.github.com.evil.example", None, False, id="a longer name"),
        pytest.param(GITHUB, "github", "https://api.github.com:8443", None, False, id="another port"),
        pytest.param(GITHUB, "github", "http://api.github.com", None, False, id="plain http"),
        pytest.param(GITHUB, "gitea", "https://gitea.example/api/v1", None, False, id="a Gitea elsewhere"),
        pytest.param(GITHUB, "gitlab", "https://gitlab.com/api/v4", None, False, id="a GitLab"),
        pytest.param(ENTERPRISE, "github", "https://ghes.example/api/v3", None, True, id="an Enterprise Server"),
        pytest.param(ENTERPRISE, "github", "https://api.github.com", None, False, id="github.com from there"),
        pytest.param(GITEA, "gitea", "https://gitea.example/api/v1", None, True, id="Gitea"),
        pytest.param(OLD_GITEA, "gitea", "https://gitea.example/api/v1", None, True, id="Gitea that tells no API"),
        pytest.param(GITEA, "gitea", "https://elsewhere.example/api/v1", None, False, id="another Gitea"),
        pytest.param(GITEA, "github", "https://api.github.com", None, False, id="GitHub from a Gitea"),
        pytest.param(GITEA, "gitlab", "https://gitea.example/api/v4", None, False, id="no GitLab issues any"),
        pytest.param({}, "github", "https://api.github.com", None, False, id="no runner"),
        pytest.param({"GITHUB_API_URL": "https://[x"}, "github", "https://[x", None, False, id="no address"),
    ],
)
def test_which_server_issued_it(
    runner: dict[str, str], kind: str, url: str, git_url: str | None, is_its_own: bool
) -> None:
    assert is_from(ForgeSettings(name="f", kind=Kind(kind), url=url, git_url=git_url), runner) is is_its_own


HERE, ELSEWHERE = "https://gitea.example/api/v1", "https://elsewhere.example/api/v1"
OWN = {"LAYERWATCH_WORKFLOW_TOKEN": "own"}


@pytest.mark.parametrize(
    ("url", "variables", "token"),
    [
        pytest.param(HERE, OWN, "own", id="its own server"),
        pytest.param(ELSEWHERE, OWN, None, id="elsewhere"),
        pytest.param(HERE, {**OWN, "GITEA_TOKEN": "chosen"}, "chosen", id="what was chosen goes first"),
        pytest.param(ELSEWHERE, {**OWN, "GITEA_TOKEN": "chosen"}, "chosen", id="chosen for this kind, elsewhere"),
        pytest.param(ELSEWHERE, {**OWN, "LAYERWATCH_FORGE_TOKEN": "chosen"}, "chosen", id="chosen, elsewhere"),
        pytest.param(HERE, {"GITHUB_TOKEN": "another kind's"}, None, id="another kind's"),
    ],
)
def test_it_comes_after_what_was_chosen(
    url: str, variables: dict[str, str], token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LAYERWATCH_FORGE_TOKEN", "GITHUB_TOKEN", "GITEA_TOKEN", *OWN):
        monkeypatch.delenv(name, raising=False)
    for name, value in (GITEA | variables).items():
        monkeypatch.setenv(name, value)
    found = TokenCredentials(ForgeSettings(name="f", kind=Kind.GITEA, url=url)).token(None)
    assert (found and found.reveal()) == token


def test_a_file_that_was_named_is_what_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("of-the-file\n")
    for name, value in (GITEA | OWN).items():
        monkeypatch.setenv(name, value)
    settings = ForgeSettings(name="f", kind=Kind.GITEA, url=HERE, token_file=tmp_path / "token")
    found = TokenCredentials(settings).token(None)
    assert found is not None
    assert found.reveal() == "of-the-file"
