"""Manifests, indexes and configurations: what is read, and that nothing is read that could be understood otherwise."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layering.errors import ContentError
from layering.platform import Platform
from layering.registry.manifest import (
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    ImageIndex,
    ImageManifest,
    parse_config,
    parse_manifest,
    sha256,
)

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
CONFIG = {"mediaType": OCI_CONFIG, "digest": A, "size": 7}
LAYER = {"mediaType": OCI_LAYER_GZIP, "digest": B, "size": 0, "annotations": {"k": "v"}}
IMAGE: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": CONFIG, "layers": [LAYER]}
ENTRY = {"mediaType": OCI_MANIFEST, "digest": A, "size": 7, "platform": {"os": "linux", "architecture": "amd64"}}
INDEX: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [ENTRY]}


def parsed(document: Any, content_type: str | None = None) -> ImageManifest | ImageIndex:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_manifest(raw, content_type, "registry.example.com/a")


def test_an_image() -> None:
    image = parsed({**IMAGE, "annotations": {"a": "b"}}, OCI_MANIFEST)
    assert isinstance(image, ImageManifest)
    assert image.digest == sha256(image.raw)
    assert (str(image.config.digest), image.config.size) == (A, 7)
    assert [(str(layer.digest), layer.annotations) for layer in image.layers] == [(B, {"k": "v"})]
    assert image.annotations == {"a": "b"}


def test_an_index() -> None:
    index = parsed(INDEX)
    assert isinstance(index, ImageIndex)
    assert [entry.platform for entry in index.manifests] == [Platform("linux", "amd64")]


DOCKER = {
    "schemaVersion": 2,
    "mediaType": DOCKER_MANIFEST,
    "config": {"mediaType": DOCKER_CONFIG, "digest": A, "size": 1},
    "layers": [{"mediaType": DOCKER_LAYER_GZIP, "digest": B, "size": 1, "urls": ["https://x"]}],
}
WITHOUT_TYPE = {key: value for key, value in IMAGE.items() if key != "mediaType"}


@pytest.mark.parametrize(
    ("document", "content_type", "media_type"),
    [
        (IMAGE, None, OCI_MANIFEST),
        (IMAGE, OCI_MANIFEST, OCI_MANIFEST),
        (IMAGE, f"{OCI_MANIFEST}; charset=utf-8", OCI_MANIFEST),
        (IMAGE, OCI_MANIFEST.upper(), OCI_MANIFEST),
        (IMAGE, "application/json", OCI_MANIFEST),
        (IMAGE, "text/plain", OCI_MANIFEST),
        (WITHOUT_TYPE, OCI_MANIFEST, OCI_MANIFEST),
        (WITHOUT_TYPE, DOCKER_MANIFEST, DOCKER_MANIFEST),
        (WITHOUT_TYPE, None, OCI_MANIFEST),
        (DOCKER, DOCKER_MANIFEST, DOCKER_MANIFEST),
        ({**INDEX, "mediaType": DOCKER_LIST}, DOCKER_LIST, DOCKER_LIST),
    ],
)
def test_its_type_is_what_all_that_speak_say(document: Any, content_type: str | None, media_type: str) -> None:
    assert parsed(document, content_type).media_type == media_type


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


REFUSED: dict[str, tuple[Any, str | None]] = {
    "not JSON": (b"{", None),
    "not text": (b"\xff\xfe{}", None),
    "UTF-16": (json.dumps(IMAGE).encode("utf-16"), None),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(IMAGE).encode(), None),
    "no object": ([IMAGE], None),
    "NaN": (json.dumps(IMAGE).replace("7", "NaN").encode(), None),
    "half a surrogate pair": ({**IMAGE, "annotations": {"a": "\ud800"}}, None),
    "deep": (b'{"a":' * 40 + b"1" + b"}" * 40, None),
    "very deep": (b"[" * 200_000, None),
    "a number without end": (b'{"schemaVersion": ' + b"9" * 5000 + b"}", None),
    "a key twice": (json.dumps(IMAGE).replace('"layers"', '"layers": [], "layers"').encode(), None),
    "a key twice, further in": (json.dumps(IMAGE).replace('"size": 7', '"size": 7, "size": 7').encode(), None),
    "another spelling": ({**IMAGE, "Layers": []}, None),
    "another spelling in a descriptor": ({**IMAGE, "config": {**CONFIG, "Digest": B}}, None),
    "another spelling in a layer": ({**IMAGE, "layers": [{**LAYER, "SIZE": 1}]}, None),
    "another spelling in a platform": (
        {**INDEX, "manifests": [{**ENTRY, "platform": {"os": "linux", "architecture": "amd64", "OS": "windows"}}]},
        None,
    ),
    "image and index": ({**IMAGE, "manifests": []}, None),
    "neither": ({"schemaVersion": 2}, None),
    "schema 1": ({"schemaVersion": 1, "fsLayers": []}, None),
    "schema 1 in disguise": ({**IMAGE, "fsLayers": []}, None),
    "schema 3": ({**IMAGE, "schemaVersion": 3}, None),
    "no schema version": (without(IMAGE, "schemaVersion"), None),
    "the header says otherwise": (IMAGE, DOCKER_MANIFEST),
    "the header says it is an index": (WITHOUT_TYPE, OCI_INDEX),
    "it says it is an index": ({**IMAGE, "mediaType": OCI_INDEX}, None),
    "another type": ({**IMAGE, "mediaType": "application/x"}, None),
    "a type that is no text": ({**IMAGE, "mediaType": [OCI_MANIFEST]}, None),
    "no config": (without(IMAGE, "config"), None),
    "no layers": (without(IMAGE, "layers"), None),
    "layers no list": ({**IMAGE, "layers": {}}, None),
    "a layer no object": ({**IMAGE, "layers": [A]}, None),
    "1001 layers": ({**IMAGE, "layers": [LAYER] * 1001}, None),
    "annotations no object": ({**IMAGE, "annotations": ["a"]}, None),
    "annotations of numbers": ({**IMAGE, "annotations": {"a": 1}}, None),
    **{
        f"size {size!r}": ({**IMAGE, "config": {**CONFIG, "size": size}}, None)
        for size in (-1, 1.0, True, "7", None, 2**53 + 1)
    },
    **{
        f"digest {digest!r}": ({**IMAGE, "config": {**CONFIG, "digest": digest}}, None)
        for digest in ("", "sha256:", A.upper(), A[:-1], f"md5:{'a' * 32}", f"{A}\n", f"{A}/..", None, 1)
    },
    "a descriptor without a type": ({**IMAGE, "config": without(CONFIG, "mediaType")}, None),
    "a platform that is text": ({**INDEX, "manifests": [{**ENTRY, "platform": "linux/amd64"}]}, None),
    **{
        f"architecture {word!r}": (
            {**INDEX, "manifests": [{**ENTRY, "platform": {"os": "linux", "architecture": word}}]},
            None,
        )
        for word in (1, ["amd64"], "amd64\n", "a|b", "../x", "AMD64", "<b>")
    },
}


@pytest.mark.parametrize(("document", "content_type"), REFUSED.values(), ids=REFUSED)
def test_refuses(document: Any, content_type: str | None) -> None:
    with pytest.raises(ContentError) as caught:
        parsed(document, content_type)
    assert "registry.example.com/a" in str(caught.value)


IMAGE_CONFIG: dict[str, Any] = {
    "os": "linux",
    "architecture": "arm64",
    "variant": "v8",
    "created": "2025-01-01T00:00:00Z",
    "config": {"Labels": {"a": "b", "A": "B"}},
    "rootfs": {"type": "layers", "diff_ids": [A]},
}


def test_a_configuration() -> None:
    config = parse_config(json.dumps(IMAGE_CONFIG).encode())
    assert (str(config.platform), config.labels, config.created) == (
        "linux/arm64/v8", {"a": "b", "A": "B"}, "2025-01-01T00:00:00Z",
    )  # fmt: skip
    assert [str(diff_id) for diff_id in config.diff_ids] == [A]


@pytest.mark.parametrize("inner", [None, {}, {"Labels": None}, {"Labels": {}}])
def test_a_configuration_without_labels(inner: Any) -> None:
    assert parse_config(json.dumps({**IMAGE_CONFIG, "config": inner}).encode()).labels == {}


@pytest.mark.parametrize(
    "over",
    [{"rootfs": None}, {"rootfs": {}}, {"rootfs": {"diff_ids": "x"}}, {"rootfs": {"diff_ids": [1]}}, {"config": []},
     {"config": {"Labels": [1]}}, {"config": {"Labels": {"a": None}}}, {"os": 1}, {"os": "Linux"}, {"OS": "linux"},
     {"Rootfs": {"diff_ids": []}}, {"architecture": "a\x1b[0m"}],
    ids=str,
)  # fmt: skip
def test_a_configuration_that_is_none(over: dict[str, Any]) -> None:
    with pytest.raises(ContentError):
        parse_config(json.dumps({**IMAGE_CONFIG, **over}).encode())


WORDS = st.sampled_from([A, OCI_MANIFEST, OCI_INDEX, "linux", "amd64", "", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**54) | st.floats() | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["mediaType", "digest", "size", "platform", "annotations", "os", "diff_ids", "Labels"]),
        inner, max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip
PARSERS: list[Callable[[bytes], object]] = [lambda raw: parse_manifest(raw, None), parse_config]


@given(JSON, st.sampled_from([*IMAGE, "manifests", "annotations", "rootfs", "os"]))
def test_arbitrary_json_is_read_or_refused_and_nothing_else(value: Any, key: str) -> None:
    for document in (value, {**IMAGE, key: value}, {**INDEX, key: value}, {**IMAGE_CONFIG, key: value}):
        for parse in PARSERS:
            with contextlib.suppress(ContentError):
                parse(json.dumps(document).encode())


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    for parse in PARSERS:
        with pytest.raises(ContentError):
            parse(raw)
