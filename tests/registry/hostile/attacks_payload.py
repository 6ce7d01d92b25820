"""Attacks from within: layers that inflate without end, tar streams that lie, payloads that contradict themselves."""

import functools
import gzip
import hashlib
import json
import tarfile
from collections.abc import Callable, Sequence
from typing import Any

from layering.errors import ContentError, LayerwatchError, RefusedError
from layering.registry.manifest import OCI_CONFIG, OCI_LAYER_GZIP, sha256
from layering.registry.server_http import Answer, Asked
from layering.release import RELEASE_LABEL
from layering.sample.images import release_layer
from tests.registry.hostile.goods import (
    LAYER,
    METADATA,
    OS_IMAGE,
    VERSION,
    Document,
    config,
    descriptor,
    dumped,
    image,
    references,
)
from tests.registry.hostile.rows import Does, Row, Scene

_MEBI = 1 << 20
_REFERENCES, _METADATA = "release-manifests/image-references", "release-manifests/release-metadata"
Layers = Callable[[], Sequence[bytes]]


def of_layers(
    layers: Layers,
    *,
    sent: Callable[[bytes], bytes] = lambda layer: layer,
    media_type: str = OCI_LAYER_GZIP,
    labels: Document | None = None,
    **over: Any,
) -> Does:
    """An image of these layers. They are made when they are asked for; `sent` changes what goes out of each."""

    @functools.cache
    def made() -> tuple[bytes, dict[str, bytes]]:
        found = layers()
        labelled = dumped(config(len(found), config={"Labels": labels or {RELEASE_LABEL: VERSION}}))
        described = [descriptor(layer, media_type, **over) for layer in found]
        manifest = dumped(image(described, config=descriptor(labelled, OCI_CONFIG)))
        blobs = {str(sha256(layer)): sent(layer) for layer in found}
        return manifest, {**blobs, str(sha256(labelled)): labelled}

    def does(scene: Scene, asked: Asked) -> Answer | None:
        manifest, blobs = made()
        if "/manifests/" in asked.target:
            return Answer(status=200, body=manifest)
        blob = blobs.get(asked.target.rpartition("/")[2])
        return None if blob is None else Answer(status=200, body=blob)

    return does


def header(name: str, size: int | bytes = 0, flag: bytes = b"0", **over: bytes) -> bytes:
    """A tar header by hand, with whatever a field is to say."""
    fields = {
        "name": name.encode().ljust(100, b"\0"),
        "mode": b"0000644\0",
        "uid": b"0000000\0",
        "gid": b"0000000\0",
        "size": size.ljust(12, b"\0") if isinstance(size, bytes) else b"%011o\0" % size,
        "mtime": b"00000000000\0",
        "sum": b" " * 8,
        "flag": flag,
        "link": b"\0" * 100,
        "magic": b"ustar\x0000",
        **over,
    }
    block = b"".join(fields.values()).ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:] if "sum" not in over else block


def member(name: str, content: bytes, flag: bytes = b"0") -> bytes:
    return header(name, len(content), flag) + content + b"\0" * (-len(content) % 512)


def pax(flag: bytes = b"x", **records: str) -> bytes:
    """An extension header."""
    content = b""
    for key, value in records.items():
        record = f" {key}={value}\n".encode()
        length = len(record) + len(str(len(record)))
        length = len(record) + len(str(length))
        content += str(length).encode() + record
    return member("pax", content, flag)


_END = b"\0" * 1024
GOOD = member(_REFERENCES, dumped(references())) + member(_METADATA, dumped(METADATA))


def packed(*parts: bytes) -> bytes:
    return gzip.compress(b"".join(parts), compresslevel=1, mtime=0)


def inflating(first: bytes, mebibytes: int) -> bytes:
    """A small layer that inflates to so many MiB of zeros behind `first`: gzip members in a row are one stream."""
    return packed(first) + gzip.compress(b"\0" * _MEBI, mtime=0) * mebibytes


def _payload(
    name: str, layers: Layers, do: str = "release", ends: type[LayerwatchError] = ContentError, **over: Any
) -> Row:
    return Row(name=f"payload: {name}", do=do, does=of_layers(layers, **over), ends=ends)


def _tar(name: str, *parts: bytes, do: str = "layers") -> Row:
    return _payload(f"tar with {name}", lambda: [packed(*parts, _END)], do)


def _files(name: str, stream: Any = None, metadata: Any = None, **over: Any) -> Row:
    """A payload whose files say this; text goes as it is."""

    def raw(document: Any, otherwise: Any) -> bytes:
        return document if isinstance(document, bytes) else dumped(otherwise if document is None else document)

    files = {"image-references": raw(stream, references()), "release-metadata": raw(metadata, METADATA)}
    return _payload(name, lambda: [release_layer(files).data], **over)


def _linked(kind: bytes) -> bytes:
    info = tarfile.TarInfo(_REFERENCES)
    info.type, info.linkname = kind, "etc/passwd"
    return info.tobuf(tarfile.GNU_FORMAT) + member(_METADATA, dumped(METADATA))


def _entries() -> Sequence[bytes]:
    """A million empty files."""
    thousand = gzip.compress(b"".join(header(f"f{number}") for number in range(1000)), mtime=0)
    return [thousand * 1000]


def _wide(size: int) -> bytes:
    """A document of plain letters and one that has all of them take four bytes in memory."""
    return json.dumps({**references(), "x": "\U0001f600" + "x" * size}, ensure_ascii=False).encode()


def _tag(name: Any = "rhel-coreos", image: Any = OS_IMAGE) -> Document:
    return {"name": name, "from": {"kind": "DockerImage", "name": image}}


_LINKS = {"symlink": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE,
          "device": tarfile.CHRTYPE, "directory": tarfile.DIRTYPE}  # fmt: skip
_HUGE_PAX = b"".join(
    pax(b"x", **{f"SCHILY.xattr.user.{number}": "\U0001f600" + "x" * 900_000}) for number in range(100)
)
_NOISE = hashlib.shake_256(b"noise").digest(_MEBI)
_LONG_PATH = "a/" * 500_000

_BOMBS = [
    _payload("1 GiB of zeros", lambda: [inflating(GOOD, 1024)]),
    _payload("1 GiB of zeros in one file", lambda: [inflating(GOOD + header("zeros", 1 << 30), 1024)]),
    _payload("129 MiB of zeros", lambda: [inflating(GOOD, 129)]),
    _payload("100 MiB of zeros in an OS image", lambda: [inflating(header("zeros", 100 * _MEBI), 100)], "layers"),
    _payload("100 GiB of zeros in an OS image", lambda: [inflating(header("zeros", (1 << 33) - 1), 2000)], "layers"),
    _payload("a million files", _entries),
    _payload("1,000 layers that inflate to 100 MiB each",
             lambda: [inflating(member("noise", _NOISE) + header("zeros", 99 * _MEBI), 99)] * 1000),
    _payload("a layer that is called 33 MiB", lambda: [LAYER], size=33 * _MEBI),
    _payload("a file of more than 16 MiB", lambda: [inflating(header(_REFERENCES, 16 * _MEBI + 1), 17)]),
    _payload("a file of 1 TiB", lambda: [packed(header(_REFERENCES, 1 << 32))]),
    _files("a file of 15 MiB in wide letters", _wide(15 * _MEBI)),
    _files("a file of 15 MiB in wide letters that are escaped", json.dumps(
        {**references(), "x": "\U0001f600" + "x" * (15 * _MEBI)}).encode()),
    _files("two files of 15 MiB", b'{"x": "' + b"x" * (15 * _MEBI) + b'"}', b'{"x": "' + b"y" * (15 * _MEBI) + b'"}'),
    _files("a file of 15 MiB of empty lists", b'{"x": [' + b"[]," * (5 * _MEBI) + b"1]}"),
    _files("a file of 15 MiB of one number", b'{"x": ' + b"9" * (15 * _MEBI) + b"}"),
    _files("nesting without end", b"[" * (15 * _MEBI)),
    _tar("headers of 100 MiB", _HUGE_PAX, GOOD),
    _tar("a global path of 1 MiB for every file", pax(b"g", path=_LONG_PATH), header("f") * 100_000),
    _tar("headers of the shortest records", member("pax", b"6 a=b\n" * 170_000, b"x") * 10, header("../f")),
    _tar("a header of 1 GiB", header("pax", 1 << 30, b"x")),
    _tar("a name of 1 GiB", header("name", 1 << 30, b"L")),
    _tar("a name of 1 MiB for one file", pax(path=_LONG_PATH), header("f")),
]  # fmt: skip

_TARS = [
    *(_tar(f"a {kind} in the file's place", _linked(flag), do="release") for kind, flag in _LINKS.items()),
    _tar("the file twice", member(_REFERENCES, b"{}"), GOOD, do="release"),
    _tar("the file twice, once with ./", member(f"./{_REFERENCES}", b"{}"), GOOD, do="release"),
    _tar("the file twice, once with //", member(_REFERENCES.replace("/", "//"), b"{}"), GOOD, do="release"),
    _tar("the file twice, once by a PAX path", pax(path=_REFERENCES), member("f", b"{}"), GOOD, do="release"),
    _tar("the file twice, once by a GNU name", member("L", _REFERENCES.encode(), b"L"), member("f", b"{}"), GOOD,
         do="release"),
    _tar("a path that leaves the root", header("../etc/passwd")),
    _tar("a path that leaves the root in the middle", header("usr/../../etc/passwd")),
    _tar("a path that leaves the root by PAX", pax(path="../etc/passwd"), header("f")),
    _tar("a path that leaves the root by GNU", member("L", b"../etc/passwd", b"L"), header("f")),
    _tar("a wrong checksum", header("f", sum=b"0000000\0")),
    _tar("a size that is not octal", header("f", size=b"9999999999\0")),
    _tar("a size that is negative", header("f", size=b"\xff" * 12)),
    _tar("a size beyond all disks", header("f", size=b"\x80" + b"\xff" * 11)),
    _tar("a size of PAX that is negative", pax(size="-1"), header("f")),
    _tar("a size of PAX that is no number", pax(size="\u0661"), header("f")),
    _tar("a size of PAX of 5,000 digits", pax(size="9" * 5000), header("f")),
    _tar("a size of PAX beyond its end", pax(size="9" * 18), header("f")),
    _tar("a PAX record that is too long", member("pax", b"99 path=x\n", b"x"), header("f")),
    _tar("a PAX record of no length", member("pax", b"path=x\n", b"x"), header("f")),
    _tar("a PAX record of length 0", member("pax", b"0 path=x\n", b"x"), header("f")),
    _tar("a PAX record of 5,000 digits", member("pax", b"9" * 5000 + b" path=x\n", b"x"), header("f")),
    _tar("noise", bytes(range(256)) * 8),
    _payload("no gzip", lambda: [GOOD + _END], "layers"),
    _payload("gzip that ends early", lambda: [packed(GOOD, _END)[:-20]], "layers"),
    _payload("gzip with noise behind it", lambda: [packed(GOOD, _END) + b"noise"], "layers"),
    _payload("gzip whose checksum is wrong", lambda: [packed(GOOD, _END)[:-8] + b"\0" * 8], "layers"),
    _payload("an end within a file", lambda: [packed(header("f", 5000) + b"x" * 100)], "layers"),
    _payload("other bytes behind the tar's end", lambda: [packed(GOOD, _END) + packed(b"\0" * 512)], "release",
             sent=lambda layer: packed(GOOD, _END) + packed(b"\1" * 512)),
    _payload("nothing behind the tar's end", lambda: [packed(GOOD, _END) + packed(b"\0" * 512)], "release",
             sent=lambda layer: packed(GOOD, _END)),
    _payload("a layer of a type nobody knows", lambda: [LAYER], media_type="application/vnd.example.layer"),
    _payload("a layer that is called zstd", lambda: [LAYER], media_type="application/vnd.oci.image.layer.v1.tar+zstd"),
    _payload("a layer that is called plain", lambda: [LAYER], media_type="application/vnd.oci.image.layer.v1.tar"),
    _payload("a layer that is nowhere", lambda: [LAYER + b"gone"], ends=RefusedError, digest=f"sha256:{'9' * 64}"),
]  # fmt: skip

_FILES = [
    _files("an image without a digest", references(_tag(image="quay.io/a/b:4.19"))),
    _files("an image with a digest that is none", references(_tag(image="quay.io/a/b@sha256:1"))),
    _files("an image that is an address", references(_tag(image=f"http://quay.io/a/b@sha256:{'a' * 64}"))),
    _files("an image that is null", references(_tag(image=None))),
    _files("a tag twice", references(_tag(), _tag())),
    _files("a tag twice, once of another kind", references({"name": "rhel-coreos", "from": {"kind": "X"}}, _tag())),
    _files("a tag without a name", references(_tag(name=None))),
    _files("a tag with a line break", references(_tag(name="rhel\ncoreos"))),
    _files("a tag with an escape sequence", references(_tag(name="\x1b[31m"))),
    _files("a tag as long as a book, twice", references(*[_tag(name="x" * _MEBI)] * 2)),
    _files("a tag full of addresses", references(_tag(name="a://" * 200_000, image="x"))),
    _files("tags that are an object", references(spec={"tags": {}})),
    _files("no tags", references(spec={})),
    _files("another kind", references(kind="ImageStreamList")),
    _files("another API", references(apiVersion="v1")),
    _files("a name twice", b'{"kind": "X", ' + dumped(references())[1:]),
    _files("another version in the references", references(metadata={"name": "4.19.3"})),
    _files("another version in the metadata", metadata={**METADATA, "version": "4.19.3"}),
    _files("no version in the metadata", metadata={"kind": "cincinnati-metadata-v0"}),
    _files("another version in the label", labels={RELEASE_LABEL: "4.19.3"}),
    _files("a version as long as a book", metadata={**METADATA, "version": "4" * _MEBI}),
    _files("a version that is a path", references(metadata={"name": "../x"}), {**METADATA, "version": "../x"},
           labels={RELEASE_LABEL: "../x"}),
    _files("not JSON", b"kind: ImageStream"),
    _files("nothing", b""),
    _files("not UTF-8", b'{"x": "\xff"}'),
]  # fmt: skip

PAYLOAD_ATTACKS = [*_BOMBS, *_TARS, *_FILES]
