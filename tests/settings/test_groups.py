"""What the proposals of one group may not do to each other, and what they may."""

from pathlib import Path
from typing import Any

import pytest

from tests.settings.documents import cluster, document, image, proposal, written
from watcher.configuration import load
from watcher.settings_faults import ConfigurationError

PLACE = {"forge": "github", "repository": "acme/config"}
OS, MADE = {"group": "os"}, {"group": "os", "create": True}
INFRA, STAGE = {"pool": "infra", "file": "infra.yaml"}, {"cluster": "stage", "file": "./os.yaml"}
FIRST, SECOND = "images[0].proposals[0]", "images[1].proposals[0]"


def written_with(directory: Path, first: dict[str, Any], second: dict[str, Any], **keys: Any) -> Path:
    """Two images, each with a proposal in the same repository."""
    images = [
        image(proposals=[proposal(**PLACE | first)]),
        image(name="infra-os", proposals=[proposal(**PLACE | second)]),
    ]
    return written(directory, document(clusters=[cluster(), cluster(name="stage")], images=images, **keys))


TWO_BRANCHES = f"the group os goes into main in {FIRST}, and into staging here"
ONE_CONFIG = f"{FIRST} is of the same group, and sets the same MachineConfig in os.yaml"
STAGING = INFRA | {"branch": "staging"}


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        pytest.param(OS, OS | STAGING, TWO_BRANCHES, id="two branches"),
        pytest.param({}, STAGING, TWO_BRANCHES, id="two branches, when the defaults name the group"),
        pytest.param(
            OS, OS | STAGING | {"repository": "ACME/config"}, TWO_BRANCHES, id="two branches, in two spellings"
        ),
        pytest.param(OS, OS | STAGE, ONE_CONFIG, id="one MachineConfig for two clusters"),
        pytest.param(OS, OS | STAGE | {"name": "x"}, ONE_CONFIG, id="perhaps one MachineConfig: the first has no name"),
        pytest.param(
            OS | {"name": "x"}, OS | STAGE, ONE_CONFIG, id="perhaps one MachineConfig: the second has no name"
        ),
        pytest.param(
            MADE | {"name": "x"},
            MADE | {"name": "x", "pool": "infra"},
            ONE_CONFIG,
            id="one name for two that are to be made",
        ),
    ],
)
def test_one_of_two_is_refused_and_both_are_named(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], message: str
) -> None:
    defaults = {} if "group" in first else {"proposalDefaults": OS}
    with pytest.raises(ConfigurationError) as caught:
        load(written_with(tmp_path, first, second, **defaults))
    assert [(fault.path, fault.message) for fault in caught.value.faults] == [(SECOND, message)]
    assert caught.value.faults[0].suggestion


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(OS, OS | INFRA, id="two files"),
        pytest.param(MADE, MADE | {"pool": "infra"}, id="two pools in one new file"),
        pytest.param(OS | {"name": "x"}, OS | STAGE | {"name": "y"}, id="two of one pool, by name"),
        pytest.param(OS, STAGING | {"group": "others"}, id="two branches of two groups"),
        pytest.param(OS, OS | STAGING | {"repository": "acme/other"}, id="two branches of two repositories"),
        pytest.param(OS, OS | STAGING | {"forge": "gitlab"}, id="two branches on two forges"),
        pytest.param({"group": None}, STAGING | {"group": None}, id="two branches, and no group after all"),
        pytest.param(
            {"group": None}, STAGE | {"group": None}, id="one MachineConfig, and no group: one line at a time"
        ),
    ],
)
def test_what_is_no_fault(tmp_path: Path, first: dict[str, Any], second: dict[str, Any]) -> None:
    assert len(load(written_with(tmp_path, first, second, proposalDefaults=OS)).images) == 2


def test_one_pool_twice_is_one_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(written_with(tmp_path, OS, OS))
    assert [fault.message for fault in caught.value.faults] == [
        "pool worker of cluster prod has an image already: worker-os"
    ]
