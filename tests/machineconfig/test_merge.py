"""Which MachineConfig decides a pool's osImageURL: the operator's merge order as a table."""

import pytest

from layering.machineconfig_merge import Claim, winner


def claim(
    name: str, role: str | None = "worker", image: str | None = "quay.io/acme/os", generated: bool = False
) -> Claim:
    return Claim(name=name, role=role, image=image, line=1, generated=generated)


@pytest.mark.parametrize(
    ("pool", "claims", "expected", "why"),
    [
        pytest.param("worker", [claim("99-a")], "99-a", "only one", id="only one"),
        pytest.param(
            "worker", [claim("99-b"), claim("99-a")], "99-b", "last by name", id="last by name, not in the file"
        ),
        pytest.param("worker", [claim("99-a"), claim("100-a")], "99-a", "last by name", id="names are no numbers"),
        pytest.param("worker", [claim("Z"), claim("a")], "a", "last by name", id="byte order"),
        pytest.param("worker", [claim("a", image=None), claim("b")], "b", "only one", id="one that sets none"),
        pytest.param("worker", [claim("a"), claim("b", image="")], "a", "only one", id="an empty one does not count"),
        pytest.param(
            "worker", [claim("a"), claim("z", generated=True)], "a", "only one", id="generated ones do not count"
        ),
        pytest.param("worker", [claim("a"), claim("z", "infra")], "a", "only one", id="another pool's does not count"),
        pytest.param("master", [claim("a", "master"), claim("z")], "a", "only one", id="master takes no worker's"),
        pytest.param(
            "infra",
            [claim("00-a", "infra"), claim("99-z")],
            "00-a",
            "those labelled infra are applied after those labelled worker",
            id="a custom pool's own come last whatever their names",
        ),
        pytest.param("infra", [claim("a"), claim("b")], "b", "last by name", id="a custom pool inherits the workers'"),
        pytest.param(
            "infra",
            [claim("b", "infra"), claim("a", "infra"), claim("z")],
            "b",
            "those labelled infra",
            id="both rules at once",
        ),
    ],
)
def test_who_wins_and_why(pool: str, claims: list[Claim], expected: str, why: str) -> None:
    verdict = winner(claims, pool)
    assert verdict is not None
    assert verdict.winner.name == expected
    assert why in verdict.why


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param([], id="none at all"),
        pytest.param([claim("a", None)], id="without a pool label"),
        pytest.param([claim("a", image=None)], id="none sets it"),
    ],
)
def test_nobody_wins(claims: list[Claim]) -> None:
    assert winner(claims, "worker") is None


def test_the_overridden_ones_are_named_in_merge_order() -> None:
    verdict = winner([claim("c"), claim("a", "infra"), claim("b")], "infra")
    assert verdict is not None
    assert [other.name for other in verdict.overridden] == ["b", "c"]
