"""Layers for sample images: a deterministic gzipped tar of a few files."""

import gzip
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

from layering.reference import Digest
from layering.registry.manifest import sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFile:
    """One entry: a directory when `content` is None and there is no `link`; paths have no leading slash."""

    path: str
    content: bytes | None = None
    mode: int = 0o644
    link: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleLayer:
    """A finished layer and the digest of the tar within."""

    data: bytes
    diff_id: Digest


def directory(path: str, mode: int = 0o755) -> SampleFile:
    """A directory entry."""
    return SampleFile(path=path, mode=mode)


def sample_layer(files: Sequence[SampleFile]) -> SampleLayer:
    """The layer with these entries in this order; the same entries give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            tar.addfile(_header(file), io.BytesIO(file.content or b""))
    data = buffer.getvalue()
    return SampleLayer(data=gzip.compress(data, compresslevel=6, mtime=0), diff_id=sha256(data))


def _header(file: SampleFile) -> tarfile.TarInfo:
    header = tarfile.TarInfo(file.path)
    header.mode = file.mode
    if file.link:
        header.type, header.linkname, header.mode = tarfile.SYMTYPE, file.link, 0o777
    elif file.content is None:
        header.type = tarfile.DIRTYPE
    else:
        header.size = len(file.content)
    return header
