"""What an honest registry holds: one small release payload, which is an image like any other, and a blob to push."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from layering.reference import Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, sha256
from layering.registry.server import RegistryServer
from layering.registry.settings import RegistrySettings
from layering.registry.storage import MemoryStorage
from layering.release import RELEASE_LABEL
from layering.sample.images import release_layer

PATH, OTHER_PATH, TAG, VERSION = "a/b", "c/d", "t", "4.19.2"
OS_IMAGE = f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:{'a' * 64}"

Document = dict[str, Any]


def dumped(document: Any) -> bytes:
    return json.dumps(document).encode()


def references(*tags: Any, **over: Any) -> Document:
    """The ImageStream of a payload."""
    first = {"name": "rhel-coreos", "from": {"kind": "DockerImage", "name": OS_IMAGE}}
    return {
        "kind": "ImageStream",
        "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": VERSION},
        "spec": {"tags": list(tags) or [first]},
        **over,
    }


METADATA: Document = {"kind": "cincinnati-metadata-v0", "version": VERSION, "metadata": {}}
LAYER = release_layer({"image-references": dumped(references()), "release-metadata": dumped(METADATA)}).data


def descriptor(data: bytes, media_type: str = OCI_LAYER_GZIP, **over: Any) -> Document:
    return {"mediaType": media_type, "digest": str(sha256(data)), "size": len(data), **over}


def config(layers: int = 1, **over: Any) -> Document:
    return {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Labels": {RELEASE_LABEL: VERSION}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{'d' * 64}"] * layers},
        **over,
    }


CONFIG = dumped(config())


def image(layers: Sequence[Mapping[str, Any]] | None = None, raw_config: bytes = CONFIG, **over: Any) -> Document:
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(raw_config, OCI_CONFIG),
        "layers": [descriptor(LAYER)] if layers is None else list(layers),
        **over,
    }


MANIFEST = dumped(image())
AMD64 = {"os": "linux", "architecture": "amd64"}
INDEX = dumped(
    {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(MANIFEST, OCI_MANIFEST, platform=AMD64)],
    }
)
BLOB = Descriptor(media_type=OCI_LAYER_GZIP, digest=sha256(LAYER), size=len(LAYER))
PUSHED = hashlib.shake_256(b"pushed").digest(5 * 1024 * 1024)  # two chunks


def stored(path: str, *tags: str) -> MemoryStorage:
    """What a registry has stored that holds the payload under these tags of one repository."""
    storage = MemoryStorage()
    with (
        RegistryServer(storage) as server,
        RegistryClient(RegistrySettings(insecure=frozenset({server.address}))) as client,
    ):
        repository = Repository(server.address, path)
        for data in (CONFIG, LAYER):
            client.push_blob(repository, data)
        for tag in tags:
            client.push_manifest(repository.tagged(tag), MANIFEST, OCI_MANIFEST)
    return storage
