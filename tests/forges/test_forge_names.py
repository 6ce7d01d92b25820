"""`--forge NAME`: a name of one's own, whose kind the API's address tells."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from layering.errors import InputError
from layering.forge.settings import Kind
from pipeline.forge_flags import kind_of
from tests.forges.proposals import BRANCH, FILE, image, pinning
from tests.forges.world import WORLDS


@pytest.mark.parametrize(
    ("name", "url", "kind"),
    [
        pytest.param("github", None, Kind.GITHUB, id="a kind"),
        pytest.param("gitea", "https://git.corp/api/v4", Kind.GITEA, id="a kind, whatever the address"),
        pytest.param("corp", "https://git.corp/api/v3", Kind.GITHUB, id="GitHub Enterprise Server's"),
        pytest.param("corp", "https://corp/git/api/v4/", Kind.GITLAB, id="GitLab's"),
        pytest.param("corp", "https://git.corp/api/v1", Kind.GITEA, id="Gitea's"),
        pytest.param("corp", "https://git.corp/", None, id="nobody's"),
        pytest.param("corp", "https://git.corp/api/v2", None, id="of another version"),
        pytest.param("corp", None, None, id="no address"),
        pytest.param("", "https://git.corp", None, id="no name"),
    ],
)
def test_the_kind(name: str, url: str | None, kind: Kind | None) -> None:
    if kind is not None:
        assert kind_of(name, url) is kind
        return
    with pytest.raises(InputError, match="is not a forge"):
        kind_of(name, url)


@pytest.mark.parametrize("kind", WORLDS)
def test_a_proposal_is_made_there(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("0")})
        place = ["--forge", "corp", "--forge-url", world.settings.url, "--token-file", str(world.settings.token_file)]
        what = ["--repository", world.repository, "--file", FILE, "--image", str(image("1")), "--key", "1" * 64]
        words = [*place, *what, "--cluster", "prod", "--pool", "worker"]
        argv = [sys.executable, "-m", "pipeline.cli", "open-pull-request", *words]
        told = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout)
        assert (told["state"], told["branch"], len(world.pulls())) == ("created", BRANCH, 1)
