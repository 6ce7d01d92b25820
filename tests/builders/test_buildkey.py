"""The build key: everything that determines the image changes it, and nothing else does."""

from dataclasses import replace
from typing import Any

import pytest

from layering.buildkey import BuildInputs, BuildKey, build_key
from layering.errors import InputError
from layering.platform import Platform
from layering.reference import Digest

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
ONE = Digest("sha256", "1" * 64)
TWO = Digest("sha256", "2" * 64)
INPUTS = BuildInputs(
    base={AMD64: ONE},
    tree="a" * 40,
    containerfile="Containerfile",
    containerfile_blob="b" * 40,
    build_args={},
    builder="auto",
)


def test_the_key_is_fixed_for_ever() -> None:
    """Target tags carry the key: a change of this value rebuilds every image of every user."""
    assert build_key(INPUTS).hex == "cb7a97aabb658abe8d7417023c737764028998881b8f4e0398c8a5c6b74d547c"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"base": {AMD64: TWO}}, id="another base"),
        pytest.param({"base": {ARM64: ONE}}, id="another platform"),
        pytest.param({"base": {AMD64: ONE, ARM64: ONE}}, id="one platform more"),
        pytest.param({"tree": "c" * 40}, id="another source"),
        pytest.param({"containerfile": "os/Containerfile"}, id="another path"),
        pytest.param({"containerfile_blob": "c" * 40}, id="another Containerfile"),
        pytest.param({"build_args": {"A": "1"}}, id="a build argument"),
        pytest.param({"builder": "buildah"}, id="another builder"),
        pytest.param({"matches": ("stage:os",)}, id="another FROM is the base"),
    ],
)
def test_every_input_changes_the_key(change: dict[str, Any]) -> None:
    assert build_key(replace(INPUTS, **change)) != build_key(INPUTS)


def test_the_order_of_mappings_does_not_change_the_key() -> None:
    one = replace(INPUTS, base={AMD64: ONE, ARM64: TWO}, build_args={"A": "1", "B": "2"})
    two = replace(INPUTS, base={ARM64: TWO, AMD64: ONE}, build_args={"B": "2", "A": "1"})
    assert build_key(one) == build_key(two)


def test_short_is_what_a_tag_carries() -> None:
    assert BuildKey("0123456789ab" + "f" * 52).short == "0123456789ab"


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_what_is_not_a_key_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a build key"):
        BuildKey(text)
