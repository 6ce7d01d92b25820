"""Build arguments, as `NAME=VALUE`: the --build-arg flags, and all words after `--`.

A pipeline hands over a list of any length behind `--`, where nothing can be taken for a flag.
"""

import argparse
import re
from collections.abc import Mapping

from layering.errors import InputError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def add_build_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --build-arg, and the words after `--`."""
    parser.add_argument(
        "--build-arg", action="append", default=[], metavar="NAME=VALUE", help="a build argument (repeatable)"
    )
    parser.add_argument(
        "build_args", nargs="*", metavar="NAME=VALUE", help="more build arguments; after `--` nothing else is read"
    )


def read_build_arguments(arguments: argparse.Namespace) -> Mapping[str, str]:
    """Raises InputError for what is not NAME=VALUE, and for a name given twice with different values."""
    found: dict[str, str] = {}
    for text in (*arguments.build_arg, *arguments.build_args):
        name, equals, value = text.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise InputError("a build argument is NAME=VALUE", where="--build-arg")
        if found.setdefault(name, value) != value:
            raise InputError(f"{name} is given twice with different values", where="--build-arg")
    return found
