"""`update-machineconfig`: write an image's digest into a MachineConfig file, and leave every other byte alone.

It edits a file; it applies nothing to a cluster.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from layering.errors import InputError
from layering.machineconfig import new_machineconfig, set_os_image
from layering.machineconfig_find import SIZE_MAX
from layering.reference import ImageReference
from layering.secrets import redact
from pipeline.flag_value import flag_value
from pipeline.mounted import given_text
from pipeline.textfile import make_parents, read_text, replace_text

SUMMARY = "write the image's digest into a MachineConfig"
EXAMPLE = "layerwatch-step update-machineconfig --file 99-worker.yaml --image quay.io/acme/os@sha256:… --pool worker"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, the image, and which MachineConfig in the file is meant."""
    parser.add_argument("--file", type=Path, required=True, metavar="FILE", help="YAML or JSON with a MachineConfig")
    parser.add_argument("--image", required=True, metavar="PULLSPEC", help="the image, by digest")
    parser.add_argument("--name", type=given_text, metavar="NAME", help="the MachineConfig of this name")
    parser.add_argument("--pool", type=given_text, metavar="POOL", help="the MachineConfig with this pool's role label")
    parser.add_argument(
        "--create", action="store_true", help="insert a missing osImageURL; make a missing file (needs --pool)"
    )


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the step was asked for."""

    file: Path
    image: ImageReference
    name: str | None
    pool: str | None
    create: bool


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """`old` is the osImageURL before (null: none), `new` the one the file has now."""

    changed: bool
    file: Path
    old: str | None
    new: str


def read_inputs(arguments: argparse.Namespace) -> Inputs:
    """Check what does not need the file. Raises InputError."""
    return Inputs(
        file=arguments.file,
        image=flag_value("--image", ImageReference.parse_pinned, arguments.image).without_tag(),
        name=arguments.name,
        pool=arguments.pool,
        create=arguments.create,
    )


def run(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    """Edit or make the file. Raises InputError; then nothing was written."""
    if not os.path.lexists(inputs.file):
        return _create(inputs, say)
    text = read_text(inputs.file, size_max=SIZE_MAX)
    edit = set_os_image(
        text, inputs.image, name=inputs.name, pool=inputs.pool, create=inputs.create, where=str(inputs.file)
    )
    for note in edit.notes:
        say(note)
    old = None if edit.old is None else redact(edit.old)
    if edit.change is None:
        say(f"{inputs.file}: {edit.document} has this digest already; nothing was written")
        return Outputs(changed=False, file=inputs.file, old=old, new=old or str(inputs.image))
    replace_text(inputs.file, edit.text)
    say(f"{inputs.file}:{edit.change.line}: osImageURL of {edit.document} is {edit.change.new} now")
    return Outputs(changed=True, file=inputs.file, old=old, new=edit.change.new)


def _create(inputs: Inputs, say: Callable[[str], None]) -> Outputs:
    if not inputs.create:
        raise InputError(
            "there is no such file",
            where=str(inputs.file),
            next_step="make it with --create and --pool, or name another",
        )
    if inputs.pool is None:
        raise InputError(
            "a new MachineConfig needs its pool", where=str(inputs.file), next_step="name it, as in --pool worker"
        )
    text = new_machineconfig(inputs.image, inputs.name, inputs.pool)
    make_parents(inputs.file)
    replace_text(inputs.file, text)
    say(f"{inputs.file}: a new MachineConfig for the pool {inputs.pool}")
    return Outputs(changed=True, file=inputs.file, old=None, new=str(inputs.image))
