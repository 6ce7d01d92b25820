"""Whatever stands in the file: settings or an error that says what to do, never a traceback."""

import random
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import InputError
from tests.settings.documents import cluster, document, image, proposal, written
from watcher.configuration import load

KEYS = st.from_regex("schedule|every|registries|clusters|access|file|images|base|image|platforms|args", fullmatch=True)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["60s", "*", "..", "~", "~x", "-", "a/b:c", "linux/amd64", "https://u:p@h/x", "in-cluster"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
WHOLE = document(
    schedule={"every": "60s", "jitter": "1s"},
    registries={"insecure": ["a:1"], "timeout": "5s"},
    clusters=[cluster(), cluster(name="b")],
    images=[image(platforms=["linux/amd64"], build={"args": {"A": "b"}}, proposals=[proposal(), proposal(pool="b")])],
)


def outcome(content: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = written(Path(directory), content)
        error = failure(file)
        if error is not None:
            assert str(file) in str(error)
            assert error.next_step


def failure(file: Path) -> InputError | None:
    try:
        load(file)
    except InputError as error:
        return error
    return None


def replaced(value: Any, rng: random.Random, with_value: Any) -> Any:
    """`value` with one place, chosen by `rng`, replaced."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.15:
        return with_value
    if isinstance(value, list):
        chosen = rng.randrange(len(value))
        return [replaced(item, rng, with_value) if n == chosen else item for n, item in enumerate(value)]
    key = rng.choice(list(value))
    return {k: replaced(item, rng, with_value) if k == key else item for k, item in value.items()}


@given(VALUES)
def test_any_document(value: Any) -> None:
    outcome(yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(VALUES, st.integers(min_value=0))
def test_a_valid_document_with_one_place_replaced(value: Any, seed: int) -> None:
    outcome(yaml.safe_dump(replaced(WHOLE, random.Random(seed), value)))


@given(st.text(alphabet="&*!<>{}[]:,?-|#'\"% \n\tab01~.=\\", max_size=60) | st.text(max_size=60))
def test_any_text(text: str) -> None:
    outcome("apiVersion: layerwatch/v1alpha1\nkind: WatchConfig\n" + text)


@given(st.binary(max_size=60))
def test_any_bytes(content: bytes) -> None:
    outcome(content)
