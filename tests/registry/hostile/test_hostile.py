"""Every attack ends in the error that is named for it, every quirk in success: bounded, and with no secret astray.

The registry is a server, the client a process of its own, so that its memory is its own; each row has a new client.
Refusing everything is no defence, so the quirks of honest registries stand beside the attacks.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from layering.errors import ContentError, RefusedError, UnavailableError
from layering.registry.manifest import sha256
from tests.registry.hostile.attacks import ATTACKS
from tests.registry.hostile.goods import BLOB, MANIFEST, OS_IMAGE, TAG
from tests.registry.hostile.limits import ABOVE_LIMIT, AT_LIMIT, REFUSAL_ABOVE_LIMIT, REFUSAL_AT_LIMIT
from tests.registry.hostile.quirks import QUIRKS
from tests.registry.hostile.rows import Row
from tests.registry.hostile.victim import Ended, Victim
from tests.registry.hostile.world import SPELLINGS, Stage, World

_MEMORY_BYTES_MAX = 150_000_000
_ERROR_LENGTH_MAX = 2000
_DIGEST = str(sha256(MANIFEST))
_NORMALLY = {
    "resolve": _DIGEST,
    "resolve a digest": _DIGEST,
    "resolve twice": _DIGEST,
    "find": "True",
    "manifest": _DIGEST,
    "manifest by digest": _DIGEST,
    "image": _DIGEST,
    "config": "linux/amd64",
    "read_blob": str(BLOB.size),
    "stream_blob": str(BLOB.size),
    "layers": "3",
    "tags": TAG,
    "referrers": "()",
    "release": OS_IMAGE,
    "push_blob": str(sha256(b"new data")),
    "push_stream": "pushed",
    "push a large stream": "pushed",
    "copy_blob": "mounted",
    "push_manifest": _DIGEST,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage.made(tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    made = Victim()
    yield made
    made.end()


def check(row: Row, world: World, ended: Ended) -> None:
    """What holds for every row, however it ends."""
    heard = "" if row.is_trusted else "\n".join(world.heard)
    assert not [spelt for spelt in SPELLINGS if spelt in heard], "the thief heard a secret"
    assert "\nauthorization:" not in heard.lower()
    assert "\ncookie:" not in heard.lower()
    assert row.is_met or not world.heard, "the thief was asked"
    assert not [spelt for spelt in SPELLINGS if spelt in ended.said], "a secret is shown"
    assert len(ended.line) <= _ERROR_LENGTH_MAX
    assert ended.peak_bytes <= _MEMORY_BYTES_MAX


@pytest.mark.parametrize("row", ATTACKS, ids=lambda row: row.name)
def test_an_attack_fails(row: Row, stage: Stage, victim: Victim, tmp_path: Path) -> None:
    with stage.world(row) as world:
        ended = victim(world.order(row, tmp_path))
    assert row.ends is not None
    assert (ended.exit_code, ended.error) in _exits(row), ended.said
    assert row.says in ended.line
    check(row, world, ended)


@pytest.mark.parametrize("row", QUIRKS, ids=lambda row: row.name)
def test_a_quirk_is_understood(row: Row, stage: Stage, victim: Victim, tmp_path: Path) -> None:
    with stage.world(row) as world:
        ended = victim(world.order(row, tmp_path))
    assert (ended.exit_code, ended.gave) == (0, _NORMALLY[row.do] if row.gives is None else row.gives), ended.said
    check(row, world, ended)


@pytest.mark.parametrize("row", AT_LIMIT, ids=lambda row: row.name)
def test_what_is_at_a_limit_is_taken(row: Row, stage: Stage, victim: Victim, tmp_path: Path) -> None:
    with stage.world(row) as world:
        ended = victim(world.order(row, tmp_path))
    assert ended.exit_code == 0, ended.said
    check(row, world, ended)


@pytest.mark.parametrize("row", ABOVE_LIMIT, ids=lambda row: row.name)
def test_one_more_is_not(row: Row, stage: Stage, victim: Victim, tmp_path: Path) -> None:
    with stage.world(row) as world:
        ended = victim(world.order(row, tmp_path))
    assert (ended.exit_code, ended.error) == (5, "ContentError"), ended.said
    check(row, world, ended)


@pytest.mark.parametrize(("row", "told"), [(REFUSAL_AT_LIMIT, True), (REFUSAL_ABOVE_LIMIT, False)], ids=["at", "above"])
def test_a_refusal_is_quoted_up_to_its_limit(
    row: Row, told: bool, stage: Stage, victim: Victim, tmp_path: Path
) -> None:
    with stage.world(row) as world:
        ended = victim(world.order(row, tmp_path))
    assert (ended.exit_code, "so it says" in ended.line) == (3, told), ended.said
    check(row, world, ended)


def _exits(row: Row) -> list[tuple[int, str]]:
    """The exit code, and the names of the error and of its kinds."""
    assert row.ends is not None
    kinds = [row.ends, *row.ends.__subclasses__()]
    return [(int(row.ends.exit_code), kind.__name__) for kind in kinds]


def test_there_are_many_of_both_and_each_kind_of_end() -> None:
    ends = Counter(row.ends for row in ATTACKS)
    assert len(ATTACKS) >= 150
    assert len(QUIRKS) >= 40
    assert set(ends) == {RefusedError, UnavailableError, ContentError}
    for rows in (ATTACKS, QUIRKS):
        assert len({row.name for row in rows}) == len(rows)
