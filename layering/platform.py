"""For which machine is an image: operating system, architecture and, rarely, variant."""

import functools
import re
from dataclasses import dataclass

from layering.errors import InputError

_PART = re.compile(r"[a-z0-9][a-z0-9_.]*")


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """`linux/amd64` or `linux/arm64/v8`, spelt as in OCI image indexes (image-spec, image-index.md, `platform`)."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    @functools.lru_cache(maxsize=64)  # a thousand images are for the same few
    def parse(cls, text: str) -> "Platform":
        """Read `OS/ARCHITECTURE[/VARIANT]`. Raises InputError for anything else."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
            raise InputError(f"{text[:80]!r} is not a platform", next_step="write it as linux/amd64 or linux/arm64/v8")
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
