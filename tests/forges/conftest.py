"""A repository on a forge's git server, and our side of git that speaks with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.forge.remotegit import RemoteGit
from tests.forges.origin import Origin, origin_at


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    with origin_at(tmp_path / "git" / "forge.git") as made:
        yield made


@pytest.fixture
def git(origin: Origin) -> Iterator[RemoteGit]:
    with origin.opened() as opened:
        yield opened
