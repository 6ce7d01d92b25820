"""Where git reaches a repository: as the configuration says, as the forge tells, or beside its API."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from layering.forge.exchange import Sent
from layering.forge.forge import State
from layering.forge.forges import open_forge, open_host
from layering.forge.host import Host
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
def test_git_is_served_beside_the_api(kind: Kind, url: str, found: str | None) -> None:
    assert host(ForgeSettings(name="f", kind=kind, url=url)).git_url_beside_the_api("o/r") == found


@pytest.mark.parametrize(
    ("base", "told", "found"),
    [
        pytest.param(None, None, None, id="nothing is known"),
        pytest.param(None, TOLD, TOLD, id="the forge told it"),
        pytest.param("https://x.com/git/", TOLD, "https://x.com/git/o/r.git", id="the configuration decides"),
        pytest.param("https://x.com/git", None, "https://x.com/git/o/r.git", id="the configuration alone"),
    ],
)
def test_what_is_certain(base: str | None, told: str | None, found: str | None) -> None:
    settings = ForgeSettings(name="f", kind=Kind.GITEA, url="https://e.com/api/v1", git_url=base)
    assert host(settings).git_url("o/r", told) == found


def host(settings: ForgeSettings) -> Host:
    return open_host(settings, None, Patience(0))


ELSEWHERE = [
    pytest.param(Served(status=301, headers={"Location": "/elsewhere"}), id="redirects"),
    pytest.param(Served(status=403), id="refuses"),
    pytest.param(Served(status=404), id="is not there"),
    pytest.param(Served(status=502), id="fails"),
    pytest.param(
        Served(status=200, headers={"Content-Type": "text/html"}, body=b"<html>Welcome</html>"), id="is a page"
    ),
]


@contextmanager
def api_alone(world: World, says: Served) -> Iterator[ForgeSettings]:
    """Through a relay that passes on the API alone, whose answers name the forge's own address."""
    real = world.settings.url.split("/")[2]

    def between(asked: Asked, serve: Callable[[], Served]) -> Served:
        if ".git/" in asked.target:
            return says
        served = serve()
        return replace(served, body=served.body.replace(asked.headers["host"].encode(), real.encode()))

    with relay_to(real, between) as address:
        yield replace(world.settings, url=world.settings.url.replace(real, address))


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("says", ELSEWHERE)
def test_where_it_is_not_served_beside_the_api_the_forge_is_asked(kind: Kind, tmp_path: Path, says: Served) -> None:
    sent: list[Sent] = []
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("1")})
        with api_alone(world, says) as settings:
            forge = open_forge(settings, on_request=sent.append)
            assert forge.propose(proposal(world.repository)).reason is Reason.ALREADY_ON_BASE
            assert forge.propose(proposal(world.repository, "2")).state is State.CREATED
            forge.close()
    assert len(sent) <= 6


@pytest.mark.parametrize("kind", WORLDS)
def test_threads_find_it_together(kind: Kind, tmp_path: Path) -> None:
    """Each base branch is asked for by itself; who comes second finds the address changed."""
    branches = ["main", "next", "later", "last"]
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("1")})
        for branch in branches[1:]:
            world.origin.commit({FILE: pinning("1")}, branch=branch, on="main")
        with api_alone(world, Served(status=404)) as settings, ThreadPoolExecutor(len(branches)) as pool:
            forge = open_forge(settings)
            wanted = proposal(world.repository)
            targets = [replace(wanted.target, branch=branch) for branch in branches]
            one = forge.for_one_look(targets)
            found = list(pool.map(lambda target: one.observe(target, wanted.key, wanted.image).reason, targets))
            forge.close()
    assert found == [Reason.ALREADY_ON_BASE] * len(branches)


@pytest.mark.parametrize("kind", WORLDS)
def test_what_the_base_pins_without_any_pull_request_costs_one_request(kind: Kind, tmp_path: Path) -> None:
    with WORLDS[kind](tmp_path) as world:
        world.origin.commit({FILE: pinning("1")})
        sent: list[Sent] = []
        forge = open_forge(world.settings, on_request=sent.append)
        assert forge.propose(proposal(world.repository)).reason is Reason.ALREADY_ON_BASE
        forge.close()
        assert len(sent) == 1
