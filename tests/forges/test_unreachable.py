"""A forge that does not answer, while others wait for what is seen of it."""

from collections.abc import Callable

import pytest

from layering.errors import UnavailableError
from layering.forge.exchange import Sent
from layering.forge.forge import Forge
from layering.forge.forges import open_forge
from layering.forge.settings import ForgeSettings, Kind
from tests.forges.proposals import image, proposal

REPOSITORY = "acme/config"
TARGET = proposal(REPOSITORY).target


def observe(forge: Forge) -> object:
    """One look of a watcher."""
    return forge.for_one_look([TARGET]).observe(TARGET, "1" * 64, image("1"))


@pytest.mark.parametrize("kind", [Kind.GITHUB, Kind.GITLAB, Kind.GITEA])
def test_it_is_waited_for_once_and_looked_at_briefly_from_then_on(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who proposes waits as ever: nobody else does."""
    monkeypatch.setattr("layering.forge.patience._BRIEF_SECONDS", 0.0)
    asked: list[Sent] = []
    forge = open_forge(
        ForgeSettings(name="f", kind=kind, url="http://127.0.0.1:1/api/v1", max_wait_seconds=2),
        on_request=asked.append,
    )
    patient, brief = counted(forge, asked, observe), [counted(forge, asked, observe) for _ in range(2)]
    told = counted(forge, asked, lambda forge: forge.orphans([TARGET]))
    wanted = counted(forge, asked, lambda forge: forge.propose(proposal(REPOSITORY)))
    forge.close()
    assert min(patient, wanted) > 1
    assert (brief, told) == ([1, 1], 1)


def counted(forge: Forge, asked: list[Sent], work: Callable[[Forge], object]) -> int:
    """How many requests it takes until it is given up."""
    before = len(asked)
    with pytest.raises(UnavailableError):
        work(forge)
    return len(asked) - before
