"""The --build-arg flags, as `NAME=VALUE`."""

import argparse
import re
from collections.abc import Mapping

from layering.errors import InputError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def add_build_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --build-arg."""
    parser.add_argument(
        "--build-arg", action="append", default=[], metavar="NAME=VALUE", help="a build argument (repeatable)"
    )


def read_build_arguments(arguments: argparse.Namespace) -> Mapping[str, str]:
    """Raises InputError for what is not NAME=VALUE, and for a name given twice with different values."""
    found: dict[str, str] = {}
    for text in arguments.build_arg:
        name, equals, value = text.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise InputError("a build argument is NAME=VALUE", where="--build-arg")
        if found.setdefault(name, value) != value:
            raise InputError(f"{name} is given twice with different values", where="--build-arg")
    return found
