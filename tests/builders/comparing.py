"""Whether two built images are the same: configuration, and every entry of the new layer."""

import hashlib
import json
import tarfile
from typing import Any

from pipeline.builders.image import BuiltImage


def comparable(image: BuiltImage) -> dict[str, Any]:
    """The configuration without buildah's own label and without the texts of the history."""
    document: dict[str, Any] = json.loads(image.config)
    document["config"].get("Labels", {}).pop("io.buildah.version", None)
    for entry in document["history"]:
        entry.pop("created_by", None)
        entry.pop("comment", None)
    return document


def difference(composed: BuiltImage, built: BuiltImage) -> str:
    """What differs, for people; empty when nothing does. Equal `diff_id`s are equal trees to the last bit."""
    ours, theirs = comparable(composed), comparable(built)
    said = [] if composed.layers[0].written.diff_id == built.layers[0].written.diff_id else _trees(composed, built)
    for document in (ours, theirs):
        document.pop("rootfs")
    said += [f"{key}: composed {ours.get(key)}, built {theirs.get(key)}"
             for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]  # fmt: skip
    return "\n".join(said)


def _trees(composed: BuiltImage, built: BuiltImage) -> list[str]:
    ours, theirs = _listing(composed), _listing(built)
    said = [f"/{path}: composed {ours.get(path)}, built {theirs.get(path)}"
            for path in sorted({*ours, *theirs}) if ours.get(path) != theirs.get(path)]  # fmt: skip
    return said or ["the layers list the same entries and are not the same tar"]


def _listing(image: BuiltImage) -> dict[str, tuple[object, ...]]:
    """Path to type, mode, owner, size, digest, link target and extended attributes."""
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(image.layers[0].file) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            digest = hashlib.sha256(content.read()).hexdigest()[:8] if content else ""
            found[member.name] = (member.type, oct(member.mode & 0o7777), member.uid, member.gid, member.size, digest,
                                  member.linkname, tuple(sorted(member.pax_headers.items())))  # fmt: skip
    return found
