"""Attacks by what is said of an image: manifests, indexes and configurations that are false, ambiguous or too large."""

from typing import Any

from layering.errors import ContentError, LayerwatchError, RefusedError
from layering.registry.manifest import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, sha256
from layering.registry.server_http import Answer, Asked
from tests.registry.hostile.goods import AMD64, CONFIG, LAYER, MANIFEST, config, descriptor, dumped, image
from tests.registry.hostile.rows import Does, Row, Scene, on

_HEADERS = {"Content-Type": OCI_MANIFEST}
_MEBI = 1 << 20


def served(*, manifest: bytes, blobs: tuple[bytes, ...] = (), headers: dict[str, str] | None = None) -> Does:
    """This manifest for every name that is asked for, and these blobs by their digests."""
    by_digest = {str(sha256(blob)): blob for blob in blobs}

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if "/manifests/" in asked.target:
            return Answer(status=200, headers=headers or {}, body=manifest)
        blob = by_digest.get(asked.target.rpartition("/")[2])
        return None if blob is None else Answer(status=200, body=blob)

    return does


def _said(name: str, manifest: bytes, *, do: str = "manifest", **headers: str) -> Row:
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return Row(name=f"manifest: {name}", do=do, does=served(manifest=manifest, headers=given), ends=ContentError)


def _changed(old: str, new: str) -> bytes:
    text = MANIFEST.decode()
    assert old in text
    return text.replace(old, new, 1).encode()


def _layer(**over: Any) -> bytes:
    return dumped(image([{**descriptor(LAYER), **over}]))


def _nested(depth: int) -> bytes:
    return _changed('"schemaVersion"', f'"x": {"[" * depth}{"]" * depth}, "schemaVersion"')


def _filled(value: bytes) -> bytes:
    """Nearly 4 MiB of the same."""
    return MANIFEST.replace(b'"schemaVersion"', b'"x": [' + value * (4_100_000 // len(value)) + b'1], "schemaVersion"')


_SIZE, _DIGEST = f'"size": {len(LAYER)}', str(sha256(LAYER))
_MANIFESTS = [
    _said("other bytes than the digest's", MANIFEST + b"\n", do="manifest by digest"),
    _said("a digest that the header contradicts", MANIFEST, Docker_Content_Digest=f"sha256:{'0' * 64}"),
    _said("a digest that is too short", MANIFEST, Docker_Content_Digest="sha256:1"),
    _said("a digest in upper case", MANIFEST, Docker_Content_Digest=str(sha256(MANIFEST)).upper()),
    _said("a digest of an algorithm that is broken", MANIFEST, Docker_Content_Digest=f"md5:{'0' * 32}"),
    _said("a digest that is a path", MANIFEST, Docker_Content_Digest="sha256:../../../etc/passwd"),
    _said("an index by its header only", MANIFEST, Content_Type=OCI_INDEX),
    _said("an image by its header only", dumped({"schemaVersion": 2, "manifests": []}), Content_Type=OCI_MANIFEST),
    _said("a web page", b"<html>log in</html>", Content_Type="text/html"),
    _said("nothing", b""),
    _said("null", b"null"),
    _said("a list", b"[]"),
    _said("a text", b'"manifest"'),
    _said("not UTF-8", MANIFEST.replace(b"linux", b"l\xffnux") + b"\xff"),
    _said("UTF-16", MANIFEST.decode().encode("utf-16")),
    _said("a byte order mark", b"\xef\xbb\xbf" + MANIFEST),
    _said("two documents", MANIFEST + MANIFEST),
    _said("a comment", b"/* */" + MANIFEST),
    _said("cut short", MANIFEST[:-1]),
    _said("NaN", _changed(_SIZE, '"size": NaN')),
    _said("a number with 5,000 digits", _changed(_SIZE, f'"size": {"9" * 5000}')),
    _said("half of a surrogate pair", _changed('"schemaVersion"', '"x": "\\ud800", "schemaVersion"')),
    _said("a key twice", _changed('"layers"', '"layers": [], "layers"')),
    _said("a key twice in a layer", _changed(_SIZE, f'"size": 1, {_SIZE}')),
    _said("a key in another case", _changed('"layers"', '"Layers": [], "layers"')),
    _said("a key in upper case", _changed('"layers"', '"LAYERS"')),
    _said("a key with a long s", _changed('"layers"', '"layer\u017f": [], "layers"')),
    _said("a digest's key with a long s", _changed(_SIZE, f'{_SIZE}, "\u017fize": 1')),
    _said("a key with the sign for kelvin", _changed('"schemaVersion"', '"FsLayers": [], "schemaVersion"')),
    _said("a digest's key in another case", _changed('"digest"', '"Digest": "sha256:1", "digest"')),
    _said("layers and manifests", _changed('"layers"', '"manifests": [], "layers"')),
    _said("layers and schema 1's layers", _changed('"layers"', '"fsLayers": [], "layers"')),
    _said("neither layers nor manifests", b'{"schemaVersion": 2}'),
    _said("schema 1", b'{"schemaVersion": 1, "name": "a/b", "tag": "t", "fsLayers": [], "history": []}'),
    _said("schema 3", _changed('"schemaVersion": 2', '"schemaVersion": 3')),
    _said("schema true", _changed('"schemaVersion": 2', '"schemaVersion": true')),
    _said("schema 2.0", _changed('"schemaVersion": 2', '"schemaVersion": 2.0')),
    _said("schema as a text", _changed('"schemaVersion": 2', '"schemaVersion": "2"')),
    _said("no schema", _changed('"schemaVersion": 2, ', "")),
    _said("a media type of another thing", _changed(OCI_MANIFEST, "application/vnd.example.thing")),
    _said("a media type that is a list", _changed(f'"{OCI_MANIFEST}"', "[]")),
    _said("a media type as long as a book", _changed(OCI_MANIFEST, "x" * (2 * _MEBI))),
    _said("a media type full of addresses", _changed(OCI_MANIFEST, "a://" * (_MEBI // 2))),
    _said("an image that calls itself an index", _changed(OCI_MANIFEST, OCI_INDEX)),
    _said("a negative size", _layer(size=-1)),
    _said("a size that is half a byte", _layer(size=1.5)),
    _said("a size that is true", _layer(size=True)),
    _said("a size that is a text", _layer(size="1")),
    _said("a size beyond 2^53", _layer(size=2**53 + 1)),
    _said("a layer without a digest", _layer(digest=None)),
    _said("a layer whose digest is a path", _layer(digest="sha256:../../etc/passwd")),
    _said("a layer whose digest is in upper case", _layer(digest=_DIGEST.upper())),
    _said("a layer whose digest ends in a line break", _layer(digest=_DIGEST + "\n")),
    _said("a layer whose digest is sha1", _layer(digest=f"sha1:{'0' * 40}")),
    _said("a layer without a type", _layer(mediaType=None)),
    _said("a layer that is a text", dumped(image(["x"]))),  # type: ignore[list-item]
    _said("layers that are an object", dumped({**image(), "layers": {}})),
    _said("no config", dumped({**image(), "config": None})),
    _said("annotations that are numbers", dumped(image(annotations={"x": 1}))),
    _said("annotations that are a list", dumped(image(annotations=["x"]))),
    _said("1,001 layers", dumped(image([descriptor(LAYER)] * 1001))),
    _said("nesting without end", b"[" * (4 * _MEBI)),
    _said("nesting in objects without end", b'{"a":' * (_MEBI // 2)),
    _said("nesting deeper than 32", _nested(32)),
    _said("4 MiB of empty lists", _filled(b"[],")),
    _said("4 MiB of small objects", _filled(b'{"":0},')),
    _said("4 MiB of small texts", _filled(b'"x",')),
    _said("4 MiB of numbers", _filled(b"1.5,")),
    _said("60 MiB", MANIFEST + b" " * (60 * _MEBI)),
    _said("60 MiB that are compressed", MANIFEST, Content_Encoding="gzip"),
    _said("an encoding nobody knows", MANIFEST, Content_Encoding="br"),
]  # fmt: skip

_HEAD = {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": str(sha256(MANIFEST))}


def _head(name: str, do: str = "resolve", length: int = len(MANIFEST), **over: str) -> Row:
    headers = {**_HEAD, **{key.replace("_", "-"): value for key, value in over.items()}}
    return Row(
        name=f"head: {name}",
        do=do,
        does=on("/manifests/", Answer(status=200, headers=headers, length=length)),
        ends=ContentError,
    )


_HEADS = [
    _head("60 MiB", length=60 * _MEBI),
    _head("another digest than was asked for", "resolve a digest", Docker_Content_Digest=f"sha256:{'0' * 64}"),
    _head("a digest that is none", Docker_Content_Digest="latest"),
    _head("a digest with what follows it", Docker_Content_Digest=f"sha256:{'0' * 64}, sha256:{'1' * 64}"),
]


def _index(*entries: dict[str, Any], **over: Any) -> bytes:
    return dumped({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries), **over})


def _indexed(name: str, index: bytes, child: Answer | None = None, ends: type[LayerwatchError] = ContentError) -> Row:
    def does(scene: Scene, asked: Asked) -> Answer | None:
        if "/manifests/t" in asked.target:
            return Answer(status=200, headers={"Content-Type": OCI_INDEX}, body=index)
        return child if child is not None and "/manifests/" in asked.target else None

    return Row(name=f"index: {name}", do="image", does=does, ends=ends)


_INNER = _index(descriptor(MANIFEST, OCI_MANIFEST, platform=AMD64))
_OTHER = dumped(image(annotations={"other": "image"}))
_INDEXES = [
    _indexed("an index inside", _index(descriptor(_INNER, OCI_INDEX, platform=AMD64)), Answer(status=200, body=_INNER)),
    _indexed("other bytes inside", _index(descriptor(MANIFEST, OCI_MANIFEST, platform=AMD64)),
             Answer(status=200, headers=_HEADERS, body=_OTHER)),
    _indexed("a size that is not the image's", _index(descriptor(MANIFEST, OCI_MANIFEST, platform=AMD64, size=7))),
    _indexed("an image that is called an index", _index(descriptor(MANIFEST, OCI_INDEX, platform=AMD64))),
    _indexed("an image that is not there", _index(descriptor(b"gone", OCI_MANIFEST, platform=AMD64)), None,
             RefusedError),
    _indexed("layers beside", _index(descriptor(MANIFEST, OCI_MANIFEST, platform=AMD64), layers=[])),
    _indexed("a platform that is a text", _index(descriptor(MANIFEST, OCI_MANIFEST, platform="linux/amd64"))),
    _indexed("a platform with an escape sequence",
             _index(descriptor(MANIFEST, OCI_MANIFEST, platform={"os": "linux", "architecture": "\x1b[31m"}))),
    _indexed("a platform's key in another case",
             _index(descriptor(MANIFEST, OCI_MANIFEST, platform={**AMD64, "Architecture": "arm64"}))),
    _indexed("1,001 images", _index(*[descriptor(MANIFEST, OCI_MANIFEST)] * 1001)),
]  # fmt: skip


def _configured(name: str, raw: bytes, sent: bytes | None = None, **over: Any) -> Row:
    described = {**descriptor(raw, OCI_CONFIG), **over}
    manifest = dumped(image(config=described))

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if "/manifests/" in asked.target:
            return Answer(status=200, headers=_HEADERS, body=manifest)
        return Answer(status=200, body=raw if sent is None else sent) if "/blobs/" in asked.target else None

    return Row(name=f"config: {name}", do="config", does=does, ends=ContentError)


_CONFIGS = [
    _configured("other bytes", CONFIG, CONFIG.replace(b"amd64", b"arm64")),
    _configured("shorter than it says", CONFIG, CONFIG[:-1]),
    _configured("longer than it says", CONFIG, CONFIG + b" "),
    _configured("a size that is not its own", CONFIG, size=len(CONFIG) + 1),
    _configured("5 MiB", CONFIG, size=5 * _MEBI),
    _configured("5 MiB that are called 4", CONFIG + b" " * (5 * _MEBI), size=4 * _MEBI),
    _configured("not JSON", b"config"),
    _configured("no layers", dumped({"os": "linux"})),
    _configured("labels that are numbers", dumped(config(config={"Labels": {"x": 1}}))),
    _configured("labels twice", CONFIG.replace(b'"Labels"', b'"Labels": {}, "Labels"')),
    _configured("labels in another case", CONFIG.replace(b'"Labels"', b'"labels": {"x": "y"}, "Labels"')),
    _configured("labels with a long s", CONFIG.replace(b'"Labels"', '"Label\u017f": {"x": "y"}, "Labels"'.encode())),
    _configured("a layer that is no digest", dumped(config(rootfs={"diff_ids": ["x"]}))),
    _configured("another system", dumped(config(os="../windows"))),
    _configured("nesting without end", b'{"x":' + b"[" * _MEBI),
]

MANIFEST_ATTACKS = [*_MANIFESTS, *_HEADS, *_INDEXES, *_CONFIGS]
