"""Which inputs make two builds the same build: the build key.

Equal keys mean the same image; the key's first twelve digits stand in the target tag. What is not an input is not in
it: the name of the target, the time, the machine. This module reads nothing; whoever calls it brings the facts.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from layering.errors import InputError
from layering.platform import Platform
from layering.reference import Digest

FORMAT_VERSION = 1
_SHORT_LENGTH = 12
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class BuildKey:
    """A SHA-256 as 64 lower-case hex digits."""

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise InputError(
                f"{self.hex[:80]!r} is not a build key", next_step="a build key is 64 lower-case hex digits"
            )

    @property
    def short(self) -> str:
        """The twelve digits that a target tag carries."""
        return self.hex[:_SHORT_LENGTH]

    def __str__(self) -> str:
        return self.hex


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildInputs:
    """Everything that determines an image.

    `base` has one manifest digest per platform. `tree` is the git tree id of the context directory. `containerfile` is
    its path relative to the context, or its bare file name when it lies outside. `containerfile_blob` is the git blob
    id of its text as it stands in the source, before pinning. `builder` is the builder that was asked for. `matches`,
    when there are any, say which FROM is the base.
    """

    base: Mapping[Platform, Digest]
    tree: str
    containerfile: str
    containerfile_blob: str
    build_args: Mapping[str, str]
    builder: str
    matches: tuple[str, ...] = ()


def build_key(inputs: BuildInputs) -> BuildKey:
    """The SHA-256 of the canonical JSON (sorted keys, no spaces, UTF-8) of `inputs` and the format's version."""
    document = {
        "format": FORMAT_VERSION,
        "base": {str(platform): str(digest) for platform, digest in inputs.base.items()},
        "tree": inputs.tree,
        "containerfile": inputs.containerfile,
        "containerfile_blob": inputs.containerfile_blob,
        "build_args": dict(inputs.build_args),
        "builder": inputs.builder,
        **({"match": sorted(inputs.matches)} if inputs.matches else {}),
    }
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return BuildKey(hashlib.sha256(canonical.encode("utf-8")).hexdigest())
