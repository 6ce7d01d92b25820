"""Challenges, manifests and auth files beside the originals of container tools: what we read there, they read too."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from layering.errors import ContentError, InputError
from layering.reference import Repository
from layering.registry.challenge import parse_challenges
from layering.registry.credentials import normalised
from layering.registry.keychain import Keychain
from layering.registry.manifest import ImageIndex, parse_manifest
from layering.secrets import Secret
from tests.examples import at_least
from tests.parsers.mutations import documents
from tests.parsers.table import PARSERS
from tests.parts.oracle_client import Oracle, Refused
from tests.registry.test_keychain import login

_BY_NAME = {parser.name: parser for parser in PARSERS}
_NAMES = st.sampled_from(["realm", "service", "scope", "error", "Realm"])
_VALUES = st.text('ab:/,="\\ .-', min_size=1, max_size=8)
_PAIRS = st.tuples(_NAMES, _VALUES, st.booleans())
_TOKEN = set("abcdefghijklmnopqrstuvwxyz.-")


@given(
    st.sampled_from(["Bearer", "basic", "DIGEST"]), st.lists(_PAIRS, max_size=4), st.sampled_from([",", ", ", " , "])
)
@at_least(300)
def test_one_challenge_is_read_as_distribution_reads_it(
    oracle: Oracle, scheme: str, pairs: list[tuple[str, str, bool]], comma: str
) -> None:
    unique = {name.lower(): (name, value, plain) for name, value, plain in pairs}.values()
    header = f"{scheme} " + comma.join(f"{name}={_written(value, plain)}" for name, value, plain in unique)
    ours = [(one.scheme, dict(one.parameters)) for one in parse_challenges([header])]
    assert ours == [*oracle.challenges(header)]


def _written(value: str, plain: bool) -> str:
    if plain and set(value) <= _TOKEN:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(documents(_BY_NAME["manifests"]) | documents(_BY_NAME["indexes"]))
@at_least(500)
def test_a_manifest_is_read_as_container_tools_read_it(oracle: Oracle, raw: bytes) -> None:
    try:
        found = parse_manifest(raw, None)
    except ContentError:
        return
    named = found.manifests if isinstance(found, ImageIndex) else (found.config, *found.layers)
    try:
        theirs = oracle.manifest(raw, found.media_type)
    except Refused as refused:
        if not _is_refused_by_form(str(refused)):
            raise
        return
    assert [f"{one.media_type} {one.digest} {one.size}" for one in named] == [*theirs]


def _is_refused_by_form(refusal: str) -> bool:
    """They know fewer kinds of layers, and more fields whose types must fit; neither makes two images of one text."""
    return any(words in refusal for words in ("unmarshal", "unsupported", "unknown", "ambiguous", "incompatible"))


_REPOSITORIES = ["quay.io/a/b", "quay.io/a", "quay.io:444/a", "localhost:5000/x/y", "docker.io/library/x"]
_ENTRY_NAMES = st.sampled_from(
    [
        *("quay.io", "quay.io/a", "quay.io/a/b", "quay.io:444", "quay.io.x", "localhost:5000", "localhost"),
        *("docker.io", "https://index.docker.io/v1/", "https://quay.io", "http://quay.io:444/v2/", "quay.io/", "x.io"),
    ]
)
_ENTRIES = st.sampled_from(["a", "b", "c"]).map(login) | st.just({"auth": "", "identitytoken": "t"})


@given(st.dictionaries(_ENTRY_NAMES, _ENTRIES, max_size=5), st.sampled_from(_REPOSITORIES))
@example({"quay.io/a": login("a"), "quay.io": login("b")}, "quay.io/a/b")
@at_least(300)
def test_a_login_is_the_one_that_container_tools_take(oracle: Oracle, entries: dict[str, Any], repository: str) -> None:
    names = [normalised(name) for name in entries]
    if len(set(names)) != len(names):
        return  # they take one of two for the same host at random
    text = json.dumps({"auths": entries})
    theirs = oracle.credential(repository, text)
    try:
        found = Keychain(Secret(text)).find(Repository.parse(repository))
    except InputError:
        found = None
    if theirs[0]:
        assert found is not None
        assert found.password is not None
        assert (found.username, found.password.reveal()) == theirs[:2]
