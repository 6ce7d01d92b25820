"""A GitLab with one project, and our forge that speaks with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from layering.forge.exchange import Sent
from layering.forge.forge import Forge, Proposed
from layering.forge.forges import open_forge
from layering.forge.settings import ForgeSettings, Kind
from tests.forges.gitlab.server import PATH, TOKEN, add_project, gitlab_at
from tests.forges.gitlab.state import GitLab, MergeRequest, Project
from tests.forges.proposals import FILE, pinning, proposal, target

TARGET = target(PATH)


@dataclass(kw_only=True)
class Place:
    """`settings` say how our forge reaches it; `sent` are its API requests since the last time."""

    gitlab: GitLab
    project: Project
    address: str
    settings: ForgeSettings
    sent: list[Sent] = field(default_factory=list)

    @contextmanager
    def forge(self) -> Iterator[Forge]:
        """Ours, as a new process has it: it knows nothing yet."""
        forge = open_forge(self.settings, on_request=self.sent.append)
        try:
            yield forge
        finally:
            forge.close()

    def propose(self, digit: str = "1", title: str = "", body: str = "What it is.", **manners: Any) -> Proposed:
        with self.forge() as forge:
            return forge.propose(proposal(PATH, digit, title, body, **manners))

    @property
    def request(self) -> MergeRequest:
        """The newest merge request."""
        return self.project.merge_requests[-1]

    def methods(self) -> list[str]:
        """The API requests since the last time, by their methods."""
        methods = [sent.method for sent in self.sent]
        self.sent.clear()
        return methods


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    with gitlab_at(tmp_path / "repositories") as (gitlab, address):
        project = add_project(gitlab, tmp_path / "repositories")
        project.origin.commit({FILE: pinning("0")})
        settings = ForgeSettings(
            name="gitlab", kind=Kind.GITLAB, url=f"http://{address}/api/v4", token_file=token, max_wait_seconds=5
        )
        yield Place(gitlab=gitlab, project=project, address=address, settings=settings)
