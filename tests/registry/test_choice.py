"""Which manifest of an index is for a platform: a table."""

import pytest

from layering.errors import ContentError, InputError
from layering.platform import Platform
from layering.reference import Digest
from layering.registry.choice import choose
from layering.registry.manifest import OCI_INDEX, OCI_MANIFEST, Descriptor, ImageIndex

ZSTD = {"io.github.containers.compression.zstd": "true"}


def entry(name: str, platform: str | None, annotations: dict[str, str] | None = None) -> Descriptor:
    return Descriptor(
        media_type=OCI_MANIFEST,
        digest=Digest("sha256", name * 64),
        size=1,
        platform=Platform.parse(platform) if platform else None,
        annotations=annotations or {},
    )


def index(*entries: Descriptor) -> ImageIndex:
    return ImageIndex(raw=b"", digest=Digest("sha256", "0" * 64), media_type=OCI_INDEX, manifests=entries)


TWO = (entry("a", "linux/amd64"), entry("b", "linux/arm64"))
VARIANTS = (entry("6", "linux/arm/v6"), entry("7", "linux/arm/v7"))

CHOSEN = [
    ("the one that is asked for", TWO, "linux/arm64", "b"),
    ("the only one, when none is asked for", TWO[:1], None, "a"),
    ("attestations are no images", (*TWO[:1], entry("f", "unknown/unknown")), None, "a"),
    ("an entry without a platform is for none", (*TWO[:1], entry("f", None)), None, "a"),
    ("the same manifest twice is one", (*TWO, TWO[0]), "linux/amd64", "a"),
    ("gzip beside zstd", (entry("c", "linux/amd64", ZSTD), *TWO), "linux/amd64", "a"),
    ("the variant that is asked for", VARIANTS, "linux/arm/v6", "6"),
    ("the only variant, when none is asked for", VARIANTS[1:], "linux/arm", "7"),
    ("arm64 is v8", (entry("8", "linux/arm64/v8"),), "linux/arm64", "8"),
    ("v8 is arm64", TWO, "linux/arm64/v8", "b"),
    ("arm64 before a later variant", (*TWO, entry("9", "linux/arm64/v9")), "linux/arm64", "b"),
]

REFUSED = [
    ("none of it", TWO, "linux/s390x", InputError, "it has linux/amd64, linux/arm64"),
    ("another system", TWO, "windows/amd64", InputError, "there is no windows/amd64"),
    ("another variant", VARIANTS, "linux/arm/v5", InputError, "linux/arm/v6, linux/arm/v7"),
    ("several, and none was asked for", TWO, None, InputError, "several platforms"),
    ("nothing, and none was asked for", (), None, InputError, "none"),
    ("two for one platform", (*TWO, entry("c", "linux/amd64")), "linux/amd64", ContentError, "several manifests"),
    ("two variants, and none was asked for", VARIANTS, "linux/arm", ContentError, "several manifests"),
]


@pytest.mark.parametrize(("entries", "platform", "chosen"), [pytest.param(*row[1:], id=row[0]) for row in CHOSEN])
def test_one_is_chosen(entries: tuple[Descriptor, ...], platform: str | None, chosen: str) -> None:
    found = choose(index(*entries), Platform.parse(platform) if platform else None, "x")
    assert found.digest.hex[0] == chosen


@pytest.mark.parametrize(
    ("entries", "platform", "error", "told"), [pytest.param(*row[1:], id=row[0]) for row in REFUSED]
)
def test_none_is_chosen(
    entries: tuple[Descriptor, ...], platform: str | None, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        choose(index(*entries), Platform.parse(platform) if platform else None, "x")
