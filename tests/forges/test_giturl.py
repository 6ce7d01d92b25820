"""Where git reaches a repository: as the configuration says, as the forge tells, or beside its API."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from layering.forge.exchange import Sent
from layering.forge.forge import State
from layering.forge.forges import open_forge, open_host
from layering.forge.patience import Patience
from layering.forge.settings import ForgeSettings, Kind
from layering.reasons import Reason
from tests.forges.proposals import FILE, pinning, proposal
from tests.forges.relay import relay_to
from tests.forges.world import WORLDS, World
from tests.git_http import Asked, Served

TOLD = "https://git.example.com/o/r.git"


@pytest.mark.parametrize(
    ("kind", "url", "found"),
    [
        pytest.param(Kind.GITHUB, "https://api.github.com", "https://github.com/o/r.git", id="github.com"),
        pytest.param(Kind.GITHUB, "https://api.acme.ghe.com", "https://acme.ghe.com/o/r.git", id="a company's"),
        pytest.param(Kind.GITHUB, "https://api.example.com", None, id="no GitHub of that form"),
        pytest.param(Kind.GITHUB, "https://g.example.com/api/v3", "https://g.example.com/o/r.git", id="a server"),
        pytest.param(Kind.GITLAB, "https://gitlab.com/api/v4", "https://gitlab.com/o/r.git", id="gitlab.com"),
        pytest.param(Kind.GITLAB, "https://e.com/gitlab/api/v4", "https://e.com/gitlab/o/r.git", id="below a path"),
        pytest.param(Kind.GITEA, "http://127.0.0.1:3000/api/v1", "http://127.0.0.1:3000/o/r.git", id="Gitea"),
        pytest.param(Kind.GITEA, "https://e.com/proxied", None, id="an API elsewhere"),
    ],
)
def test_git_is_served_beside_the_api_unless_something_else_is_told(kind: Kind, url: str, found: str | None) -> None:
    settings = ForgeSettings(name="f", kind=kind, url=url)
    assert git_url(settings, None) == found
    assert git_url(settings, TOLD) == TOLD
    assert git_url(replace(settings, git_url="https://x.com/git/"), TOLD) == "https://x.com/git/o/r.git"


def git_url(settings: ForgeSettings, told: str | None) -> str | None:
    return open_host(settings, None, Patience(0)).git_url("o/r", told)


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("status", [301, 403, 404])
def test_where_it_is_not_served_beside_the_api_the_forge_is_asked(kind: Kind, tmp_path: Path, status: int) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("1")})
        sent: list[Sent] = []
        made = proposed_where_git_says(world, status, sent)
        assert made == (State.UNCHANGED, Reason.ALREADY_ON_BASE)
        assert len(sent) <= 2


def proposed_where_git_says(world: World, status: int, sent: list[Sent]) -> tuple[State, Reason]:
    """Through a relay that passes on the API alone; its answers name the forge's own address."""
    host = world.settings.url.split("/")[2]

    def between(asked: Asked, serve: Callable[[], Served]) -> Served:
        if ".git/" in asked.target:
            return Served(status=status)
        served = serve()
        return replace(served, body=served.body.replace(asked.headers["host"].encode(), host.encode()))

    with relay_to(host, between) as address:
        forge = open_forge(
            replace(world.settings, url=world.settings.url.replace(host, address)), on_request=sent.append
        )
        try:
            made = forge.propose(proposal(world.repository))
        finally:
            forge.close()
    return made.state, made.reason


@pytest.mark.parametrize("kind", WORLDS)
def test_what_the_base_pins_without_any_pull_request_costs_one_request(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("1")})
        sent: list[Sent] = []
        forge = open_forge(world.settings, on_request=sent.append)
        assert forge.propose(proposal(world.repository)).reason is Reason.ALREADY_ON_BASE
        forge.close()
        assert len(sent) == 1
