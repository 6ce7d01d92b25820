"""What honest registries do, each in its own way, and what must therefore succeed."""

from tests.registry.hostile.quirks_reading import READING_QUIRKS
from tests.registry.hostile.quirks_serving import SERVING_QUIRKS
from tests.registry.hostile.quirks_tokens import TOKEN_QUIRKS
from tests.registry.hostile.rows import Row

_PLAIN = [Row(name=f"nothing odd: {do}", do=do) for do in (
    "resolve", "resolve a digest", "find", "manifest", "manifest by digest", "image", "config", "read_blob",
    "stream_blob", "layers", "tags", "referrers", "release", "push_blob", "push_stream", "copy_blob", "push_manifest",
)]  # fmt: skip

QUIRKS = [*_PLAIN, *TOKEN_QUIRKS, *READING_QUIRKS, *SERVING_QUIRKS]
