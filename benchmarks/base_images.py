"""Makes base images that resemble an OS image: many layers, many directories, contents that compress by half.

Deterministic: a layer depends on the seed and its number alone.
"""

import hashlib
import io
import json
import random
import tarfile
import zlib
from collections.abc import Mapping

from layering.reference import ImageReference, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST, sha256

_DIRECTORIES = ("etc", "usr", "usr/bin", "usr/lib", "usr/share", "var", "var/lib")
_FILES_PER_LAYER = 700
_TIME = 1_700_000_000


def push_base(
    client: RegistryClient, repository: Repository, *, layers: int, size_bytes: int, seed: int = 1
) -> ImageReference:
    """Push a base of `layers` layers that are `size_bytes` together when compressed (within a few per cent)."""
    diff_ids, descriptors = [], []
    for number in range(layers):
        tar = _layer(f"{seed}/{number}", size_bytes // layers)
        compressor = zlib.compressobj(1, wbits=31)
        packed = compressor.compress(tar) + compressor.flush()
        diff_ids.append(str(sha256(tar)))
        descriptors.append(_pushed(client, repository, OCI_LAYER_GZIP, packed))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2025-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/usr/bin"], "Labels": {"containers.bootc": "1", "version": f"9.6.{seed}"}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "2025-01-01T00:00:00Z", "created_by": f"layer {n}"} for n in range(layers)],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _pushed(client, repository, OCI_CONFIG, json.dumps(config).encode()),
        "layers": descriptors,
    }
    raw = json.dumps(manifest).encode()
    return repository.at(client.push_manifest(repository.at(sha256(raw)), raw, OCI_MANIFEST))


def _layer(name: str, compressed_bytes: int) -> bytes:
    """A tar: the usual directories, one of its own, and files of which one half is random and the other is not."""
    chance = random.Random(name)
    own = f"usr/share/{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    half = max(compressed_bytes // _FILES_PER_LAYER - 100, 1)  # a header compresses to about a hundred bytes
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for directory in (*_DIRECTORIES, own):
            _add(archive, f"{directory}/", b"", tarfile.DIRTYPE, 0o755)
        for number in range(_FILES_PER_LAYER):
            content = chance.randbytes(half) + b"\0" * half
            _add(archive, f"{own}/{number:04}", content, tarfile.REGTYPE, 0o644)
    return out.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, kind: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.mtime = kind, mode, len(content), _TIME
    archive.addfile(info, io.BytesIO(content))


def _pushed(client: RegistryClient, repository: Repository, media_type: str, data: bytes) -> Mapping[str, object]:
    return {"mediaType": media_type, "digest": str(client.push_blob(repository, data)), "size": len(data)}
