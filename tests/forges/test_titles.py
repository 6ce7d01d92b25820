"""A title as a forge keeps it: ours is known for ours whatever the forge would make of it, and is no draft's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.errors import InputError
from layering.forge.manners import fill_title
from layering.forge.marker import Marker
from layering.forge.settings import Kind
from layering.forge.titles import as_kept, check_no_draft
from tests.forges.proposals import FILE, pinning
from tests.forges.test_behaviour import propose
from tests.forges.world import WORLDS, World


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with WORLDS[request.param](tmp_path) as made:
        made.origin.commit({FILE: pinning("0")})
        yield made


PATTERNS = {
    "cut before a blank": "v{version} " + "x" * 196 + " {pool}",
    "longer in bytes than Gitea keeps": "v{version} " + "\N{ROBOT FACE}" * 200,
    "of a draft on GitLab": "Draft: [draft](draft) v{version}",
    "of a draft on Gitea": "[WIP] wip: v{version}",
}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_a_newer_image_has_its_own(world: World, pattern: str) -> None:
    for digit in "12":
        propose(world, digit, title=fill_title(pattern, {"version": digit, "pool": "worker"}))
        (only,) = world.pulls()
        marker = Marker.parse(only.body)
        assert marker is not None
        assert (f"v{digit}" in only.title, only.draft, only.title) == (True, False, marker.title)


@pytest.mark.parametrize("title", ["WIP: x", "Draft: x"])
def test_a_draft_s_is_what_it_would_be_without(world: World, title: str) -> None:
    propose(world, title=title, draft=True)
    (before,) = world.pulls()
    propose(world, "2", title=f"{title}2", draft=True)
    (only,) = world.pulls()
    assert (only.draft, only.title) == (True, f"{before.title}2")


KEPT = {
    "as it is": (Kind.GITEA, "worker of prod", "worker of prod"),
    "GitHub's": (Kind.GITHUB, "Draft: WIP: x", "Draft: WIP: x"),
    "the other one's prefix": (Kind.GITEA, "Draft: x", "Draft: x"),
    "several": (Kind.GITLAB, "(draft) [Draft]DRAFT: x", "x"),
    "nothing else": (Kind.GITEA, "WIP:", "WIP:"),
    "no prefix": (Kind.GITLAB, "draft/worker: x", "draft/worker: x"),
    "200 wide ones": (Kind.GITLAB, "語" * 200, "語" * 200),
    "cut between two": (Kind.GITEA, "語" * 200, "語" * 83),
    "cut after a blank": (Kind.GITEA, "x" + "é" * 124 + " é", "x" + "é" * 124),
}


@pytest.mark.parametrize(("kind", "title", "kept"), KEPT.values(), ids=KEPT)
def test_what_is_kept(kind: Kind, title: str, kept: str) -> None:
    assert as_kept(title, kind) == kept
    assert as_kept(kept, kind) == kept


@pytest.mark.parametrize(
    ("kind", "pattern", "drafts"),
    [
        pytest.param(Kind.GITEA, "wip: {version}", True, id="in small letters"),
        pytest.param(Kind.GITLAB, "  (DRAFT){version}", True, id="after blanks"),
        pytest.param(Kind.GITLAB, "{cluster}: {version}", True, id="by a name"),
        pytest.param(Kind.GITLAB, "{version}: x", False, id="a version that is none"),
        pytest.param(Kind.GITLAB, "a Draft: x", False, id="in the middle"),
        pytest.param(Kind.GITHUB, "Draft: x", False, id="on GitHub"),
        pytest.param(Kind.LOCAL, "WIP: x", False, id="on this machine"),
    ],
)
def test_a_pattern_that_makes_drafts(kind: Kind, pattern: str, drafts: bool) -> None:
    values = {"cluster": "draft", "pool": "worker"}
    if not drafts:
        assert check_no_draft(pattern, kind, values) == pattern
        return
    with pytest.raises(InputError, match="for a draft's") as caught:
        check_no_draft(pattern, kind, values)
    assert "draft: true" in caught.value.next_step
