"""Which mirrors there are: read from a file as container tools or `oc` write it."""

from pathlib import Path

from layering.registry.mirrorrule import Mirror, MirrorRule

__all__ = ["Mirror", "MirrorRule", "load_mirrors"]


def load_mirrors(path: Path) -> tuple[MirrorRule, ...]:
    """The rules in a file. Raises InputError for one that cannot be read or used."""
    raise NotImplementedError(path)
