"""Which file is the Containerfile: a path as the shell sees it, else one in the context, else the usual names in it."""

from pathlib import Path

from layering.errors import InputError

_USUAL = ("Containerfile", "Dockerfile")


def find_containerfile(context: Path, named: Path | None) -> Path:
    """The path of the Containerfile. Raises InputError that says where it was looked for."""
    if not context.is_dir():
        raise InputError(f"{context} is not a directory", where="--context")
    looked = [named, context / named] if named is not None else [context / name for name in _USUAL]
    for path in looked:
        if path.is_file():
            return path
    raise InputError(
        f"there is no Containerfile: looked for {' and '.join(map(str, looked))}",
        where="--containerfile",
        next_step="name it with --containerfile",
    )
