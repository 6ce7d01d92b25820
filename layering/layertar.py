"""The tar within a layer: inflated when its media type says gzip, as it is when it says plain.

image-spec v1.1 layer.md, and docker's types beside them. Zstandard is refused with a word about it; digests are
checked by whoever opened the blob.
"""

from collections.abc import Iterable

from layering.errors import ContentError
from layering.inflate import inflate
from layering.registry.manifest import Descriptor


def tar_of(chunks: Iterable[bytes], layer: Descriptor, where: str) -> Iterable[bytes]:
    """The tar stream of `layer`, whose blob is `chunks`. Raises ContentError, at the latest when it is read."""
    if layer.media_type.endswith("gzip"):
        return inflate(chunks, compressed_size=layer.size, where=where)
    if layer.media_type.endswith("tar"):
        return chunks
    raise ContentError(
        f"a layer of type {layer.media_type[:100]!r}, which is not read here",
        where=where,
        next_step="push the image with gzip compression",
    )
