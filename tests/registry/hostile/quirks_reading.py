"""Manifests, layers and HTTP as some registries have them."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from layering.registry.manifest import DOCKER_MANIFEST, OCI_LAYER, OCI_MANIFEST, sha256
from layering.registry.server_http import Answer, Asked, error
from tests.registry.hostile.attacks_payload import GOOD, header, member, of_layers, packed, pax
from tests.registry.hostile.goods import (
    AMD64,
    INDEX,
    LAYER,
    MANIFEST,
    METADATA,
    config,
    descriptor,
    dumped,
    image,
    references,
)
from tests.registry.hostile.rows import Does, Row, Scene, on


def _headed(name: str, does: Does, **over: Any) -> Row:
    return Row(name=f"manifest: {name}", does=does, **over)


def _manifest(status: int = 200, body: bytes = MANIFEST, **headers: str) -> Answer:
    return Answer(status=status, headers={key.replace("_", "-"): value for key, value in headers.items()}, body=body)


def _head_says(status: int) -> Does:
    return on("/manifests/", error(status, "UNSUPPORTED", "no HEAD here"), "HEAD")


def _untyped(**over: Any) -> bytes:
    document = image(**over)
    del document["mediaType"]
    return dumped(document)


def _served(manifest: bytes, *blobs: bytes, **headers: str) -> Does:
    by_digest = {str(sha256(blob)): blob for blob in blobs}

    def does(scene: Scene, asked: Asked) -> Answer | None:
        if "/manifests/t" in asked.target:
            return _manifest(200, manifest, **headers)
        blob = by_digest.get(asked.target.rpartition("/")[2])
        return None if blob is None else Answer(status=200, body=blob)

    return does


_UNTYPED = _untyped()
_LANGUAGES = json.dumps(image(annotations={"x": "\u00e9\u4e16\U0001f600"}), ensure_ascii=False).encode()
_DOCKER = dumped(image(mediaType=DOCKER_MANIFEST))
_MANIFESTS = [
    _headed("no digest in the answer to HEAD, as Red Hat's", on("/manifests/", _manifest(Content_Type=OCI_MANIFEST))),
    _headed("no type in the answer to HEAD", on("/manifests/", _manifest(Docker_Content_Digest=str(sha256(MANIFEST))))),
    *(_headed(f"{status} to HEAD", _head_says(status)) for status in (405, 501)),
    _headed("a type with a character set", on("/manifests/", _manifest(
        Content_Type=f"{OCI_MANIFEST}; charset=utf-8", Docker_Content_Digest=str(sha256(MANIFEST))))),
    _headed("a type in upper case", on("/manifests/", _manifest(
        Content_Type=OCI_MANIFEST.upper(), Docker_Content_Digest=str(sha256(MANIFEST))))),
    _headed("called JSON", on("/manifests/", _manifest(Content_Type="application/json")), do="manifest"),
    _headed("called text", on("/manifests/", _manifest(Content_Type="text/plain; charset=utf-8")), do="manifest"),
    _headed("called nothing", on("/manifests/", _manifest()), do="manifest"),
    _headed("without its own type", _served(_UNTYPED, Content_Type=OCI_MANIFEST), do="manifest",
            gives=str(sha256(_UNTYPED))),
    _headed("without any type", _served(_UNTYPED), do="manifest", gives=str(sha256(_UNTYPED))),
    _headed("docker's types", _served(_DOCKER, Content_Type=DOCKER_MANIFEST), do="manifest",
            gives=str(sha256(_DOCKER))),
    _headed("fields nobody knows", _served(dumped(image(future={"a": [1]}))), do="manifest",
            gives=str(sha256(dumped(image(future={"a": [1]}))))),
    _headed("letters of all languages", _served(_LANGUAGES), do="manifest", gives=str(sha256(_LANGUAGES))),
    _headed("null annotations", _served(dumped(image(annotations=None))), do="manifest",
            gives=str(sha256(dumped(image(annotations=None))))),
    _headed("1,000 layers", _served(dumped(image([descriptor(LAYER)] * 1000))), do="manifest",
            gives=str(sha256(dumped(image([descriptor(LAYER)] * 1000))))),
    _headed("an index", _served(INDEX), do="image"),
    _headed("an index with attestations", _served(dumped({"schemaVersion": 2, "manifests": [
        descriptor(MANIFEST, OCI_MANIFEST, platform=AMD64),
        descriptor(b"provenance", OCI_MANIFEST, platform={"os": "unknown", "architecture": "unknown"})]})), do="image"),
    _headed("a warning", on("/none/", Answer(status=200)), do="manifest"),
    _headed("cookies, as Harbor", on("/manifests/", _manifest(Set_Cookie="sid=pl4nted-s3cret; Path=/")),
            do="resolve twice"),
    _headed("what no client asked for", on("/manifests/", _manifest(
        Warning='299 - "this registry will be switched off"', Alt_Svc='h3=":443"',
        Docker_Distribution_Api_Version="registry/2.0", X_Request_Id="1", Etag='W/"1"', Link='</x>; rel="preload"')),
        do="manifest"),
    _headed("a configuration that is null where it is empty", _served(
        dumped(image(raw_config=dumped(config(config=None)))), dumped(config(config=None))), do="config"),
]  # fmt: skip


def _raw(head: str, *pieces: bytes) -> Callable[[Asked], Iterable[bytes]]:
    """These bytes to a GET of the manifest, and to a HEAD what comes before the body."""
    start = head.replace("\n", "\r\n").encode() + b"\r\n\r\n"
    return lambda asked: [start] if asked.method == "HEAD" else [start, *pieces]


def _wire(name: str, head: str, *pieces: bytes, do: str = "manifest") -> Row:
    return Row(name=f"wire: {name}", do=do, raw=_raw(head, *pieces))


_CHUNKED = b"%x\r\n%s\r\n" % (len(MANIFEST), MANIFEST)
_LENGTH = f"Content-Length: {len(MANIFEST)}"


def _resumed(asked: Asked) -> Iterable[bytes]:
    """Half of the blob at a time, in ranges."""
    start = int(asked.headers.get("range", "bytes=0-")[6:-1])
    left = len(LAYER) - start
    half = LAYER[start : start + max(left // 2, 1) if left > 100 else None]
    status = f"206 P\r\nContent-Range: bytes {start}-{len(LAYER) - 1}/{len(LAYER)}" if start else "200 OK"
    return [f"HTTP/1.1 {status}\r\nContent-Length: {left}\r\n\r\n".encode(), half]


def _broken_once(asked: Asked) -> Iterable[bytes]:
    """Without ranges: the first answer breaks off, the next one is whole."""
    _BROKEN.append(asked.target)
    whole = len(_BROKEN) % 2 == 0
    return [f"HTTP/1.1 200 OK\r\nContent-Length: {len(LAYER)}\r\n\r\n".encode(), LAYER if whole else LAYER[:50]]


_BROKEN: list[str] = []
_WIRE = [
    _wire("HTTP/1.0 that ends with the connection", "HTTP/1.0 200 OK", MANIFEST),
    _wire("no length", "HTTP/1.1 200 OK\nConnection: close", MANIFEST),
    _wire("chunks", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked", _CHUNKED, b"0\r\n\r\n"),
    _wire("chunks in upper case with extensions and trailers", "HTTP/1.1 200 OK\nTransfer-Encoding: Chunked",
          b"%X;a=b\r\n%s\r\n" % (len(MANIFEST), MANIFEST), b"0\r\nX-Trailer: y\r\n\r\n"),
    _wire("small pieces", f"HTTP/1.1 200 OK\n{_LENGTH}", *(bytes([byte]) for byte in MANIFEST)),
    _wire("header names in lower case", f"HTTP/1.1 200 OK\ncontent-type: {OCI_MANIFEST}\n{_LENGTH.lower()}", MANIFEST),
    _wire("no reason behind the status", f"HTTP/1.1 200\n{_LENGTH}", MANIFEST),
    _wire("no blank behind a header's name", f"HTTP/1.1 200 OK\nX:y\n{_LENGTH.replace(' ', '')}", MANIFEST),
    _wire("a header over two lines", f"HTTP/1.1 200 OK\nX: y\n  z\n{_LENGTH}", MANIFEST),
    _wire("a header twice", f"HTTP/1.1 200 OK\nVary: a\nVary: b\n{_LENGTH}", MANIFEST),
    _wire("90 headers", "HTTP/1.1 200 OK\n" + "X: y\n" * 90 + _LENGTH, MANIFEST),
    _wire("letters that are not ASCII in a header", f"HTTP/1.1 200 OK\nX-Name: caf\u00e9\n{_LENGTH}", MANIFEST),
    _wire("a continuation first", f"HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\n{_LENGTH}", MANIFEST),
    _wire("identity as encoding", f"HTTP/1.1 200 OK\nContent-Encoding: identity\n{_LENGTH}", MANIFEST),
    Row(name="wire: a blob in ranges", do="stream_blob", raw=_resumed),
    Row(name="wire: a blob that breaks off once, without ranges", do="stream_blob", raw=_broken_once),
]  # fmt: skip

_END = b"\0" * 1024
_REFERENCES_PATH, _METADATA_PATH = "release-manifests/image-references", "release-manifests/release-metadata"
_STREAM, _META = dumped(references()), dumped(METADATA)
_DOTTED = member(f"./{_REFERENCES_PATH}", _STREAM) + member(f"./{_METADATA_PATH}", _META)


def _layered(name: str, layers: list[bytes], over: dict[str, Any]) -> Row:
    return Row(name=f"layer: {name}", do="release", does=of_layers(lambda: layers, **over))


_LAYERS = [
    _layered(name, layers, over)
    for name, layers, over in (
        ("gzip members in a row", [packed(GOOD[:700]) + packed(GOOD[700:]) + packed(_END)], {}),
        ("./ before the names", [packed(_DOTTED, _END)], {}),
        ("PAX headers", [packed(pax(b"g", comment="x"), pax(b"x", mtime="1.5", path=_REFERENCES_PATH),
                                member("short", _STREAM), member(_METADATA_PATH, _META), _END)], {}),
        ("GNU names", [packed(member("L", _REFERENCES_PATH.encode() + b"\0", b"L"), member("short", _STREAM),
                              member(_METADATA_PATH, _META), _END)], {}),
        ("1 MiB of zeros at the end", [packed(GOOD, b"\0" * (1 << 20))], {}),
        ("no end mark", [packed(GOOD)], {}),
        ("plain tar", [GOOD + _END], {"media_type": OCI_LAYER}),
        ("docker's type", [packed(GOOD, _END)], {"media_type": "application/vnd.docker.image.rootfs.diff.tar.gzip"}),
        ("in the layer below", [packed(GOOD, _END), packed(header("etc/", 0, b"5"), _END)], {}),
        ("noise in extended attributes",
         [packed(pax(b"x", **{"SCHILY.xattr.user.x": "\u00ff\u4e16"}), GOOD, _END)], {}),
    )
]  # fmt: skip

READING_QUIRKS = [*_MANIFESTS, *_WIRE, *_LAYERS]
