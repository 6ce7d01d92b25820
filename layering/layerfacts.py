"""What one layer says about paths: its directories, symbolic links, files and deletions, without its contents.

Enough to tell what stands at a path of an image, so that a layer can be put on top of it without unpacking it. Files
are kept as 64-bit hashes of their paths: two paths that share one make a path look like a file, and a file where none
is expected makes the composer refuse, so a collision is safe. This module asks no registry and keeps no cache.
"""

import base64
import hashlib
import json
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from layering.errors import ContentError
from layering.tarheaders import TarHeader, read_headers

FORMAT_VERSION = 1
_WHITEOUT = ".wh."  # image-spec, layer.md, "Whiteouts"
_OPAQUE = ".wh..wh..opq"


class Standing(StrEnum):
    """What stands at a path. `IMPLIED`: a directory that only its children mention, so its mode is anybody's guess."""

    DIRECTORY = "d"
    SYMLINK = "l"
    FILE = "f"
    IMPLIED = "i"


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One path. Mode and owner are known for a `DIRECTORY`, `target` for a `SYMLINK`."""

    standing: Standing
    mode: int = 0
    uid: int = 0
    gid: int = 0
    has_xattrs: bool = False
    target: str = ""


LookUp = Callable[[str], Node | None]
"""What says what stands at a path; None for nothing."""

FILE = Node(standing=Standing.FILE)
IMPLIED = Node(standing=Standing.IMPLIED)
_AS_IMPLIED = Node(standing=Standing.DIRECTORY, mode=0o755)


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerFacts:
    """One layer. `files` are sorted hashes of paths; `deleted` and what is below `opaque` hide lower layers."""

    nodes: dict[str, Node] = field(default_factory=dict)
    files: "array[int]" = field(default_factory=lambda: array("Q"))
    deleted: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()

    def at(self, path: str) -> Node | None:
        """What this layer puts at `path`; None when it says nothing about it."""
        node = self.nodes.get(path)
        return node if node or not self._has_file(path) else FILE

    def hides(self, path: str) -> bool:
        """Whether this layer takes away what lower layers have at `path`."""
        return path in self.deleted or any(
            parent in self.deleted or parent in self.opaque or self._replaces(parent) for parent in parents(path)
        )

    def _replaces(self, parent: str) -> bool:
        node = self.at(parent)
        return node is not None and node.standing in (Standing.FILE, Standing.SYMLINK)

    def _has_file(self, path: str) -> bool:
        wanted = _path_hash(path)
        index = bisect_left(self.files, wanted)
        return index < len(self.files) and self.files[index] == wanted


def parents(path: str) -> Iterator[str]:
    """`a`, `a/b` of `a/b/c`."""
    cut = path.find("/")
    while cut != -1:
        yield path[:cut]
        cut = path.find("/", cut + 1)


def look_up(layers_top_first: Iterable[LayerFacts], path: str) -> Node | None:
    """What stands at `path` when the layers lie on each other; None for nothing.

    Container storages disagree on a directory that a layer implies: overlay makes it anew (0755, root's), others keep
    the lower one. Where the lower one is just that, they agree, and it is known after all.
    """
    implied: Node | None = None
    for facts in layers_top_first:
        node = facts.at(path)
        if node is not None and node.standing is not Standing.IMPLIED:
            return node if implied is None or node == _AS_IMPLIED else implied
        implied = implied or node
        if facts.hides(path):
            break
    return implied


def read_facts(tar: Iterable[bytes], *, where: str) -> LayerFacts:
    """Read one uncompressed layer to its end. Raises ContentError."""
    collector = _Collector()
    for header in read_headers(tar, where=where):
        if header.path:
            collector.add(header)
    return collector.facts()


class _Collector:
    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._files = array("Q")
        self._deleted: set[str] = set()
        self._opaque: set[str] = set()

    def add(self, header: TarHeader) -> None:
        """Take in one member; a later one of the same path wins."""
        directory, _, name = header.path.rpartition("/")
        self._imply(header.path)
        if name == _OPAQUE:
            self._opaque.add(directory)
        elif name.startswith(_WHITEOUT):
            self._deleted.add(f"{directory}/{name[len(_WHITEOUT) :]}".lstrip("/"))
        elif node := self._node(header):
            self._nodes[header.path] = node
        else:
            self._nodes.pop(header.path, None)
            self._files.append(_path_hash(header.path))

    def facts(self) -> LayerFacts:
        """All that was taken in."""
        return LayerFacts(
            nodes=self._nodes,
            files=array("Q", sorted(self._files)),
            deleted=frozenset(self._deleted),
            opaque=frozenset(self._opaque),
        )

    def _imply(self, path: str) -> None:
        for parent in parents(path):
            self._nodes.setdefault(parent, IMPLIED)

    def _node(self, header: TarHeader) -> Node | None:
        if header.flag == "5":
            return Node(
                standing=Standing.DIRECTORY,
                mode=header.mode,
                uid=header.uid,
                gid=header.gid,
                has_xattrs=header.has_xattrs,
            )
        if header.flag == "2":
            return Node(standing=Standing.SYMLINK, target=header.link)
        if header.flag == "1":  # a hard link to a symbolic link is one
            linked = self._nodes.get("/".join(part for part in header.link.split("/") if part not in ("", ".")))
            return linked if linked and linked.standing is Standing.SYMLINK else None
        return None


def _path_hash(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")


def dump_facts(facts: LayerFacts) -> bytes:
    """The facts as bytes that `load_facts` reads back."""
    document = {
        "format": FORMAT_VERSION,
        "nodes": {
            path: [node.standing, node.mode, node.uid, node.gid, node.has_xattrs, node.target]
            for path, node in facts.nodes.items()
        },
        "files": base64.b64encode(_swapped(facts.files).tobytes()).decode(),
        "deleted": sorted(facts.deleted),
        "opaque": sorted(facts.opaque),
    }
    packed = zlib.compress(json.dumps(document, separators=(",", ":")).encode())
    return hashlib.sha256(packed).digest() + packed


def load_facts(data: bytes) -> LayerFacts:
    """Read what `dump_facts` wrote. Raises ContentError for anything else, a damaged file included."""
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        raise ContentError("not the facts of a layer, or damaged ones")
    try:
        document: dict[str, Any] = json.loads(zlib.decompress(data[32:]))
        if document["format"] != FORMAT_VERSION:
            raise ContentError(f"facts in format {document['format']!r:.40}, this is {FORMAT_VERSION}")
        return LayerFacts(
            nodes={path: _loaded_node(*values) for path, values in document["nodes"].items()},
            files=_swapped(array("Q", base64.b64decode(document["files"]))),
            deleted=frozenset(document["deleted"]),
            opaque=frozenset(document["opaque"]),
        )
    except (zlib.error, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ContentError("not the facts of a layer") from None


def _loaded_node(standing: str, mode: int, uid: int, gid: int, has_xattrs: bool, target: str) -> Node:
    return Node(standing=Standing(standing), mode=mode, uid=uid, gid=gid, has_xattrs=has_xattrs, target=target)


def _swapped(hashes: "array[int]") -> "array[int]":
    """A copy in big-endian order (and back), so that a cache can be shared between machines."""
    copy = array("Q", hashes)
    if sys.byteorder == "little":
        copy.byteswap()
    return copy
