"""What our commit says: a subject for people, and trailers that make it ours (contract-forges 21)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from layering.forge.forge import Author, Change, Proposal
from layering.forge.forges import open_forge
from layering.forge.settings import ForgeSettings, Kind
from tests.forges.proposals import BRANCH, FILE, image, pinning, proposal
from tests.forges.world import WORLDS, World

IMAGE = "registry.example.com/acme/os@sha256:" + "1" * 64
KEY = "1" * 64


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with WORLDS[Kind.GITHUB](tmp_path) as made:
        made.origin.commit({FILE: pinning("0"), "infra.yaml": pinning("0").replace("worker", "infra")})
        yield made


def message(world: World, wanted: Proposal, settings: ForgeSettings | None = None) -> list[str]:
    forge = open_forge(settings or world.settings)
    branch = forge.propose(wanted).branch
    forge.close()
    return world.origin.git("show", "-s", "--format=%B", branch).splitlines()


def test_one_line_s(world: World) -> None:
    assert message(world, proposal(world.repository)) == [
        "worker of prod: 1",
        "",
        f"Layerwatch-Key: {KEY}",
        f"Layered-Image: {IMAGE}",
        f"Layerwatch-Line: prod/worker {KEY}",
    ]


def test_with_a_prefix_and_signed_off_by_its_author(world: World) -> None:
    author, people = Author(name="Jo Doe", email="jo@example.com"), "Jo Doe <jo@example.com>"
    settings = replace(world.settings, author=author, sign_off=True, commit_prefix="chore(deps): ")
    said = message(world, proposal(world.repository), settings)
    assert (said[0], said[-1]) == ("chore(deps): worker of prod: 1", f"Signed-off-by: {people}")
    assert world.origin.git("show", "-s", "--format=%an <%ae>, %cn <%ce>", BRANCH) == f"{people}, {people}"


def test_a_group_s_tells_each_line(world: World) -> None:
    one = proposal(world.repository)
    worker = replace(one.target, group="all")
    infra = replace(worker, pool="infra", file="infra.yaml")
    wanted = replace(one, target=worker, others=(Change(target=infra, image=image("1"), key="2" * 64),))
    assert message(world, wanted)[2:] == [
        f"Layerwatch-Key: {wanted.whole_key}",
        f"Layered-Image: {IMAGE}",
        f"Layerwatch-Line: prod/worker {KEY}",
        f"Layerwatch-Line: prod/infra {'2' * 64}",
    ]
