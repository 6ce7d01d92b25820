"""Pin the base in a Containerfile: in place, into --output, or into a new file outside the source.

Which text is the base, and what stays as it is, is decided in layering/containerfile.py. Asks no registry.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from layering.change import Change
from layering.containerfile import Match, pin_base
from layering.errors import InputError
from layering.reference import ImageReference
from pipeline.build_arguments import add_build_arguments, read_build_arguments
from pipeline.containerfile_path import find_containerfile
from pipeline.textfile import TEXT_BYTES_MAX, read_text, replace_text

SUMMARY = "Pin the base in a Containerfile to a digest, and leave every other byte alone."
EXAMPLE = "layerwatch-step prepare-source --context . --base quay.io/…/ocp-v4.0-art-dev@sha256:… --in-place"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """`output` is where the pinned text goes; None means a new temporary file. `shown_as` is for messages."""

    containerfile: Path
    base: ImageReference
    matches: tuple[Match, ...] = ()
    build_args: Mapping[str, str]
    in_place: bool = False
    output: Path | None = None
    shown_as: str | None = None

    @property
    def shown(self) -> str:
        """The Containerfile's name for messages."""
        return self.shown_as or str(self.containerfile)


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The pinned text's path, what changed, and the build arguments that carry the base where an ARG has no default."""

    containerfile: Path
    changes: tuple[Change, ...]
    build_args: Mapping[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The step's flags."""
    parser.add_argument("--context", type=Path, default=Path(), metavar="DIR", help="the build context (default: .)")
    parser.add_argument("--containerfile", type=Path, metavar="FILE", help="default: Containerfile, then Dockerfile")
    parser.add_argument("--base", required=True, metavar="PULLSPEC", help="REPOSITORY@sha256:…")
    parser.add_argument(
        "--match",
        action="append",
        default=[],
        metavar="REPOSITORY|stage:NAME|arg:NAME",
        help="which FROM is the base, when that is in doubt (repeatable)",
    )
    add_build_arguments(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--in-place", action="store_true", help="change the file itself")
    where.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the pinned text here (default: a new file below $TMPDIR, yours to remove)",
    )


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Raises InputError."""
    return Inputs(
        containerfile=find_containerfile(arguments.context, arguments.containerfile),
        base=ImageReference.parse_pinned(arguments.base),
        matches=tuple(Match.parse(text) for text in arguments.match),
        build_args=read_build_arguments(arguments),
        in_place=arguments.in_place,
        output=arguments.output,
    )


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Pin, and write the result once it is whole."""
    text = read_text(inputs.containerfile, size_max=TEXT_BYTES_MAX)
    pinned = pin_base(text, inputs.base, inputs.matches, inputs.build_args, where=inputs.shown)
    target = inputs.containerfile if inputs.in_place else inputs.output or _new_file()
    if target != inputs.containerfile or pinned.text != text:
        replace_text(target, pinned.text)
    for change in pinned.changes:
        say(f"{inputs.shown}, line {change.line}: {change.old} -> {change.new}")
    for name, value in pinned.build_args.items():
        say(f"{inputs.shown}: the base comes through ARG {name}; build with --build-arg {name}={value}")
    if not pinned.changes and not pinned.build_args:
        say(f"{inputs.shown}: nothing to change")
    return Outputs(containerfile=target, changes=pinned.changes, build_args=pinned.build_args)


def _new_file() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="layerwatch-")) / "Containerfile"
    except OSError as error:
        raise InputError(f"no temporary file can be made: {error.strerror}", next_step="give --output FILE") from None
