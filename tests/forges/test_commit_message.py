"""What our commit says: a subject for people, and trailers that make it ours (contract-forges 21)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from layering.errors import InputError
from layering.forge.forge import Author, Change, Proposal, State
from layering.forge.forges import open_forge
from layering.forge.marker import without_marker
from layering.forge.settings import ForgeSettings, Kind, parse_author
from layering.git import run_git
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


AUTHORS = {
    "a full stop": ("Acme, Inc.", "bot@acme.example", "Acme, Inc", "bot@acme.example"),
    "quotes": ('"Layer Watch"', "bot@acme.example", "Layer Watch", "bot@acme.example"),
    "two blanks": ("Bot ", "bot@acme.example", "Bot", "bot@acme.example"),
    "all that is cut": (" ,:;'\\\"Bot\"\\';:, ", "bot@acme.example", "Bot", "bot@acme.example"),
    "what stays": ("#(Bot)!`", "+bot@acme.example-", "#(Bot)!`", "+bot@acme.example-"),
    "in the middle": ("J. 'R' \\ \"D\": a", "j.r,d@b", "J. 'R' \\ \"D\": a", "j.r,d@b"),
    "letters of others": ("Ünï 🤖", "bot@acme.example", "Ünï 🤖", "bot@acme.example"),
    "an address": ("Bot", "'bot@acme.example';", "Bot", "bot@acme.example"),
}


@pytest.mark.parametrize(("name", "email", "written_name", "written_email"), AUTHORS.values(), ids=AUTHORS)
def test_an_author_is_who_git_says_it_is(
    name: str, email: str, written_name: str, written_email: str, tmp_path: Path
) -> None:
    """Of a full stop at an end one git says so, and another not: both leave a name alone that has none."""
    run_git(tmp_path, ["init", "--quiet"])
    tree = run_git(tmp_path, ["mktree"], stdin=b"").strip()

    def written(by: Author) -> Author:
        environment = {"GIT_AUTHOR_NAME": by.name, "GIT_AUTHOR_EMAIL": by.email}
        others = {"GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@y"}
        commit = run_git(tmp_path, ["commit-tree", tree, "-m", "x"], environment | others).strip()
        found = run_git(tmp_path, ["show", "-s", "--format=%an%n%ae", commit]).splitlines()
        return Author(name=found[0], email=found[1])

    parsed = parse_author(f"{name} <{email}>")
    assert parsed == written(parsed) == Author(name=written_name, email=written_email)
    raw = written(Author(name=name, email=email))
    assert Author(name=raw.name.strip("."), email=raw.email.strip(".")) == parsed
    assert parse_author(f"{parsed.name} <{parsed.email}>") == parsed


@pytest.mark.parametrize("text", ["., <a@b>", '"\'" <a@b>', "a <.@b>", "a <a@.>", "a <;@:>", " <a@b>", "a\tb <a@b>"])
def test_an_author_of_whom_git_leaves_nothing(text: str) -> None:
    with pytest.raises(InputError, match="NAME <MAIL>"):
        parse_author(text)


def test_a_commit_is_ours_whatever_git_cuts_off_its_author(world: World) -> None:
    author = parse_author('"Acme, Inc." <bot@acme.example>')
    settings = replace(world.settings, author=author, sign_off=True)
    said = message(world, proposal(world.repository), settings)
    by = world.origin.git("show", "-s", "--format=%an <%ae>", BRANCH)
    assert (by, said[-1]) == ("Acme, Inc <bot@acme.example>", f"Signed-off-by: {by}")
    world.write(body=without_marker(world.pulls()[-1].body))
    forge = open_forge(settings)
    assert forge.propose(proposal(world.repository, "2")).state is State.UPDATED
    forge.close()


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
