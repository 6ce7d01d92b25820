"""What a built image says of itself, as labels and annotations alike (docs/decisions/0006)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from layering import provenance
from layering.buildkey import BuildKey
from layering.reference import ImageReference
from pipeline.builders.image import PlatformBase, rfc3339

_VERSION_LABELS = ("version", "org.opencontainers.image.version")
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, kw_only=True)
class Traces:
    """The facts; `revision` and `source` are left out when they are not known."""

    base: ImageReference
    base_name: str
    base_version: str | None
    key: BuildKey
    created: datetime
    revision: str | None
    source: str | None

    def labels(self, base_labels: Mapping[str, str]) -> Mapping[str, str]:
        """Name to value; without a `base_version` it comes from the base's own labels."""
        version = self.base_version or next(
            (base_labels[name] for name in _VERSION_LABELS if base_labels.get(name)), None
        )
        said = {
            provenance.BASE_NAME: self.base_name,
            provenance.BASE_DIGEST: str(self.base.pinned),
            provenance.REVISION: self.revision,
            provenance.SOURCE: self.source,
            provenance.CREATED: rfc3339(self.created),
            provenance.BUILD_KEY: self.key.hex,
            provenance.BASE_VERSION: version,
        }
        return {name: value for name, value in said.items() if value}


def base_time(base: PlatformBase) -> datetime:
    """When the base was made: unlike the clock, a function of the inputs. 1970 when the base does not say."""
    try:
        time = datetime.fromisoformat(base.config.created or "")
    except ValueError:
        return _EPOCH
    return time.replace(microsecond=0) if time.tzinfo else _EPOCH
