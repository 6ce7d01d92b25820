"""What stands at a path of a base image, learnt from its layers' tar headers as they stream by.

Each layer is read once, verified against its digest, and never written to disk; what was learnt of it is kept under its
digest in a cache that any process may share, and which may be deleted at any time.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from layering.errors import ContentError
from layering.inflate import inflate
from layering.layerfacts import FORMAT_VERSION, LayerFacts, Node, dump_facts, load_facts, look_up, read_facts
from layering.reference import Digest, Repository
from layering.registry.client import RegistryClient
from layering.registry.manifest import DOCKER_LAYER_GZIP, OCI_LAYER, OCI_LAYER_GZIP, Descriptor, ImageManifest
from pipeline.builders.refusal import RefusalReason, Refused

_GZIPPED = (OCI_LAYER_GZIP, DOCKER_LAYER_GZIP)


class FactsCache:
    """What is known of layers, one file each, named after the layer's digest."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def get(self, layer: Digest) -> LayerFacts | None:
        """What is known of `layer`. None when nothing is, or when the file is damaged."""
        try:
            return load_facts(self._file(layer).read_bytes()) if self._directory else None
        except (OSError, ContentError):
            return None

    def put(self, layer: Digest, facts: LayerFacts) -> None:
        """Keep `facts`. A cache that cannot be written to is no cache, and no error."""
        if self._directory is None:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._directory)
            with os.fdopen(handle, "wb") as file:
                file.write(dump_facts(facts))
            Path(name).replace(self._file(layer))
        except OSError:
            return

    def _file(self, layer: Digest) -> Path:
        return (self._directory or Path()) / f"{layer.algorithm}-{layer.hex}.facts{FORMAT_VERSION}"


def default_cache_directory() -> Path:
    """`$XDG_CACHE_HOME/layerwatch/layers`, or the same below `~/.cache` (XDG base directory specification)."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(root) / "layerwatch" / "layers"


class BaseTree:
    """The paths of one base image. Nothing is asked of the registry before the first question."""

    def __init__(
        self,
        client: RegistryClient,
        repository: Repository,
        manifest: ImageManifest,
        cache: FactsCache,
        say: Callable[[str], None],
    ) -> None:
        self._client = client
        self._repository = repository
        self._manifest = manifest
        self._cache = cache
        self._say = say
        self._top_first: tuple[LayerFacts, ...] | None = None

    def look_up(self, path: str) -> Node | None:
        """What the base has at `path`. Raises Refused for layers that cannot be read here, and registry errors."""
        if self._top_first is None:
            self._top_first = self._load()
        return look_up(self._top_first, path)

    def _load(self) -> tuple[LayerFacts, ...]:
        for layer in self._manifest.layers:
            if layer.media_type not in (*_GZIPPED, OCI_LAYER):
                raise Refused(RefusalReason.BASE_LAYER_NOT_READABLE, f"the base has a layer of type {layer.media_type}")
        known = {layer.digest: self._cache.get(layer.digest) for layer in self._manifest.layers}
        missing = [layer for layer in self._manifest.layers if known[layer.digest] is None]
        if missing:
            size = sum(layer.size for layer in missing) / 1e6
            self._say(f"reading {len(missing)} of the base's layers once ({size:.0f} MB); they are remembered")
        for layer in missing:
            if known[layer.digest] is None:
                known[layer.digest] = self._read(layer)
        return tuple(facts for layer in reversed(self._manifest.layers) if (facts := known[layer.digest]))

    def _read(self, layer: Descriptor) -> LayerFacts:
        where = f"{self._repository}@{layer.digest}"
        with self._client.stream_blob(self._repository, layer) as chunks:
            tar = chunks
            if layer.media_type in _GZIPPED:
                tar = inflate(chunks, compressed_size=layer.size, where=where)
            facts = read_facts(tar, where=where)
        self._cache.put(layer.digest, facts)
        return facts
