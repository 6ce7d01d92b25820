"""Under which tag is a build kept: `<version>-<key12>`, which is never moved."""

import re

from layering.buildkey import BuildKey
from layering.reference import ImageReference, Repository

_NO_TAG_CHARACTER = re.compile(r"[^A-Za-z0-9_.-]")
_VERSION_LENGTH_MAX = 100


def target_tag(repository: Repository, version: str, key: BuildKey) -> ImageReference:
    """The target of one build. Characters that no tag may have (`+`, `~`) become `_`; long versions are cut."""
    safe = _NO_TAG_CHARACTER.sub("_", version)[:_VERSION_LENGTH_MAX].lstrip(".-") or "base"
    return repository.tagged(f"{safe}-{key.short}")
